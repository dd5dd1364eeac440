//! How outputs are to be: what is put back when the last stream of this session ends, and what holds meanwhile.

use crate::source::Outputs;

/// The outputs that are lit, by name, first to last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layout(pub Vec<String>);

impl Layout {
    /// Without the outputs whose name begins so.
    pub fn without(mut self, prefix: &str) -> Self {
        self.0.retain(|name| !name.starts_with(prefix));
        self
    }
}

/// How the outputs are to be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Arrangement {
    pub lit: Vec<String>,
    pub dark: Vec<String>,
    /// The lit ones stand in this order; else where KWin has put them.
    pub ordered: bool,
}

impl Arrangement {
    /// For these streams' outputs, each with its policy, where `before` was lit without them. The strictest policy holds
    /// for all: who asked for it did so for the time of his stream.
    pub fn of(streams: &[(String, Outputs)], before: &Layout) -> Self {
        let policy = strictest(streams.iter().map(|(_, policy)| *policy));
        let strict = |(_, of): &&(String, Outputs)| *of == policy;
        let name = |(name, _): &(String, Outputs)| name.clone();
        let first = streams.iter().filter(strict).map(name);
        let rest = streams.iter().filter(|stream| !strict(stream)).map(name);
        let before = before.0.iter().cloned();
        match policy {
            Outputs::Extend => Self {
                lit: before.chain(first).collect(),
                dark: Vec::new(),
                // a new output is the last one anyway
                ordered: false,
            },
            Outputs::Primary => Self {
                lit: first.chain(before).chain(rest).collect(),
                dark: Vec::new(),
                ordered: true,
            },
            Outputs::Exclusive => Self {
                lit: first.chain(rest).collect(),
                dark: before.collect(),
                ordered: true,
            },
        }
    }
}

/// What holds for all of several streams.
pub fn strictest(policies: impl Iterator<Item = Outputs>) -> Outputs {
    policies.max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn the_strictest_policy_of_the_streams_that_are_left_holds() {
        let before = Layout(names(&["DP-1", "HDMI-A-1"]));
        let stream = |name: &str, policy| (name.to_owned(), policy);
        let (a, b) = (
            stream("V", Outputs::Exclusive),
            stream("V-2", Outputs::Exclusive),
        );
        let both = Arrangement::of(&[a.clone(), b.clone()], &before);
        assert_eq!(both.lit, names(&["V", "V-2"]));
        assert_eq!(both.dark, before.0);
        // the first one ends: the other's policy goes on
        let one = Arrangement::of(std::slice::from_ref(&b), &before);
        assert_eq!((one.lit, one.dark), (names(&["V-2"]), before.0.clone()));
        let primary = stream("V-3", Outputs::Primary);
        let extend = stream("V-4", Outputs::Extend);
        let mixed = Arrangement::of(&[extend.clone(), primary], &before);
        assert_eq!(mixed.lit, names(&["V-3", "DP-1", "HDMI-A-1", "V-4"]));
        assert!(mixed.ordered && mixed.dark.is_empty());
        // what the strict one darkened is lit again for one that is not
        let last = Arrangement::of(&[extend], &before);
        assert_eq!(last.lit, names(&["DP-1", "HDMI-A-1", "V-4"]));
        assert!(!last.ordered);
        assert_eq!(Arrangement::of(&[], &before).lit, before.0);
    }

    #[test]
    fn outputs_of_other_streams_are_nothing_to_put_back() {
        let layout = Layout(
            [
                "DP-1",
                "Virtual-punktfunk",
                "Virtual-punktfunk-2",
                "HDMI-A-1",
            ]
            .map(str::to_owned)
            .to_vec(),
        );
        assert_eq!(
            layout.without("Virtual-punktfunk").0,
            ["DP-1".to_owned(), "HDMI-A-1".to_owned()]
        );
    }
}
