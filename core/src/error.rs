//! The one error type of the crate.

/// What can go wrong on the wire or with a request to it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No complete frame is ready; not a fault.
    #[error("no frame is ready")]
    NoFrame,
    /// A frame of zero bytes cannot be sent.
    #[error("an empty frame cannot be sent")]
    EmptyFrame,
    /// The frame does not fit the wire (four FEC blocks of 1023 packets) or the configured cap.
    #[error("frame of {len} bytes is larger than the {max} that can be sent")]
    FrameTooLarge { len: usize, max: usize },
    /// A configuration that cannot work; the text names the field and its range.
    #[error("bad configuration: {0}")]
    BadConfig(&'static str),
    /// Bytes from outside that break the format; the text names the rule.
    #[error("malformed {what}: {why}")]
    Malformed {
        what: &'static str,
        why: &'static str,
    },
    /// Authentication of a sealed message failed.
    #[error("{0} could not be opened: wrong key or altered bytes")]
    Unauthentic(&'static str),
    /// A sealed message whose sequence number was seen before, or is too old to tell.
    #[error("{0} was received before or is too old")]
    Replayed(&'static str),
    /// The operation is not for this role (a client cannot submit frames).
    #[error("only a {0} can do this")]
    WrongRole(&'static str),
    /// Too many shards are lost for the parity at hand.
    #[error("{missing} shards are missing and only {parity} parity shards are at hand")]
    Unrecoverable { missing: usize, parity: usize },
    /// The transport below failed.
    #[error("transport: {0}")]
    Transport(#[from] std::io::Error),
}

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;
