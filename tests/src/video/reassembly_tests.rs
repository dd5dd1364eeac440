//! Reassembly against a packet generator that is written here, from the same description.

use super::{super::packet::parity_count, *};

const P: usize = 64;
const PAYLOAD: usize = P - 16;

/// A host's counters.
struct Generator {
    sequence: u16,
    frame: u32,
}

impl Generator {
    fn new() -> Self {
        Self {
            sequence: 0,
            frame: 0,
        }
    }

    /// All datagrams of a frame of `blocks` blocks, in sending order.
    fn frame(&mut self, access_unit: &[u8], percent: u8, blocks: usize) -> Vec<Vec<u8>> {
        self.frame += 1;
        let mut bytes = vec![1, 50, 0, 2, 0, 0, 0, 0];
        bytes.extend(access_unit);
        let last = bytes.len() % PAYLOAD;
        bytes[4] = if last == 0 { PAYLOAD as u8 } else { last as u8 };
        bytes.resize(bytes.len().next_multiple_of(PAYLOAD), 0);
        let slices: Vec<&[u8]> = bytes.chunks(PAYLOAD).collect();
        let per_block = slices.len().div_ceil(blocks);
        let groups: Vec<_> = slices.chunks(per_block).collect();
        let mut out = Vec::new();
        for (index, group) in groups.iter().enumerate() {
            let data = group.len();
            let parity = usize::from(parity_count(data as u16, percent));
            let mut shards: Vec<Vec<u8>> = group
                .iter()
                .enumerate()
                .map(|(at, slice)| {
                    let mut packet = vec![0; P + 16];
                    packet[17..19].copy_from_slice(&(self.sequence + at as u16).to_le_bytes());
                    packet[20..24].copy_from_slice(&self.frame.to_le_bytes());
                    packet[24] =
                        1 | if at == 0 { 4 } else { 0 } | if at + 1 == data { 2 } else { 0 };
                    packet[26] = 0x10;
                    packet[32..].copy_from_slice(slice);
                    packet
                })
                .collect();
            let mut repair = vec![vec![0; P + 16]; parity];
            if parity > 0 {
                fec_rs::ReedSolomon::new(data, parity)
                    .unwrap()
                    .encode_sep(&shards, &mut repair)
                    .unwrap();
            }
            shards.extend(repair);
            for (at, packet) in shards.iter_mut().enumerate() {
                packet[..8].fill(0);
                packet[0] = 0x90;
                packet[2..4].copy_from_slice(&self.sequence.to_be_bytes());
                packet[4..8].copy_from_slice(&(self.frame * 1500).to_be_bytes());
                packet[8..16].fill(0);
                packet[20..24].copy_from_slice(&self.frame.to_le_bytes());
                packet[27] = (((groups.len() - 1) << 6) | (index << 4)) as u8;
                let info = (data as u32) << 22 | (at as u32) << 12 | u32::from(percent) << 4;
                packet[28..32].copy_from_slice(&info.to_le_bytes());
                self.sequence += 1;
            }
            out.extend(shards);
        }
        out
    }
}

struct Outcome {
    frames: Vec<Frame>,
    lost: Vec<(u32, u32)>,
    reports: Vec<Vec<u8>>,
    statistics: Statistics,
    breaches: Vec<&'static str>,
}

fn receive(datagrams: Vec<Vec<u8>>) -> Outcome {
    let breaches = Breaches::default();
    let mut reassembly = Reassembly::new(false, breaches.clone());
    let mut outcome = Outcome {
        frames: Vec::new(),
        lost: Vec::new(),
        reports: Vec::new(),
        statistics: Statistics::default(),
        breaches: Vec::new(),
    };
    for datagram in datagrams {
        let Some(packet) = Packet::parse(datagram, P, &breaches) else {
            continue;
        };
        for event in reassembly.push(packet, Instant::now(), &mut outcome.statistics) {
            match event {
                Event::Frame(frame) => outcome.frames.push(frame),
                Event::Lost { first, last } => outcome.lost.push((first, last)),
                Event::FecStatus(report) => outcome.reports.push(report),
            }
        }
    }
    outcome.breaches = breaches.list().iter().map(|breach| breach.rule).collect();
    outcome
}

fn unit(length: usize, seed: u8) -> Vec<u8> {
    (0..length)
        .map(|at| (at as u8).wrapping_mul(31).wrapping_add(seed) | 1)
        .collect()
}

