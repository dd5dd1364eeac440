//! The XML endpoints: serverinfo, applist, launch, resume, cancel, unpair. Each answer is checked against section 3.

use crate::{client::Client, crypto, http};
use anyhow::{Context, Result, bail};
use std::time::Duration;

/// An XML answer whose root carried a status.
#[derive(Debug, Clone)]
pub struct Answer {
    /// `status_code` of the root element.
    pub status: i64,
    pub message: String,
    document: String,
}

impl Answer {
    /// The text of the first element of that name.
    pub fn text(&self, name: &str) -> Option<String> {
        let document = roxmltree::Document::parse(&self.document).ok()?;
        let node = document
            .descendants()
            .find(|node| node.has_tag_name(name))?;
        Some(node.text().unwrap_or_default().to_owned())
    }

    /// The answer itself when its status is 200, else the error that a person would be shown.
    pub fn accepted(self) -> Result<Self> {
        if self.status != 200 {
            bail!("the host answers {}: {}", self.status, self.message);
        }
        Ok(self)
    }

    fn parse(reply: &http::Reply) -> Result<Self> {
        let document = String::from_utf8(reply.body.clone()).context("the answer is not UTF-8")?;
        let parsed = roxmltree::Document::parse(&document)
            .with_context(|| format!("the answer is not XML (HTTP {})", reply.status))?;
        let root = parsed.root_element();
        if root.tag_name().name() != "root" {
            bail!(
                "the root element is <{}>, not <root>",
                root.tag_name().name()
            );
        }
        let status = root
            .attribute("status_code")
            .and_then(|code| code.parse().ok())
            .context("the root element has no status_code")?;
        let message = root
            .attribute("status_message")
            .unwrap_or_default()
            .to_owned();
        Ok(Self {
            status,
            message,
            document,
        })
    }
}

/// What `serverinfo` said.
#[derive(Debug, Clone)]
pub struct ServerInfo {
    pub hostname: String,
    pub unique_id: String,
    pub https_port: u16,
    pub codecs: u32,
    pub paired: bool,
    /// The app that is running, 0 = none.
    pub current_game: u32,
    pub busy: bool,
}

/// One entry of `applist`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct App {
    pub title: String,
    pub id: u32,
    pub hdr: bool,
}

impl Client {
    /// One request, with `uniqueid` and `uuid` added.
    pub fn request(
        &self,
        secure: bool,
        endpoint: &str,
        parameters: &[(&str, &str)],
        timeout: Duration,
    ) -> Result<Answer> {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query
            .append_pair("uniqueid", "0123456789ABCDEF")
            .append_pair("uuid", &hex::encode(crypto::random::<16>()));
        query.extend_pairs(parameters);
        let path = format!("/{endpoint}?{}", query.finish());
        let reply = self.get(secure, &path, timeout)?;
        self.breaches
            .require(reply.status == 200, "3", "http-status-not-200", || {
                format!("{endpoint}: HTTP {}", reply.status)
            });
        Answer::parse(&reply).inspect_err(|e| {
            self.breaches
                .record("3", "answer-not-xml-root", || format!("{endpoint}: {e:#}"))
        })
    }

    /// `serverinfo`, over HTTPS when `secure`. An answer other than 200 is an error that carries status and text.
    pub fn server_info(&self, secure: bool) -> Result<ServerInfo> {
        let answer = self
            .request(secure, "serverinfo", &[], Duration::from_secs(5))?
            .accepted()?;
        let text = |name: &str| answer.text(name).unwrap_or_default();
        let breaches = &self.breaches;
        for (name, value) in [("appversion", "7.1.431.-1"), ("GfeVersion", "3.23.0.74")] {
            breaches.require(text(name) == value, "3.1", "serverinfo-version", || {
                format!("{name} is {:?}, not {value}", text(name))
            });
        }
        for name in [
            "hostname",
            "uniqueid",
            "HttpsPort",
            "mac",
            "MaxLumaPixelsHEVC",
            "ServerCodecModeSupport",
            "PairStatus",
            "currentgame",
            "state",
        ] {
            breaches.require(
                !text(name).is_empty(),
                "3.1",
                "serverinfo-element-missing",
                || name.to_owned(),
            );
        }
        let state = text("state");
        let busy = state.ends_with("_SERVER_BUSY");
        breaches.require(
            busy || state.ends_with("_SERVER_FREE"),
            "3.1",
            "serverinfo-state",
            || state.clone(),
        );
        breaches.require(
            !state.contains("MJOLNIR"),
            "3.1",
            "serverinfo-state",
            || state.clone(),
        );
        let current_game: u32 = text("currentgame").parse().unwrap_or(0);
        breaches.require(
            busy == (current_game != 0),
            "3.1",
            "serverinfo-busy-without-game",
            || format!("state {state}, currentgame {current_game}"),
        );
        let codecs: u32 = text("ServerCodecModeSupport").parse().unwrap_or(0);
        breaches.require(codecs & 1 != 0, "3.1", "serverinfo-no-h264", || {
            format!("ServerCodecModeSupport {codecs:#x}")
        });
        let luma: u64 = text("MaxLumaPixelsHEVC").parse().unwrap_or(0);
        breaches.require(
            (codecs & 0x300 != 0) == (luma != 0),
            "3.1",
            "serverinfo-hevc-luma",
            || format!("codecs {codecs:#x}, MaxLumaPixelsHEVC {luma}"),
        );
        let paired = text("PairStatus") == "1";
        if !secure {
            breaches.require(!paired, "3.1", "serverinfo-paired-over-http", || {
                "PairStatus 1 over HTTP".into()
            });
            breaches.require(
                text("mac") == "00:00:00:00:00:00",
                "3.1",
                "serverinfo-mac-over-http",
                || text("mac"),
            );
        }
        Ok(ServerInfo {
            hostname: text("hostname"),
            unique_id: text("uniqueid"),
            https_port: text("HttpsPort").parse().unwrap_or(47984),
            codecs,
            paired,
            current_game,
            busy,
        })
    }

