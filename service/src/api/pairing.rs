//! Methods of a client that waits to be paired.
use super::{ApiError, call::Call, client::must_exist};
use crate::{ids::Uid, pairings::WaitingPairing, store::Terms};
use punktfunk_dbus::names::ACTION_MANAGE_ALL;
use std::collections::HashMap;
use zbus::{Message, zvariant::OwnedValue};

pub(super) async fn call(call: &Call<'_>, pairing: &WaitingPairing) -> Result<Message, ApiError> {
    let pairings = &call.context.host.pairings;
    match call.member.as_str() {
        "Accept" => {
            let (pin, mut options): (String, HashMap<String, OwnedValue>) = call.arguments()?;
            let name: Option<String> = take(&mut options, "name", "a string")?;
            let owner = take(&mut options, "owner", "a uid (u)")?.map(Uid);
            let terms = Terms {
                greeter: take(&mut options, "greeter", "a boolean")?.unwrap_or(false),
                expires_at: take(&mut options, "expires", "seconds since 1970 (t)")?.unwrap_or(0),
                one_time: take(&mut options, "once", "a boolean")?.unwrap_or(false),
                used: false,
            };
            let caller = &call.caller;
            let owner = owner.unwrap_or(caller.uid);
            if owner != caller.uid || terms.greeter {
                // Hands out what is another account's, or nobody's.
                let authority = &call.context.authority;
                let method = "org.punktfunk.Host1.Pairing.Accept";
                authority
                    .permit(caller, ACTION_MANAGE_ALL, method, Some(owner))
                    .await?;
            }
            if owner != caller.uid {
                must_exist(owner.0).await?;
            }
            let client = pairings
                .accept_on(pairing.id, &pin, owner, name, terms)
                .await;
            call.announced().await;
            call.answer(&client?.0)
        }
        "Reject" => {
            call.no_arguments()?;
            pairings.reject(pairing.id)?;
            call.announced().await;
            call.answer(&())
        }
        member => Err(ApiError::unknown_method(&call.interface, member)),
    }
}

/// An option, if it is there and of this type.
fn take<T: TryFrom<OwnedValue>>(
    options: &mut HashMap<String, OwnedValue>,
    name: &str,
    expected: &str,
) -> Result<Option<T>, ApiError> {
    options
        .remove(name)
        .map(|value| {
            T::try_from(value)
                .map_err(|_| ApiError::invalid(format!("the option \"{name}\" is {expected}")))
        })
        .transpose()
}
