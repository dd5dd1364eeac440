//! What is known of a running gamescope, mostly from its log, as its keeper tells it.

use serde::{Deserialize, Serialize};

/// One line of JSON on the keeper's socket; the newest of a kind counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fact {
    /// gamescope was started, with this process id.
    Process(i32),
    /// The name of its Wayland display, which is also the stem of its socket for emulated input.
    Display(String),
    /// Its pictures are at this node of the user's PipeWire.
    Node(u32),
    /// It has no PipeWire to offer pictures on.
    NoCapture,
    /// It is over; the text is for a person.
    Ended(String),
}

impl Fact {
    /// What a line of gamescope's log says, if anything. The programs inside write into the same log, so that nothing in
    /// it is more than a hint: a display is a plain name, and whatever node is named has to be the user's own anyway.
    pub fn of_line(line: &str) -> Option<Self> {
        let line = without_colours(line);
        if let Some((_, number)) = line.split_once("stream available on node ID: ") {
            let number = number.trim().parse().ok()?;
            // PipeWire's "no such thing yet"
            return (number != u32::MAX).then_some(Self::Node(number));
        }
        if let Some((_, rest)) = line.split_once("Running compositor on wayland display '") {
            let (name, _) = rest.split_once('\'')?;
            return plain(name).then(|| Self::Display(name.to_owned()));
        }
        line.contains("failed to setup PipeWire")
            .then_some(Self::NoCapture)
    }

    /// Whether the other says the same kind of thing.
    pub fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

fn plain(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// The line without the terminal's colour codes (`ESC [ … m`).
pub fn without_colours(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut pieces = line.split('\x1b');
    plain.extend(pieces.next());
    for piece in pieces {
        let code = piece
            .strip_prefix('[')
            .and_then(|code| code.split_once('m'));
        plain.push_str(code.map_or(piece, |(_, rest)| rest));
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_tells_node_and_display() {
        let told = |line: &str| Fact::of_line(line);
        assert_eq!(
            told(
                "[gamescope] [\x1b[0;34mInfo\x1b[0m]  \x1b[0;37mpipewire:\x1b[0m stream available on node ID: 83"
            ),
            Some(Fact::Node(83))
        );
        assert_eq!(
            told("pipewire: stream available on node ID: 41\r"),
            Some(Fact::Node(41))
        );
        assert_eq!(
            told(
                "[gamescope] [Info]  wlserver: Running compositor on wayland display 'gamescope-0'"
            ),
            Some(Fact::Display("gamescope-0".into()))
        );
        assert_eq!(
            told("Warning: failed to setup PipeWire, screen capture won't be available"),
            Some(Fact::NoCapture)
        );
    }

    #[test]
    fn what_a_game_writes_into_the_log_names_no_other_place() {
        for line in [
            "stream available on node ID: 4294967295",
            "stream available on node ID: -1",
            "stream available on node ID: 99999999999999",
            "Running compositor on wayland display '../../tmp/x'",
            "Running compositor on wayland display ''",
            "Running compositor on wayland display 'x",
            "\x1b[",
            "\x1b",
            "",
        ] {
            assert_eq!(Fact::of_line(line), None, "{line:?}");
        }
    }

    #[test]
    fn colours_are_taken_off_and_nothing_else() {
        assert_eq!(without_colours("a\x1b[0;31mb\x1b[0mc"), "abc");
        assert_eq!(without_colours("a\x1bb\x1b[12"), "ab[12");
    }
}
