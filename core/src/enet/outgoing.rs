//! What we sent, or are about to send, until it is acknowledged.
use super::{
    MAX_OUTGOING,
    framing::{Body, Command},
    round_trip::RoundTrip,
};
use std::{collections::VecDeque, time::Duration};

/// Commands on their way at one time; the others wait for an acknowledgement.
const MAX_IN_FLIGHT: usize = 64;

#[derive(Debug)]
struct Entry {
    channel: u8,
    sequence: u16,
    bytes: Vec<u8>,
    attempts: u32,
    /// When it was sent last.
    sent: Duration,
    /// When to send it again.
    due: Duration,
    /// It is the good-bye.
    farewell: bool,
}

/// The commands of one peer that want an acknowledgement, oldest first.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    entries: VecDeque<Entry>,
    /// Since when the peer has left everything unanswered.
    unanswered: Option<Duration>,
}

impl Outgoing {
    /// Queue a command. `false`: there is no room.
    pub(super) fn push(&mut self, command: &Command<'_>) -> bool {
        if self.entries.len() >= MAX_OUTGOING {
            return false;
        }
        let mut bytes = Vec::new();
        command.write(&mut bytes);
        self.entries.push_back(Entry {
            channel: command.channel,
            sequence: command.sequence,
            bytes,
            attempts: 0,
            sent: Duration::ZERO,
            due: Duration::ZERO,
            farewell: matches!(command.body, Body::Disconnect { .. }),
        });
        true
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.unanswered = None;
    }

    /// Append the next command that is to be sent now, if `room` bytes are enough for it.
    pub(super) fn write_due(
        &mut self,
        now: Duration,
        room: usize,
        round_trip: &RoundTrip,
        out: &mut Vec<u8>,
    ) -> bool {
        let next = self
            .entries
            .iter_mut()
            .take(MAX_IN_FLIGHT)
            .find(|entry| entry.attempts == 0 || now >= entry.due);
        let Some(entry) = next.filter(|entry| entry.bytes.len() <= room) else {
            return false;
        };
        if entry.attempts > 0 {
            self.unanswered.get_or_insert(entry.sent);
        }
        entry.attempts = entry.attempts.saturating_add(1);
        entry.sent = now;
        entry.due = now.saturating_add(round_trip.wait(entry.attempts));
        out.extend_from_slice(&entry.bytes);
        true
    }

    /// An acknowledgement. `Some(true)`: of the good-bye; `None`: of nothing that is on its way.
    pub(super) fn acknowledged(&mut self, channel: u8, sequence: u16) -> Option<bool> {
        self.unanswered = None;
        let at = self.entries.iter().position(|entry| {
            entry.attempts > 0 && (entry.channel, entry.sequence) == (channel, sequence)
        })?;
        self.entries.remove(at).map(|entry| entry.farewell)
    }

    /// Something sent at `sent` has arrived: what was sent before it and did not is lost, and goes again at once.
    pub(super) fn overtaken(&mut self, now: Duration, sent: Duration, round_trip: &RoundTrip) {
        for entry in self.entries.iter_mut().filter(|entry| entry.attempts > 0) {
            if entry.sent.saturating_add(round_trip.overtaking()) <= sent {
                entry.due = entry.due.min(now);
            }
        }
    }

    /// Send everything again that was sent before `before`.
    pub(super) fn repeat(&mut self, now: Duration, before: Duration) {
        for entry in self.entries.iter_mut().filter(|entry| entry.sent <= before) {
            entry.due = entry.due.min(now);
        }
    }

    pub(super) fn unanswered_since(&self) -> Option<Duration> {
        self.unanswered
    }

    /// When something is to be sent next.
    pub(super) fn deadline(&self) -> Option<Duration> {
        let due = |entry: &Entry| match entry.attempts {
            0 => Duration::ZERO,
            _ => entry.due,
        };
        self.entries.iter().take(MAX_IN_FLIGHT).map(due).min()
    }
}
