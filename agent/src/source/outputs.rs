//! What becomes of the session's other outputs while one is streamed, and which one that is.

use super::SourceError;
use std::sync::{Arc, OnceLock};

/// The name of the monitor that a stream has begun with. A source that is opened again for it shows that one or none.
#[derive(Debug, Clone)]
pub struct Monitor(Option<Arc<OnceLock<String>>>);

impl Monitor {
    /// For a source that is opened once.
    pub const NONE: Self = Self(None);

    pub fn get(&self) -> Option<&str> {
        self.0.as_ref()?.get().map(String::as_str)
    }

    /// The stream begins with it, unless it has begun already.
    pub fn begin(&self, name: &str) {
        if let Some(begun) = &self.0 {
            begun.get_or_init(|| name.to_owned());
        }
    }
}

impl Default for Monitor {
    fn default() -> Self {
        Self(Some(Arc::default()))
    }
}

/// The policy, as the administrator chose it.
/// The later ones ask for more: of several streams the most that any asks for holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outputs {
    /// The stream's output is one more, beside the others.
    #[default]
    Extend,
    /// It is the first one while it is streamed: panels and new windows are there.
    Primary,
    /// It is the only one: the others are dark until the stream ends.
    Exclusive,
}

impl Outputs {
    /// The word of the configuration; None for one that means nothing.
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "extend" => Self::Extend,
            "primary" => Self::Primary,
            "exclusive" => Self::Exclusive,
            _ => return None,
        })
    }

    /// For a source that cannot arrange outputs.
    ///
    /// # Errors
    /// `Refused` unless the policy leaves the other outputs alone.
    pub fn only_extends(self, name: &'static str) -> Result<(), SourceError> {
        if self == Self::Extend {
            return Ok(());
        }
        Err(SourceError::Refused {
            name,
            why: "this compositor's other outputs cannot be arranged from here; set `outputs = \"extend\"` in \
                  /etc/punktfunk/punktfunk.toml, section [desktop] (KWin can do the others)"
                .to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_that_a_source_cannot_keep_is_refused_with_the_key_to_change() {
        assert!(Outputs::Extend.only_extends("portal").is_ok());
        for policy in ["primary", "exclusive"] {
            let policy = Outputs::parse(policy).unwrap();
            let text = policy.only_extends("portal").unwrap_err().to_string();
            assert!(
                text.contains("portal") && text.contains("outputs ="),
                "{text}"
            );
        }
        assert_eq!(Outputs::parse("only"), None);
    }
}
