//! What the streams of a host share: its places and its outgoing bitrate. Pure decisions; the registry knows who streams, and
//! carries them out. The rules are explained in docs/sessions.md.
mod budget;
mod places;
mod shares;

pub(super) use budget::Budget;
pub(super) use places::Places;
pub use places::Refusal;
pub(super) use shares::limits;
