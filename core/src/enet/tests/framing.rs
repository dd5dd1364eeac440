//! What is a datagram, and what is not.
use super::network::datagram;
use crate::enet::{Event, Host, MAX_HELD, PeerId, framing::*};
use proptest::prelude::*;
use std::time::Duration;

fn whole(bytes: &[u8]) -> bool {
    Datagram::parse(bytes).is_some()
}

#[test]
fn broken_datagrams_are_refused_as_a_whole() {
    // A ping; a reliable message of three bytes; both in one datagram.
    assert!(whole(&[0x80, 0, 0, 1, 0x85, 0xFF, 0, 1]));
    assert!(whole(&[0x80, 0, 0, 1, 0x86, 0, 0, 1, 0, 3, 1, 2, 3]));
    assert!(whole(&[
        0, 0, 0x05, 0xFF, 0, 1, 0x06, 0, 0, 1, 0, 3, 1, 2, 3
    ]));
    // Cut off, longer than the datagram, compressed, unknown.
    assert!(!whole(&[0x80]));
    assert!(!whole(&[0x80, 0, 0, 1, 0x85, 0xFF, 0]));
    assert!(!whole(&[0x80, 0, 0, 1, 0x86, 0, 0, 1, 0xFF, 0xFF, 1, 2]));
    assert!(!whole(&[0xC0, 0, 0, 1, 0x85, 0xFF, 0, 1]));
    assert!(!whole(&[0x80, 0, 0, 1, 0x8D, 0xFF, 0, 1]));
    // More commands than any datagram has.
    let many = [&[0u8, 0][..], &[5, 0xFF, 0, 1].repeat(65)].concat();
    assert!(!whole(&many) && whole(&many[..many.len() - 4]));
}

#[test]
fn a_fragment_cannot_ask_for_much_memory() {
    let fragment = |total: u32, count: u32, number: u32, offset: u32| {
        let mut bytes = vec![0x80, 0, 0, 1, 0x88, 0, 0, 1, 0, 1, 0, 2];
        for field in [count, number, total, offset] {
            bytes.extend_from_slice(&field.to_be_bytes());
        }
        bytes.extend_from_slice(&[1, 2]);
        whole(&bytes)
    };
    assert!(fragment(4000, 5, 4, 3998));
    assert!(!fragment(5000, 5, 4, 0));
    assert!(!fragment(4000, 17, 4, 0));
    assert!(!fragment(4000, 5, 5, 0));
    assert!(!fragment(4000, 5, 4, 3999));
    assert!(!fragment(4000, 5, 4, u32::MAX));
}

/// From the second peer: fragment `number` of `count`, each as long as this one, of a message of `total` bytes.
fn fragment(
    channel: u8,
    start: u16,
    (count, number, total): (u32, u16, u32),
    payload: &[u8],
) -> Vec<u8> {
    let header = Header {
        peer: 1,
        session: 0,
        sent_time: Some(1),
    };
    let command = Command {
        acknowledge: true,
        channel,
        sequence: start.wrapping_add(number),
        body: Body::Fragment(Fragment {
            start,
            count,
            number: u32::from(number),
            total,
            offset: u32::from(number) * payload.len() as u32,
            payload,
        }),
    };
    datagram(header, &command)
}

fn payload() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 1..60)
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_judged_and_what_is_whole_survives_being_written_again(
        bytes in proptest::collection::vec(any::<u8>(), 0..200)
    ) {
        if let Some(datagram) = Datagram::parse(&bytes) {
            let mut again = Vec::new();
            datagram.header.write(&mut again);
            for command in datagram.commands() {
                command.write(&mut again);
            }
            let twice = Datagram::parse(&again).unwrap();
            prop_assert_eq!(twice.header, datagram.header);
            prop_assert!(twice.commands().eq(datagram.commands()));
        }
    }

    #[test]
    fn no_stranger_is_answered_whatever_it_sends(mut bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut host = Host::new();
        host.expect(0x1234_5678);
        if let [first, second, ..] = bytes.as_mut_slice() {
            *first |= 0x0F;
            *second = 0xFF;
        }
        host.receive(Duration::ZERO, &1u8, &bytes, &mut |_, _| true);
        prop_assert_eq!(host.transmit(Duration::ZERO, &mut Vec::new()), None);
        prop_assert_eq!(host.deadline(), None);
    }

    /// Whatever a connected peer sends, the host stays within its bounds and answers within them.
    #[test]
    fn a_hostile_peer_costs_bounded_memory(
        commands in proptest::collection::vec((0u8..13, any::<bool>(), 0u8..50, 0u16..600, payload(), any::<[u8; 16]>()), 1..200)
    ) {
        let mut host = Host::new();
        host.expect(7);
        let now = Duration::from_secs(1);
        host.receive(now, &1u8, &super::connection::connect_datagram(7, 1), &mut |_, _| false);
        host.transmit(now, &mut Vec::new());
        for (kind, acknowledge, channel, sequence, payload, tail) in &commands {
            let mut bytes = vec![0x80, 0, 0, 1, kind | if *acknowledge { 0x80 } else { 0 }, *channel];
            bytes.extend_from_slice(&sequence.to_be_bytes());
            let len = u16::try_from(payload.len()).unwrap().to_be_bytes();
            match kind {
                6 => bytes.extend_from_slice(&len),
                7 | 9 => bytes.extend_from_slice(&[tail[0] & 3, tail[1], len[0], len[1]]),
                8 | 12 => {
                    bytes.extend_from_slice(&[0, tail[0], len[0], len[1], 0, 0, 0, tail[1] & 15, 0, 0, 0, tail[2] & 7]);
                    bytes.extend_from_slice(&[0, 0, tail[3] & 15, tail[4], 0, 0, tail[5] & 3, tail[6]]);
                }
                _ => bytes.extend_from_slice(tail),
            }
            bytes.extend_from_slice(payload);
            host.receive(now, &1u8, &bytes, &mut |_, _| false);
        }
        // The worst that a peer can do: a message that is too long, and beginnings of others, all behind a gap.
        host.expect(8);
        host.receive(now, &2u8, &super::connection::connect_datagram(8, 2), &mut |_, _| false);
        host.transmit(now, &mut Vec::new());
        for part in 0..2 {
            host.receive(now, &2u8, &fragment(40, 1, (2, part, 5000), &[2; 2500]), &mut |_, _| false);
        }
        for (channel, start) in (0..48u8).flat_map(|channel| (3..20u16).map(move |start| (channel, start))) {
            host.receive(now, &2u8, &fragment(channel, start, (2, 0, 4096), &[1; 9]), &mut |_, _| false);
        }
        let kept = host.kept(PeerId(1));
        prop_assert!(kept > MAX_HELD / 2 && kept <= MAX_HELD, "{kept} bytes");
        let mut events = 0;
        while let Some(event) = host.poll_event() {
            events += 1;
            if let Event::Received { peer, payload, .. } = event {
                prop_assert_eq!(peer, PeerId(0));
                prop_assert!(payload.len() <= 4096);
            }
        }
        prop_assert!(events <= commands.len() * 2 + 1);
        let mut out = Vec::new();
        while host.transmit(now, &mut out).is_some() {
            prop_assert!(out.len() <= 900);
        }
    }
}
