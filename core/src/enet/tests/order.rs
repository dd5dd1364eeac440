//! The order of messages within a channel.
use super::network::*;
use crate::enet::{
    assembly::Assembly,
    channel::{Channel, Held, Verdict},
    framing::Fragment,
    unsequenced::Unsequenced,
};
use rusty_enet::Packet;

fn take(channel: &mut Channel, held: &mut Held, sequence: u16) -> (Verdict, Vec<Vec<u8>>) {
    let mut out = Vec::new();
    let verdict = channel.reliable(sequence, &sequence.to_be_bytes(), held, &mut out);
    (verdict, out)
}

#[test]
fn reliable_messages_come_out_once_and_in_order_through_the_wrap_of_their_numbers() {
    let (mut channel, mut held) = (Channel::default(), Held::default());
    let mut next = 1u16;
    for _ in 0..40_000 {
        // Always the second before the first.
        let (verdict, out) = take(&mut channel, &mut held, next.wrapping_add(1));
        assert_eq!((verdict, out.len()), (Verdict::Taken, 0));
        let (_, out) = take(&mut channel, &mut held, next);
        assert_eq!(
            out,
            [
                next.to_be_bytes().to_vec(),
                next.wrapping_add(1).to_be_bytes().to_vec()
            ]
        );
        // A repeat is acknowledged and not passed on.
        assert_eq!(
            take(&mut channel, &mut held, next),
            (Verdict::Taken, vec![])
        );
        next = next.wrapping_add(2);
    }
}

#[test]
fn what_is_too_far_ahead_or_too_much_is_left_to_be_sent_again() {
    let (mut channel, mut held) = (Channel::default(), Held::default());
    assert_eq!(take(&mut channel, &mut held, 513).0, Verdict::Refused);
    let big = vec![0; 4000];
    let mut out = Vec::new();
    let taken = (2..500)
        .filter(|n| channel.reliable(*n, &big, &mut held, &mut out) == Verdict::Taken)
        .count();
    assert_eq!(taken, (128 << 10) / 4064);
    assert!(out.is_empty());
    // The gap closes, and there is room again.
    assert_eq!(take(&mut channel, &mut held, 1).1.len(), taken + 1);
    let next = u16::try_from(taken).unwrap() + 2;
    assert_eq!(take(&mut channel, &mut held, next + 1).0, Verdict::Taken);
    assert_eq!(take(&mut channel, &mut held, next).1.len(), 2);
}

#[test]
fn an_unreliable_message_is_never_older_than_the_one_before_it() {
    let (mut channel, mut held) = (Channel::default(), Held::default());
    let mut say = |channel: &mut Channel, after, number: u16| {
        let mut out = Vec::new();
        channel.unreliable(after, number, &number.to_be_bytes(), &mut held, &mut out);
        out.len()
    };
    assert_eq!(say(&mut channel, 0, 1), 1);
    assert_eq!(say(&mut channel, 0, 3), 1);
    assert_eq!(say(&mut channel, 0, 2), 0);
    assert_eq!(say(&mut channel, 0, 3), 0);
    // A long stretch without a reliable message: the numbers wrap, and go on.
    for number in 4..=u16::MAX {
        assert_eq!(say(&mut channel, 0, number), 1);
    }
    assert_eq!(say(&mut channel, 0, 0), 1);
    assert_eq!(say(&mut channel, 0, 1), 1);
}

#[test]
fn an_unreliable_message_waits_for_the_reliable_one_before_it() {
    let (mut channel, mut held) = (Channel::default(), Held::default());
    let mut out = Vec::new();
    channel.unreliable(2, 1, b"c", &mut held, &mut out);
    channel.unreliable(1, 1, b"b", &mut held, &mut out);
    channel.reliable(2, b"2", &mut held, &mut out);
    assert!(out.is_empty());
    channel.reliable(1, b"1", &mut held, &mut out);
    assert_eq!(out, [&b"1"[..], b"b", b"2", b"c"]);
}

#[test]
fn fragments_make_a_message_in_any_order_and_contradictions_do_not() {
    let text: Vec<u8> = (0..2500u32).map(|n| n.to_be_bytes()[3]).collect();
    let part = |number: u32| {
        let offset = number as usize * 800;
        Fragment {
            start: 1,
            count: 4,
            number,
            total: 2500,
            offset: number * 800,
            payload: &text[offset..text.len().min(offset + 800)],
        }
    };
    let (mut channel, mut held) = (Channel::default(), Held::default());
    let mut out = Vec::new();
    let mut give = |channel: &mut Channel, fragment: Fragment<'_>| {
        let sequence = 1 + u16::try_from(fragment.number).unwrap();
        channel.fragment(sequence, &fragment, &mut held, &mut out);
        out.len()
    };
    assert_eq!(give(&mut channel, part(3)), 0);
    assert_eq!(give(&mut channel, part(1)), 0);
    let lie = Fragment {
        total: 2501,
        ..part(0)
    };
    assert_eq!(give(&mut channel, lie), 0);
    assert_eq!(give(&mut channel, part(2)), 0);
    assert_eq!(give(&mut channel, part(1)), 0);
    assert_eq!(give(&mut channel, part(0)), 1);
    assert!(out == [&text[..]]);
    // It took four numbers.
    let (_, next) = take(&mut channel, &mut Held::default(), 5);
    assert_eq!(next.len(), 1);
    assert!(!Assembly::new(&part(0)).is_whole());
}

#[test]
fn an_unsequenced_message_counts_once() {
    let mut seen = Unsequenced::default();
    assert!(seen.accept(65_530));
    assert!(!seen.accept(65_530));
    assert!(seen.accept(4));
    assert!(seen.accept(65_535));
    assert!(!seen.accept(65_535));
    assert!(seen.accept(4 + 1023));
    assert!(seen.accept(5));
    assert!(!seen.accept(65_535), "too old to tell");
}

#[test]
fn everything_reliable_arrives_in_order_under_heavy_loss() {
    let network = Network::new(20, 0, 99);
    let (mut server, mut client, peer) = connected(&network);
    network.borrow_mut().lose(30);
    for n in 0..200u32 {
        client.send(2, &Packet::reliable(&n.to_be_bytes()[..]));
        while server.host.send(peer, 3, &n.to_be_bytes()).is_err() {
            run(&network, &mut server, &mut client, 1, |_, _| false);
        }
        run(&network, &mut server, &mut client, 3, |_, _| false);
    }
    assert!(run(
        &network,
        &mut server,
        &mut client,
        60_000,
        |server, client| { messages(server).len() >= 200 && client.heard.len() >= 200 }
    ));
    let expected: Vec<Vec<u8>> = (0..200u32).map(|n| n.to_be_bytes().to_vec()).collect();
    let to_host: Vec<Vec<u8>> = messages(&server).into_iter().map(|one| one.1).collect();
    let to_client = client.heard.iter().map(|heard| match heard {
        Heard::Message(3, payload) => payload.clone(),
        other => panic!("{other:?}"),
    });
    assert_eq!(to_host, expected);
    assert_eq!(to_client.collect::<Vec<_>>(), expected);
}
