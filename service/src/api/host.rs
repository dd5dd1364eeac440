//! Methods of the root object.
use super::{ApiError, call::Call, object::Object};
use crate::{
    config::{Change, ConfigError, Settings, Value as Setting},
    ids::SessionId,
    logging::audit,
};
use punktfunk_dbus::{error::HostErrorKind, open_stream::AgentOffer};
use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};
use zbus::{
    Message,
    zvariant::{OwnedObjectPath, OwnedValue, Value},
};

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
        "SetConfiguration" => {
            let values = settings(call.arguments()?)?;
            configure(call, move |all| all.set(values)).await
        }
        "ResetConfiguration" => {
            let names: Vec<String> = call.arguments()?;
            configure(call, move |all| all.reset(&names)).await
        }
        "ReloadConfiguration" => {
            call.no_arguments()?;
            configure(call, Settings::reload).await
        }
        member => Err(ApiError::unknown_method(&call.interface, member)),
    }
}

/// Files are read and written off the runtime's own threads.
async fn configure(
    call: &Call<'_>,
    how: impl FnOnce(&Settings) -> Result<Change, ConfigError> + Send + 'static,
) -> Result<Message, ApiError> {
    let settings = call.context.host.settings.clone();
    let done = tokio::task::spawn_blocking(move || how(&settings)).await;
    let change = done.map_err(|error| HostErrorKind::Failed.because(error.to_string()))??;
    audit::configured(Some(call.caller.uid), &change);
    call.announced().await;
    call.answer(&change.restart)
}

/// Strings, booleans and integers, by key.
fn settings(values: HashMap<String, OwnedValue>) -> Result<BTreeMap<String, Setting>, ApiError> {
    values
        .into_iter()
        .map(|(key, value)| {
            let setting = match &*value {
                Value::Str(text) => Some(Setting::Text(text.to_string())),
                Value::Bool(flag) => Some(Setting::Flag(*flag)),
                Value::U8(number) => Some(Setting::Number((*number).into())),
                Value::I16(number) => Some(Setting::Number((*number).into())),
                Value::U16(number) => Some(Setting::Number((*number).into())),
                Value::I32(number) => Some(Setting::Number((*number).into())),
                Value::U32(number) => Some(Setting::Number((*number).into())),
                Value::I64(number) => Some(Setting::Number(*number)),
                Value::U64(number) => i64::try_from(*number).ok().map(Setting::Number),
                _ => None,
            };
            let setting = setting.ok_or_else(|| {
                ApiError::invalid(format!(
                    "{key}: a setting is a string, a boolean or a whole number"
                ))
            })?;
            Ok((key, setting))
        })
        .collect()
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
