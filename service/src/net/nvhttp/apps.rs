//! `/applist` and `/appasset`: what can be launched, and what it looks like.
use super::{query::Query, xml::Xml};
use crate::{host::Host, launch::hdr_codecs, store::ClientRecord};
use std::borrow::Cow;

/// The applications of the client's owner, the desktop first.
pub(super) async fn list(host: &Host, client: &ClientRecord) -> Xml {
    let list = host.applications.for_client(&host.agents, client).await;
    let agent = host.agents.for_client(client).map(|agent| agent.info());
    let config = host.settings.now();
    let hdr = !hdr_codecs(agent.as_ref(), &config.video_source).is_empty();
    list.iter().fold(Xml::ok(), |xml, application| {
        let inner = Xml::ok()
            .element("IsHdrSupported", u8::from(hdr))
            .element("AppTitle", &application.title)
            .element("ID", application.id);
        xml.nested("App", inner)
    })
}

/// The PNG of one application. An error is a placeholder at the client.
pub(super) async fn asset(
    host: &Host,
    client: &ClientRecord,
    query: &Query,
) -> Result<Cow<'static, [u8]>, Xml> {
    let app = query.get("appid").and_then(|text| text.parse().ok());
    let Some(app) = app else {
        return Err(Xml::error(400, "appid is missing or not a number"));
    };
    let picture = host.applications.picture(&host.agents, client, app).await;
    picture.ok_or_else(|| Xml::error(404, "This host has no such app; refresh the list of apps"))
}

#[cfg(test)]
mod tests;
