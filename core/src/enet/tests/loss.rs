//! How long messages take when datagrams are lost, in virtual time, beside the other ENet as a host.
use super::network::*;
use crate::enet::{Event, round_trip::RoundTrip};
use rusty_enet::{EventNoRef, Packet};
use std::time::Duration;

const MESSAGES: u32 = 4000;
/// One each frame at 60 Hz.
const EVERY_MS: u32 = 16;

/// Each run loses other datagrams.
const SEEDS: [u64; 5] = [
    0x9E37_79B9,
    0x1234_5677,
    0xDEAD_BEEF,
    0x0BAD_CAFE,
    0x5EED_5EED,
];

/// All runs together.
fn all_latencies(ours: bool, round_trip_ms: u64) -> (Vec<u32>, usize) {
    let runs: Vec<_> = SEEDS
        .iter()
        .map(|seed| latencies(ours, round_trip_ms, *seed))
        .collect();
    let datagrams = runs.iter().map(|run| run.1).sum();
    let mut all: Vec<u32> = runs.into_iter().flat_map(|run| run.0).collect();
    all.sort_unstable();
    (all, datagrams)
}

/// Milliseconds from the host's order to the client's ear, and the datagrams that it took.
fn latencies(ours: bool, round_trip_ms: u64, seed: u64) -> (Vec<u32>, usize) {
    let network = Network::new(round_trip_ms, 5, seed);
    let (mut server, mut rival) = (Server::new(), Rival::new(&network));
    server.host.expect(7);
    let mut client = Client::new(&network, 2);
    client.connect(7);
    let mut peer = None;
    let (mut sent, mut heard, mut taken) = (Vec::new(), 0, Vec::new());
    for ms in 0.. {
        network.borrow_mut().advance(Duration::from_millis(1));
        let now = network.borrow().now();
        if ours {
            server.step(&network);
            while let Some(event) = server.events.pop_front() {
                if let Event::Connected { peer: id, .. } = event {
                    peer = Some(usize::from(id.0));
                    server.host.forget(7);
                }
            }
        } else {
            while let Some(event) = rival.host.service() {
                if let EventNoRef::Connect { peer: id, .. } = event {
                    peer = Some(id.0);
                }
            }
        }
        client.step();
        if client.heard.front() == Some(&Heard::Connected) {
            client.heard.pop_front();
        }
        while let Some(event) = client.heard.pop_front() {
            let Heard::Message(0, payload) = event else {
                panic!("{event:?}");
            };
            let number = u32::from_be_bytes(payload[..4].try_into().unwrap());
            assert_eq!(number, heard, "in order");
            heard += 1;
            let took: Duration = now - sent[number as usize];
            taken.push(u32::try_from(took.as_millis()).unwrap());
        }
        if heard == MESSAGES {
            break;
        }
        assert!(ms < MESSAGES * EVERY_MS + 120_000, "the connection hangs");
        if ms % 100 == 0 {
            client.send_if_up(&Packet::reliable(&[0u8; 36][..]), peer.is_some());
        }
        let Some(peer) = peer else { continue };
        if ms % EVERY_MS == 0 && sent.len() < MESSAGES as usize {
            let mut payload = u32::try_from(sent.len()).unwrap().to_be_bytes().to_vec();
            payload.resize(38, 0);
            sent.push(now);
            if ours {
                let id = crate::enet::PeerId(u16::try_from(peer).unwrap());
                server.host.send(id, 0, &payload).unwrap();
                server.step(&network);
            } else {
                rival.host.send(peer, 0, &Packet::reliable(payload));
                rival.host.flush();
            }
        }
    }
    let datagrams = network.borrow().sent;
    (taken, datagrams)
}

fn at(sorted: &[u32], permille: usize) -> u32 {
    sorted[(sorted.len() - 1) * permille / 1000]
}

/// Prints the table of docs/performance.md: `cargo test -p punktfunk-core enet::tests::loss -- --nocapture`.
#[test]
fn under_five_percent_loss_messages_are_late_less_than_with_the_other_enet() {
    for round_trip_ms in [4, 20, 60] {
        let (mine, my_datagrams) = all_latencies(true, round_trip_ms);
        let (other, other_datagrams) = all_latencies(false, round_trip_ms);
        for (name, all, datagrams) in [
            ("own", &mine, my_datagrams),
            ("rusty_enet", &other, other_datagrams),
        ] {
            let mean = f64::from(all.iter().sum::<u32>()) / all.len() as f64;
            println!(
                "round trip {round_trip_ms:3} ms, 5 % loss, {name:10}: mean {mean:5.1} p50 {:4} p95 {:4} p99 {:4} p99.9 {:4} max {:5} ms, {datagrams} datagrams both ways",
                at(all, 500),
                at(all, 950),
                at(all, 990),
                at(all, 999),
                at(all, 1000),
            );
        }
        // At 5 % loss the 95th percentile is the border between a message that was lost and one that was not: noise.
        for permille in [500, 990, 999, 1000] {
            assert!(at(&mine, permille) <= at(&other, permille));
        }
        assert!(mine.iter().sum::<u32>() < other.iter().sum());
    }
}

#[test]
fn the_wait_before_a_repeat_is_at_most_that_of_moonlights_enet() {
    let mut round_trip = RoundTrip::default();
    let mut samples = 0x2545_F491u64;
    for _ in 0..1000 {
        samples ^= samples << 13;
        samples ^= samples >> 7;
        samples ^= samples << 17;
        round_trip.measured(Duration::from_millis(10 + samples % 50));
        let first = round_trip.wait(1);
        // Never more than two round trips, and none of them is longer than what was seen.
        assert!(first <= Duration::from_millis(2 * 60));
        // Linear, not doubling, and bounded.
        assert_eq!(round_trip.wait(3), first * 3);
        assert!(round_trip.wait(1000) <= Duration::from_secs(2));
    }
}
