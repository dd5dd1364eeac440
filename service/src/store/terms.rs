//! For how long and where a pairing is good, beyond what the client may do.
use serde::{Deserialize, Serialize};

/// The ordinary pairing: its owner's sessions, until it is forgotten.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Terms {
    /// May watch log-in screens as well, and log in there.
    pub greeter: bool,
    /// unix seconds; 0 = for good
    pub expires_at: u64,
    /// Forgotten when its first stream has ended.
    pub one_time: bool,
    /// That stream has begun.
    pub used: bool,
}

impl Terms {
    /// Whether the pairing is over at this time (unix seconds).
    #[must_use]
    pub fn expired(&self, now: u64) -> bool {
        self.expires_at != 0 && now >= self.expires_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pairing_without_a_date_never_expires() {
        assert!(!Terms::default().expired(u64::MAX));
        let terms = Terms {
            expires_at: 100,
            ..Terms::default()
        };
        assert!(!terms.expired(99) && terms.expired(100));
    }
}
