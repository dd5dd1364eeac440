//! Which stream a ping belongs to. No sockets, no clock of its own.
use crate::ids::StreamId;
use std::{
    collections::VecDeque,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

/// A destination moves at most this often, so that two senders of one payload cannot make sockets without end.
const MOVE_INTERVAL: Duration = Duration::from_millis(250);
const PAYLOAD: usize = 16;
const LEGACY: &[u8] = b"PING";
/// Pings of nobody that are remembered, and for how long: clients begin to ping before their stream is there to be found.
const MAX_EARLY: usize = 64;
const EARLY: Duration = Duration::from_secs(20);

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

/// A ping that belongs to no stream yet.
struct Early {
    plane: Plane,
    payload: [u8; PAYLOAD],
    source: SocketAddr,
    local: IpAddr,
    at: Instant,
}

/// The streams whose pings are known, and pings that came too early. Their numbers are small: lists do.
pub(super) struct Table<T> {
    entries: Vec<Entry<T>>,
    early: VecDeque<Early>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            early: VecDeque::new(),
        }
    }
}

impl<T: Clone> Table<T> {
    /// Gives the source of a ping that came early, and the address that it was sent to: as if it came now.
    pub(super) fn insert(
        &mut self,
        stream: StreamId,
        waiting: Waiting,
        target: T,
        now: Instant,
    ) -> Option<(SocketAddr, IpAddr)> {
        let early = self
            .early
            .iter()
            .position(|e| e.plane == waiting.plane && e.payload == waiting.payload)
            .and_then(|at| self.early.remove(at))
            .filter(|early| now.saturating_duration_since(early.at) < EARLY);
        self.entries.push(Entry {
            stream,
            waiting,
            destination: early.as_ref().map(|early| early.source),
            moved: early.as_ref().map(|_| now),
            target,
        });
        early.map(|early| (early.source, early.local))
    }

    /// Remember a ping that no stream waits for, in the place of its forerunner or of the oldest.
    pub(super) fn remember(
        &mut self,
        plane: Plane,
        (source, local): (SocketAddr, IpAddr),
        bytes: &[u8],
        at: Instant,
    ) {
        let Some((payload, counter)) = bytes.split_first_chunk::<PAYLOAD>() else {
            return;
        };
        let known = |e: &Entry<T>| e.waiting.plane == plane && e.waiting.payload == *payload;
        if counter.len() != 4 || self.entries.iter().any(known) {
            return;
        }
        self.early
            .retain(|early| early.plane != plane || early.payload != *payload);
        if self.early.len() >= MAX_EARLY {
            self.early.pop_front();
        }
        self.early.push_back(Early {
            plane,
            payload: *payload,
            source,
            local,
            at,
        });
    }

    pub(super) fn remove(&mut self, stream: StreamId) {
        self.entries.retain(|entry| entry.stream != stream);
    }

    /// The destination could not be used: treat the next ping as the first.
    pub(super) fn lost(&mut self, plane: Plane, stream: StreamId) {
        let found = self
            .entries
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
                .entries
                .iter_mut()
                .find(|e| e.waiting.plane == plane && e.waiting.payload == *payload)?,
            _ if bytes == LEGACY => {
                let mut waiting = self.entries.iter_mut().filter(|e| {
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
            let now = Instant::now();
            assert_eq!(table.insert(StreamId(*id), waiting, (), now), None);
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

    fn waiting(plane: Plane, letter: u8) -> Waiting {
        Waiting {
            plane,
            payload: [letter; 16],
            peer: "10.0.0.1".parse().unwrap(),
        }
    }

    #[test]
    fn a_ping_that_comes_before_its_stream_counts_once_the_stream_is_there() {
        let mut table = Table::<()>::default();
        let now = Instant::now();
        let local: IpAddr = "10.0.0.9".parse().unwrap();
        let say = |table: &mut Table<()>, plane, source: &str, bytes: &[u8]| {
            let source = from(source);
            if table.ping(plane, source, bytes, now).is_none() {
                table.remember(plane, (source, local), bytes, now);
            }
        };
        say(&mut table, Plane::Audio, "10.0.0.1:7", &ping(b'a', 1));
        say(&mut table, Plane::Audio, "10.0.0.1:8", &ping(b'a', 2));
        say(&mut table, Plane::Audio, "10.0.0.1:9", b"PING");
        assert_eq!(table.early.len(), 1);
        let insert = |table: &mut Table<()>, plane, letter, now| {
            table.insert(StreamId(1), waiting(plane, letter), (), now)
        };
        assert_eq!(insert(&mut table, Plane::Video, b'a', now), None);
        assert_eq!(insert(&mut table, Plane::Audio, b'b', now), None);
        let found = insert(&mut table, Plane::Audio, b'a', now);
        assert_eq!(found, Some((from("10.0.0.1:8"), local)));
        // It has its destination: the same ping again is no news, and is not remembered.
        say(&mut table, Plane::Audio, "10.0.0.1:8", &ping(b'a', 3));
        assert!(table.early.is_empty());
        // What is old is forgotten.
        say(&mut table, Plane::Audio, "10.0.0.1:8", &ping(b'c', 1));
        let later = now.checked_add(EARLY).unwrap();
        assert_eq!(insert(&mut table, Plane::Audio, b'c', later), None);
    }

    #[test]
    fn a_flood_of_strange_pings_is_bounded() {
        let mut table = Table::<()>::default();
        for number in 0..10_000u32 {
            let mut bytes = [0; 20];
            bytes[..4].copy_from_slice(&number.to_be_bytes());
            let at = (from("10.0.0.1:7"), "10.0.0.9".parse().unwrap());
            table.remember(Plane::Video, at, &bytes, Instant::now());
        }
        assert_eq!(table.early.len(), MAX_EARLY);
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
