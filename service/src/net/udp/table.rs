//! Which stream a ping belongs to. No sockets, no clock of its own.
use crate::ids::StreamId;
use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

/// A destination moves at most this often, so that two senders of one payload cannot make sockets without end.
const MOVE_INTERVAL: Duration = Duration::from_millis(250);
const PAYLOAD: usize = 16;
const LEGACY: &[u8] = b"PING";

/// Which socket a ping came in on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plane {
    Video,
    Audio,
}

/// What identifies the pings of one plane of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    pub plane: Plane,
    pub payload: [u8; PAYLOAD],
    /// Where the client launched from: all that a legacy ping can be told by.
    pub peer: IpAddr,
}

struct Entry<T> {
    stream: StreamId,
    waiting: Waiting,
    destination: Option<SocketAddr>,
    moved: Option<Instant>,
    target: T,
}

/// The streams whose pings are known. Their number is small: a list does.
pub(super) struct Table<T>(Vec<Entry<T>>);

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Clone> Table<T> {
    pub(super) fn insert(&mut self, stream: StreamId, waiting: Waiting, target: T) {
        self.0.push(Entry {
            stream,
            waiting,
            destination: None,
            moved: None,
            target,
        });
    }

    pub(super) fn remove(&mut self, stream: StreamId) {
        self.0.retain(|entry| entry.stream != stream);
    }

    /// The destination could not be used: treat the next ping as the first.
    pub(super) fn lost(&mut self, plane: Plane, stream: StreamId) {
        let found = self
            .0
            .iter_mut()
            .find(|e| e.stream == stream && e.waiting.plane == plane);
        if let Some(entry) = found {
            entry.destination = None;
        }
    }

    /// The stream that gets a new destination by this ping: a 16-byte payload and a counter, or the legacy word,
    /// which counts only if exactly one stream from that address waits. `source` is canonical.
    pub(super) fn ping(
        &mut self,
        plane: Plane,
        source: SocketAddr,
        bytes: &[u8],
        now: Instant,
    ) -> Option<(StreamId, T)> {
        let entry = match bytes.split_first_chunk::<PAYLOAD>() {
            Some((payload, counter)) if counter.len() == 4 => self
                .0
                .iter_mut()
                .find(|e| e.waiting.plane == plane && e.waiting.payload == *payload)?,
            _ if bytes == LEGACY => {
                let mut waiting = self.0.iter_mut().filter(|e| {
                    e.waiting.plane == plane
                        && e.destination.is_none()
                        && e.waiting.peer.to_canonical() == source.ip()
                });
                let first = waiting.next()?;
                if waiting.next().is_some() {
                    return None;
                }
                first
            }
            _ => return None,
        };
        let settled = entry
            .moved
            .is_some_and(|moved| now.duration_since(moved) < MOVE_INTERVAL);
        if entry.destination == Some(source) || (settled && entry.destination.is_some()) {
            return None;
        }
        entry.destination = Some(source);
        entry.moved = Some(now);
        Some((entry.stream, entry.target.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(streams: &[(u64, u8, &str)]) -> Table<()> {
        let mut table = Table::default();
        for (id, letter, peer) in streams {
            let waiting = Waiting {
                plane: Plane::Video,
                payload: [*letter; 16],
                peer: peer.parse().unwrap(),
            };
            table.insert(StreamId(*id), waiting, ());
        }
        table
    }

    fn ping(letter: u8, counter: u32) -> Vec<u8> {
        [&[letter; 16][..], &counter.to_be_bytes()].concat()
    }

    fn from(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn two_streams_of_one_address_are_told_apart_by_their_payload() {
        let mut table = table(&[(1, b'a', "10.0.0.1"), (2, b'b', "10.0.0.1")]);
        let now = Instant::now();
        let hit = table.ping(Plane::Video, from("10.0.0.1:50000"), &ping(b'b', 1), now);
        assert_eq!(hit.unwrap().0, StreamId(2));
        let hit = table.ping(Plane::Video, from("10.0.0.1:50001"), &ping(b'a', 1), now);
        assert_eq!(hit.unwrap().0, StreamId(1));
        assert!(
            table
                .ping(Plane::Audio, from("10.0.0.1:50001"), &ping(b'a', 1), now)
                .is_none()
        );
    }

    #[test]
    fn a_client_is_followed_to_its_new_port_but_not_at_any_rate() {
        let mut table = table(&[(1, b'a', "10.0.0.1")]);
        let start = Instant::now();
        let mut at = |ms: u64, source: &str| {
            let now = start.checked_add(Duration::from_millis(ms)).unwrap();
            table
                .ping(Plane::Video, from(source), &ping(b'a', 1), now)
                .is_some()
        };
        assert!(at(0, "10.0.0.1:1000"));
        assert!(!at(500, "10.0.0.1:1000"));
        assert!(at(600, "10.0.0.1:2000"));
        assert!(!at(700, "10.0.0.1:1000"));
        assert!(at(900, "192.168.0.9:1000"));
    }

    #[test]
    fn a_legacy_ping_counts_only_where_one_stream_waits() {
        let now = Instant::now();
        let mut one = table(&[(1, b'a', "::ffff:10.0.0.1"), (2, b'b', "10.0.0.2")]);
        let hit = one.ping(Plane::Video, from("10.0.0.1:9"), b"PING", now);
        assert_eq!(hit.unwrap().0, StreamId(1));
        // It has its destination now and follows no word that anyone can say.
        assert!(
            one.ping(Plane::Video, from("10.0.0.1:10"), b"PING", now)
                .is_none()
        );
        let mut two = table(&[(1, b'a', "10.0.0.1"), (2, b'b', "10.0.0.1")]);
        assert!(
            two.ping(Plane::Video, from("10.0.0.1:9"), b"PING", now)
                .is_none()
        );
    }

    #[test]
    fn other_bytes_are_nobodys_ping() {
        let mut table = table(&[(1, b'a', "10.0.0.1")]);
        for bytes in [
            &b""[..],
            b"PIN",
            b"PINGX",
            &[b'a'; 16],
            &[b'a'; 21],
            &[b'c'; 20],
        ] {
            assert!(
                table
                    .ping(Plane::Video, from("10.0.0.1:9"), bytes, Instant::now())
                    .is_none()
            );
        }
    }
}
