//! Methods of the root object.
use super::{ApiError, call::Call, object::Object};
use crate::ids::SessionId;
use punktfunk_dbus::open_stream::AgentOffer;
use std::time::Duration;
use zbus::{Message, zvariant::OwnedObjectPath};

pub(super) async fn call(call: &Call<'_>) -> Result<Message, ApiError> {
    match call.member.as_str() {
        "RegisterAgent" => register_agent(call).await,
        "OpenPairing" => open_pairing(call).await,
        "ClosePairing" => {
            call.no_arguments()?;
            call.context.windows.closed(call.caller.uid);
            call.context.host.pairings.close_window(call.caller.uid);
            call.announced().await;
            call.answer(&())
        }
        member => Err(ApiError::unknown_method(&call.interface, member)),
    }
}

async fn register_agent(call: &Call<'_>) -> Result<Message, ApiError> {
    let (path, session, offer): (OwnedObjectPath, String, AgentOffer) = call.arguments()?;
    let admission = &call.context.admission;
    let handle = admission
        .register(&call.caller.name, path, SessionId(session), offer)
        .await?;
    call.announced().await;
    call.answer(&Object::Agent(handle.info()).path())
}

async fn open_pairing(call: &Call<'_>) -> Result<Message, ApiError> {
    let seconds: u32 = call.arguments()?;
    if seconds == 0 {
        return Err(ApiError::invalid(
            "a pairing window lasts at least one second",
        ));
    }
    let uid = call.caller.uid;
    let wanted = Duration::from_secs(seconds.into());
    let granted = call.context.host.pairings.open_window(uid, wanted);
    let windows = &call.context.windows;
    windows.opened(uid, call.caller.name.clone(), granted);
    if !call.still_there().await && windows.opener_left(&call.caller.name).is_some() {
        call.context.host.pairings.close_window(uid);
    }
    call.announced().await;
    call.answer(&u32::try_from(granted.as_secs()).unwrap_or(u32::MAX))
}
