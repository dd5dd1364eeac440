//! What an administrator wants to find again: pairings, decisions about permissions, streams, settings. One line each in the
//! journal, with fields to search by and a MESSAGE_ID that the catalogue explains (`systemd/punktfunk.catalog`).
//!
//! Never a PIN, never a key.
use super::Sparing;
use crate::{
    authority::Caller,
    config::{Change, ConfigError},
    ids::{ClientId, StreamId, Uid},
};
use std::{net::IpAddr, time::Duration};

/// The target of these lines; the journal gets their fields under their own names.
pub const TARGET: &str = "punktfunk::audit";

pub const PAIRED: &str = "a14e6ddfae3a40bcb653944f1cd7980e";
pub const PAIRING_FAILED: &str = "de56886d087e470087a14208ab243612";
pub const UNPAIRED: &str = "251a4ff5e5d54b699268e82d940637d6";
pub const CLIENT_CHANGED: &str = "7950d33f2999485eb582b16b3024dcac";
pub const AUTHORISED: &str = "c2ff8a1af9d44096a46bcf3d33b41d6a";
pub const REFUSED: &str = "ac55191152464a66b85a22c8b2c9614a";
pub const STREAM_BEGAN: &str = "6ef3db94fb6b4ac882b81d665ad19e2c";
pub const STREAM_ENDED: &str = "aa076511b4e44b86b90788dccf7f5e9d";
pub const CONFIGURED: &str = "7e875c7c5f6f425584eacf76cc227ede";
pub const NOT_CONFIGURED: &str = "40fd3e326ce94227bab4166fe2f7354b";

/// Every MESSAGE_ID; the catalogue has an entry for each.
pub const ALL: [&str; 10] = [
    PAIRED,
    PAIRING_FAILED,
    UNPAIRED,
    CLIENT_CHANGED,
    AUTHORISED,
    REFUSED,
    STREAM_BEGAN,
    STREAM_ENDED,
    CONFIGURED,
    NOT_CONFIGURED,
];

/// Callers decide how often they are refused: so many lines for each account in so much time, the last of which says so.
static REFUSALS: Sparing = Sparing::new(20, Duration::from_secs(10));
/// The same for devices that fail to pair.
static FAILURES: Sparing = Sparing::new(20, Duration::from_secs(10));

pub fn paired(client: &ClientId, name: &str, owner: Uid) {
    tracing::info!(
        target: TARGET, MESSAGE_ID = PAIRED, PUNKTFUNK_CLIENT = %client, PUNKTFUNK_USER = owner.0,
        "paired {name:?} with uid {owner}"
    );
}

pub fn pairing_failed(address: IpAddr, why: &dyn std::fmt::Display) {
    let Some(more) = FAILURES.line(0) else { return };
    tracing::warn!(
        target: TARGET, MESSAGE_ID = PAIRING_FAILED, PUNKTFUNK_ADDRESS = %address,
        "a pairing failed: {why} (from {address}){more}"
    );
}

pub fn unpaired(client: &ClientId, name: &str, owner: Uid, by: Uid) {
    tracing::info!(
        target: TARGET, MESSAGE_ID = UNPAIRED, PUNKTFUNK_CLIENT = %client, PUNKTFUNK_USER = owner.0, PUNKTFUNK_CALLER = by.0,
        "uid {by} unpaired {name:?}"
    );
}

/// `what` says what was changed, and to what.
pub fn client_changed(client: &ClientId, name: &str, owner: Uid, by: Uid, what: &str) {
    tracing::info!(
        target: TARGET, MESSAGE_ID = CLIENT_CHANGED, PUNKTFUNK_CLIENT = %client, PUNKTFUNK_USER = owner.0, PUNKTFUNK_CALLER = by.0,
        "uid {by} changed {name:?}: {what}"
    );
}

/// polkit let the caller do something on an object of `owner`, if it is anybody's.
pub fn authorised(caller: &Caller, action: &str, method: &str, owner: Option<Uid>) {
    let owner = owner.unwrap_or(caller.uid);
    tracing::info!(
        target: TARGET, MESSAGE_ID = AUTHORISED, PUNKTFUNK_USER = owner.0, PUNKTFUNK_CALLER = caller.uid.0,
        PUNKTFUNK_ACTION = action, PUNKTFUNK_METHOD = method,
        "uid {} was authorised for {method} ({action})", caller.uid
    );
}

/// It did not, or could not be asked.
pub fn refused(caller: &Caller, action: &str, method: &str, why: &str) {
    let Some(more) = REFUSALS.line(caller.uid.0) else {
        return;
    };
    tracing::warn!(
        target: TARGET, MESSAGE_ID = REFUSED, PUNKTFUNK_CALLER = caller.uid.0, PUNKTFUNK_ACTION = action, PUNKTFUNK_METHOD = method,
        "uid {} was refused {method} ({action}): {why}{more}", caller.uid
    );
}

/// `mode` says size, rate and codec.
pub fn stream_began(stream: StreamId, client: &ClientId, name: &str, user: Uid, mode: &str) {
    tracing::info!(
        target: TARGET, MESSAGE_ID = STREAM_BEGAN, PUNKTFUNK_STREAM = %stream, PUNKTFUNK_CLIENT = %client, PUNKTFUNK_USER = user.0,
        "{name:?} watches a session of uid {user}: {mode}"
    );
}

pub fn stream_ended(
    stream: StreamId,
    client: &ClientId,
    user: Uid,
    reason: &dyn std::fmt::Display,
) {
    tracing::info!(
        target: TARGET, MESSAGE_ID = STREAM_ENDED, PUNKTFUNK_STREAM = %stream, PUNKTFUNK_CLIENT = %client, PUNKTFUNK_USER = user.0,
        "the stream ends: {reason}"
    );
}

/// `by` is missing where the service manager asked.
pub fn configured(by: Option<Uid>, change: &Change) {
    let keys = match change.changed.as_slice() {
        [] => "nothing is different".to_owned(),
        keys => format!("{} changed", keys.join(", ")),
    };
    let restart = match change.restart.as_slice() {
        [] => String::new(),
        keys => format!(
            "; {} needs a restart: systemctl restart punktfunk",
            keys.join(", ")
        ),
    };
    let caller = by.map_or_else(
        || "the service manager".to_owned(),
        |uid| format!("uid {uid}"),
    );
    tracing::info!(
        target: TARGET, MESSAGE_ID = CONFIGURED, PUNKTFUNK_CALLER = by.map_or(0, |uid| uid.0), PUNKTFUNK_KEYS = change.changed.join(" "),
        "the configuration was read again for {caller}: {keys}{restart}"
    );
}

pub fn not_configured(error: &ConfigError) {
    tracing::error!(
        target: TARGET, MESSAGE_ID = NOT_CONFIGURED,
        "the configuration was not taken, the one before holds: {error}"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_explains_every_message_and_no_other() {
        let catalogue = include_str!("../../../systemd/punktfunk.catalog");
        let mut explained: Vec<&str> = catalogue
            .lines()
            .filter_map(|line| line.strip_prefix("-- "))
            .collect();
        let mut said = ALL.to_vec();
        explained.sort_unstable();
        said.sort_unstable();
        assert_eq!(explained, said);
        assert!(said.iter().all(|id| id.len() == 32));
        assert_eq!(catalogue.matches("\nSubject: ").count(), ALL.len());
    }
}
