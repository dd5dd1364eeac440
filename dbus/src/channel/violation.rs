//! Stable codes for breaches of the channel's contract.

/// A breach; `code()` is stable and goes to the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    #[error("malformed message")] Malformed,
    // the owner adds: slot out of range, slot announced twice, wrong sequence, bad length, unknown flags, time runs backwards, rate, ...
}
impl Violation { pub fn code(self) -> &'static str { "PF-V01" } }