#[test]
fn frames_of_one_and_of_several_blocks_arrive_whole_and_without_breach() {
    let mut host = Generator::new();
    let units: Vec<Vec<u8>> = [1, 39, 40, 41, 500, 2000]
        .iter()
        .enumerate()
        .map(|(at, length)| unit(*length, at as u8))
        .collect();
    let datagrams: Vec<Vec<u8>> = units
        .iter()
        .enumerate()
        .flat_map(|(at, unit)| host.frame(unit, 200, if at == 5 { 3 } else { 1 }))
        .collect();
    let outcome = receive(datagrams);
    assert_eq!(outcome.breaches, [] as [&str; 0]);
    assert_eq!(
        outcome
            .frames
            .iter()
            .map(|frame| frame.access_unit.clone())
            .collect::<Vec<_>>(),
        units
    );
    assert_eq!(outcome.frames[5].blocks, 3);
    assert_eq!(outcome.frames[0].latency, 50);
    assert!(
        outcome.statistics.verified_blocks >= 4,
        "parity was checked"
    );
}

#[test]
fn what_the_parity_can_repair_is_repaired_and_the_rest_is_lost_with_its_frame_alone() {
    let mut host = Generator::new();
    let (first, second, third) = (
        host.frame(&unit(450, 1), 30, 1),
        host.frame(&unit(450, 2), 30, 1),
        host.frame(&unit(450, 3), 30, 1),
    );
    assert_eq!(first.len(), 10 + 3);
    let keep = |datagrams: &[Vec<u8>], lost: &[usize]| {
        datagrams
            .iter()
            .enumerate()
            .filter(|(at, _)| !lost.contains(at))
            .map(|(_, d)| d.clone())
            .collect::<Vec<_>>()
    };
    let outcome = receive(
        [
            keep(&first, &[0, 4, 9]),
            keep(&second, &[0, 1, 2, 9]),
            third,
        ]
        .concat(),
    );
    assert_eq!(
        outcome
            .frames
            .iter()
            .map(|frame| frame.index)
            .collect::<Vec<_>>(),
        [1, 3]
    );
    assert_eq!(outcome.frames[0].access_unit, unit(450, 1));
    assert_eq!(outcome.lost, [(2, 2)]);
    let statistics = &outcome.statistics;
    assert_eq!(
        (
            statistics.repaired_shards,
            statistics.unrepairable_blocks,
            statistics.unrepaired_though_repairable
        ),
        (3, 1, 0)
    );
    assert_eq!(outcome.reports.len(), 2);
    assert!(outcome.reports.iter().all(|report| report.len() == 21));
    assert_eq!(outcome.breaches, [] as [&str; 0]);
}

#[test]
fn a_frame_without_any_packet_is_reported_lost() {
    let mut host = Generator::new();
    let frames: Vec<_> = (0..4).map(|at| host.frame(&unit(100, at), 0, 1)).collect();
    let outcome = receive([frames[0].clone(), frames[3].clone()].concat());
    assert_eq!(outcome.lost, [(2, 3)]);
    assert_eq!(outcome.statistics.frames_lost, 2);
}

#[test]
fn wrong_parity_is_a_breach_even_when_nothing_is_lost() {
    let mut host = Generator::new();
    let mut datagrams = host.frame(&unit(300, 1), 50, 1);
    let last = datagrams.len() - 1;
    datagrams[last][40] ^= 1;
    assert_eq!(receive(datagrams).breaches, ["video-parity-wrong"]);
}

#[test]
fn a_repair_that_breaks_the_flag_rules_is_refused() {
    let mut host = Generator::new();
    let mut datagrams = host.frame(&unit(300, 1), 50, 1);
    // Parity that covers other flags than were sent: what a host does that sets SOF after encoding.
    for datagram in datagrams.iter_mut().skip(7) {
        datagram[24] ^= 4;
    }
    datagrams.remove(0);
    let outcome = receive(datagrams);
    assert!(outcome.frames.is_empty());
    assert_eq!(outcome.statistics.unrepaired_though_repairable, 1);
    assert!(outcome.breaches.contains(&"video-flags"));
}

#[test]
fn a_sequence_that_skips_between_frames_is_a_breach() {
    let mut host = Generator::new();
    let first = host.frame(&unit(100, 1), 100, 1);
    host.sequence += 1;
    let outcome = receive([first, host.frame(&unit(100, 2), 100, 1)].concat());
    assert_eq!(outcome.breaches, ["video-sequence-not-consecutive"]);
}
