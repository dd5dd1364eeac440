//! Methods of a paired client.
use super::{ApiError, call::Call};
use crate::{applications, ids::Uid, logging::audit, store::ClientRecord, stream::StopReason};
use punktfunk_dbus::error::HostErrorKind;
use zbus::Message;

pub(super) async fn call(call: &Call<'_>, client: &ClientRecord) -> Result<Message, ApiError> {
    let host = &call.context.host;
    let by = call.caller.uid;
    match call.member.as_str() {
        "Unpair" => {
            call.no_arguments()?;
            host.clients.remove(&client.id)?;
            end(call, client, StopReason::Unpaired);
            audit::unpaired(&client.id, &client.name, client.owner, by);
        }
        "SetOwner" => {
            let uid: u32 = call.arguments()?;
            must_exist(uid).await?;
            host.clients.set_owner(&client.id, Uid(uid))?;
            end(call, client, StopReason::Administrator);
            let what = format!("it belongs to uid {uid} now");
            audit::client_changed(&client.id, &client.name, Uid(uid), by, &what);
        }
        "SetGreeter" => {
            let greeter: bool = call.arguments()?;
            host.clients
                .set_terms(&client.id, |terms| terms.greeter = greeter)?;
            host.streams.set_greeter(&client.id, greeter);
            tracing::info!(client = %client.id, greeter, by = call.caller.uid.0, "log-in screens");
        }
        "SetExpiry" => {
            let expires_at: u64 = call.arguments()?;
            host.clients
                .set_terms(&client.id, |terms| terms.expires_at = expires_at)?;
            tracing::info!(client = %client.id, expires_at, by = call.caller.uid.0, "expiry set");
        }
        "SetPermissions" => {
            let permissions: Vec<String> = call.arguments()?;
            let permissions = host.clients.set_permissions(&client.id, &permissions)?;
            host.streams.set_permissions(&client.id, &permissions);
            let what = format!("it may {}", words(&permissions));
            audit::client_changed(&client.id, &client.name, client.owner, by, &what);
        }
        member => return Err(ApiError::unknown_method(&call.interface, member)),
    }
    call.announced().await;
    call.answer(&())
}

fn words(permissions: &[String]) -> String {
    match permissions {
        [] => "do nothing".into(),
        permissions => permissions.join(", "),
    }
}

/// End what the client has running. Its application may take its time; the caller does not wait for that.
fn end(call: &Call<'_>, client: &ClientRecord, reason: StopReason) {
    if let Some(leftover) = applications::end(&call.context.host, &client.id, reason) {
        tokio::spawn(leftover.stop());
    }
}

/// The account database may be on the network: asked off the runtime's own threads.
pub(super) async fn must_exist(uid: u32) -> Result<(), ApiError> {
    let found = tokio::task::spawn_blocking(move || {
        nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(uid))
    });
    match found.await {
        Ok(Ok(Some(_))) => Ok(()),
        Ok(Ok(None)) => Err(ApiError::invalid(format!(
            "there is no account with uid {uid}"
        ))),
        Ok(Err(error)) => Err(HostErrorKind::Failed.because(error.to_string()).into()),
        Err(error) => Err(HostErrorKind::Failed.because(error.to_string()).into()),
    }
}