    /// The apps on offer.
    pub fn app_list(&self) -> Result<Vec<App>> {
        let answer = self
            .request(true, "applist", &[], Duration::from_secs(5))?
            .accepted()?;
        let document = roxmltree::Document::parse(&answer.document)?;
        let mut apps = Vec::new();
        for node in document
            .root_element()
            .children()
            .filter(|node| node.has_tag_name("App"))
        {
            let child = |name: &str| {
                node.children()
                    .find(|child| child.has_tag_name(name))
                    .map(|child| child.text().unwrap_or_default())
            };
            let id: i64 = child("ID").and_then(|id| id.parse().ok()).unwrap_or(0);
            self.breaches.require(
                child("AppTitle").is_some(),
                "3.2",
                "app-without-title",
                || format!("app {id}"),
            );
            self.breaches
                .require((1..1 << 31).contains(&id), "3.2", "app-id-range", || {
                    id.to_string()
                });
            let known = |app: &App| i64::from(app.id) == id;
            self.breaches
                .require(!apps.iter().any(known), "3.2", "app-id-twice", || {
                    id.to_string()
                });
            apps.push(App {
                title: child("AppTitle").unwrap_or_default().to_owned(),
                id: u32::try_from(id).unwrap_or(0),
                hdr: child("IsHdrSupported") == Some("1"),
            });
        }
        Ok(apps)
    }

    /// The id of an app by its id or its title. Ids need not be on the list.
    pub fn app_by(&self, name: &str) -> Result<u32> {
        if let Ok(id) = name.parse() {
            return Ok(id);
        }
        let list = self.app_list()?;
        let found = list.iter().find(|app| app.title == name);
        Ok(found
            .with_context(|| format!("the host offers no app {name:?}"))?
            .id)
    }

    /// The picture of an app: a PNG body, whose head says so. An answer in XML is the host's error.
    pub fn app_asset(&self, app: u32) -> Result<Vec<u8>> {
        let id = app.to_string();
        let mut query = form_urlencoded::Serializer::new(String::new());
        query
            .append_pair("uniqueid", "0123456789ABCDEF")
            .append_pair("uuid", &hex::encode(crypto::random::<16>()))
            .extend_pairs([
                ("appid", id.as_str()),
                ("AssetType", "2"),
                ("AssetIdx", "0"),
            ]);
        let path = format!("/appasset?{}", query.finish());
        let reply = self.get(true, &path, Duration::from_secs(5))?;
        let kind = reply.header("content-type").unwrap_or_default().to_owned();
        if !kind.starts_with("image/") {
            Answer::parse(&reply)?.accepted()?;
            bail!("the asset is {kind:?}, and no error");
        }
        self.breaches.require(
            kind == "image/png" && reply.body.starts_with(b"\x89PNG\r\n\x1a\n"),
            "3.3",
            "asset-not-png",
            || format!("app {app}: {kind}, {} bytes", reply.body.len()),
        );
        Ok(reply.body)
    }

    /// Ends the running app and its streams.
    pub fn cancel(&self) -> Result<()> {
        let answer = self
            .request(true, "cancel", &[], Duration::from_secs(30))?
            .accepted()?;
        if !self.breaches.require(
            answer.text("cancel").is_some_and(|v| v != "0"),
            "3.5",
            "cancel-zero",
            || format!("{:?}", answer.text("cancel")),
        ) {
            bail!("the host did not cancel");
        }
        Ok(())
    }

    /// Abandons the pairing in progress from this address.
    pub fn unpair(&self) -> Result<()> {
        self.request(false, "unpair", &[], Duration::from_secs(5))?
            .accepted()
            .map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(body: &str) -> Result<Answer> {
        Answer::parse(&http::Reply {
            status: 200,
            headers: Vec::new(),
            body: body.as_bytes().to_vec(),
        })
    }

    #[test]
    fn only_a_root_with_a_status_is_an_answer() {
        let good = answer(r#"<?xml version="1.0" encoding="utf-8"?><root status_code="200"><paired>1</paired></root>"#).unwrap();
        assert_eq!(good.accepted().unwrap().text("paired").unwrap(), "1");
        let refused = answer(r#"<root status_code="401" status_message="not paired"/>"#).unwrap();
        assert_eq!(
            refused.accepted().unwrap_err().to_string(),
            "the host answers 401: not paired"
        );
        assert!(answer("<html/>").is_err());
        assert!(answer("<root/>").is_err());
    }
}
