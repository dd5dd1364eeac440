//! Methods of a client that waits to be paired.
use super::{ApiError, call::Call};
use crate::pairings::WaitingPairing;
use std::collections::HashMap;
use zbus::{Message, zvariant::OwnedValue};

pub(super) async fn call(call: &Call<'_>, pairing: &WaitingPairing) -> Result<Message, ApiError> {
    let pairings = &call.context.host.pairings;
    match call.member.as_str() {
        "Accept" => {
            let (pin, mut options): (String, HashMap<String, OwnedValue>) = call.arguments()?;
            let name = match options.remove("name") {
                None => None,
                Some(value) => Some(
                    String::try_from(value)
                        .map_err(|_| ApiError::invalid("the option \"name\" is a string"))?,
                ),
            };
            let client = pairings
                .accept(pairing.id, &pin, call.caller.uid, name)
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
