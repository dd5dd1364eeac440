//! How connections begin and end.
use super::network::*;
use crate::enet::{Event, Host, MAX_PEERS, MTU, PeerId, SendError, framing::*};
use rusty_enet::Packet;
use std::time::Duration;

fn never(_: PeerId, _: &[u8]) -> bool {
    false
}

pub(super) fn connect_datagram(data: u32, connect_id: u32) -> Vec<u8> {
    let header = Header {
        peer: NO_PEER,
        session: 3,
        sent_time: Some(0),
    };
    let body = Body::Connect(Connect {
        peer: 0,
        incoming_session: 0xFF,
        outgoing_session: 0xFF,
        mtu: 900,
        window: 65_536,
        channels: 48,
        connect_id,
        data,
        ..Connect::default()
    });
    let command = Command {
        acknowledge: true,
        channel: CONNECTION,
        sequence: 1,
        body,
    };
    datagram(header, &command)
}

#[test]
fn an_unmodified_peer_gets_its_48_channels_and_every_kind_of_message_arrives() {
    let network = Network::new(10, 0, 1);
    let (mut server, mut client, peer) = connected(&network);
    let long: Vec<u8> = (0..3000u32).map(|n| n.to_le_bytes()[0]).collect();
    client.send(0, &Packet::reliable(&b"reliable"[..]));
    client.send(0x2F, &Packet::unreliable(&b"unreliable"[..]));
    client.send(1, &Packet::unreliable_unsequenced(&b"unsequenced"[..]));
    client.send(2, &Packet::reliable(long.clone()));
    client.send(2, &Packet::reliable(&b"after it"[..]));
    client.send(
        3,
        &Packet::new(
            long.clone(),
            rusty_enet::PacketKind::Unreliable { sequenced: true },
        ),
    );
    assert!(run(
        &network,
        &mut server,
        &mut client,
        1000,
        |server, _| { messages(server).len() >= 6 }
    ));
    let heard = messages(&server);
    for expected in [
        (0, b"reliable".to_vec()),
        (1, b"unsequenced".to_vec()),
        (3, long.clone()),
        (0x2F, b"unreliable".to_vec()),
    ] {
        assert!(heard.contains(&expected), "channel {}", expected.0);
    }
    let mut second = heard.into_iter().filter(|(channel, _)| *channel == 2);
    assert!(second.next().is_some_and(|(_, payload)| payload == long));
    assert_eq!(second.next(), Some((2, b"after it".to_vec())));
    server.host.send(peer, 0, b"to the client").unwrap();
    server.host.send(peer, 0x2F, b"there too").unwrap();
    assert!(run(
        &network,
        &mut server,
        &mut client,
        1000,
        |_, client| { client.heard.len() == 2 }
    ));
    assert!(
        client
            .heard
            .contains(&Heard::Message(0, b"to the client".to_vec()))
    );
    assert!(
        client
            .heard
            .contains(&Heard::Message(0x2F, b"there too".to_vec()))
    );
}

#[test]
fn strangers_get_no_answer_and_make_no_state() {
    let mut host = Host::new();
    host.expect(7);
    let mut out = Vec::new();
    for data in (0..500).filter(|data| *data != 7) {
        host.receive(
            Duration::ZERO,
            &At(9),
            &connect_datagram(data, data),
            &mut never,
        );
    }
    // Anything behind the CONNECT makes it none.
    let mut longer = connect_datagram(7, 1);
    longer.extend_from_slice(&[0x85, 0xFF, 0, 2]);
    host.receive(Duration::ZERO, &At(9), &longer, &mut never);
    assert_eq!(host.transmit(Duration::ZERO, &mut out), None);
    assert_eq!(host.deadline(), None);
    host.receive(Duration::ZERO, &At(9), &connect_datagram(7, 1), &mut never);
    assert_eq!(host.transmit(Duration::ZERO, &mut out), Some(At(9)));
    // No more goes out than came in.
    assert!(out.len() <= connect_datagram(7, 1).len());
}

#[test]
fn one_streams_connect_data_makes_few_connections_whoever_sends_it() {
    let mut host = Host::new();
    host.expect(7);
    let mut out = Vec::new();
    for port in 0..1000 {
        host.receive(
            Duration::ZERO,
            &At(port),
            &connect_datagram(7, u32::from(port)),
            &mut never,
        );
    }
    let mut answers = 0;
    while host.transmit(Duration::ZERO, &mut out).is_some() {
        answers += 1;
    }
    assert_eq!(answers, 8);
    // When one of them has been chosen, the others are gone.
    host.forget(7);
    assert_eq!(host.deadline(), None);
}

#[test]
fn half_open_connections_end_by_themselves() {
    let mut host = Host::new();
    for data in 0..200 {
        host.expect(data);
        host.receive(
            Duration::ZERO,
            &At(9),
            &connect_datagram(data, data),
            &mut never,
        );
    }
    let mut out = Vec::new();
    let mut answers = 0;
    while host.transmit(Duration::ZERO, &mut out).is_some() {
        answers += 1;
    }
    assert_eq!(answers, MAX_PEERS);
    host.tick(Duration::from_secs(10));
    assert_eq!(host.deadline(), None);
    assert_eq!(host.poll_event(), None);
}

#[test]
fn a_lost_answer_to_a_connect_comes_again_when_the_client_asks_again() {
    let mut host = Host::new();
    host.expect(7);
    let mut out = Vec::new();
    let at = Duration::from_millis;
    host.receive(at(0), &At(9), &connect_datagram(7, 1), &mut never);
    assert!(host.transmit(at(0), &mut out).is_some());
    // At once it would only be an amplifier.
    host.receive(at(1), &At(9), &connect_datagram(7, 1), &mut never);
    assert!(host.transmit(at(1), &mut out).is_none());
    host.receive(at(150), &At(9), &connect_datagram(7, 1), &mut never);
    assert!(host.transmit(at(150), &mut out).is_some());
}

#[test]
fn a_clients_good_bye_is_acknowledged_even_if_the_first_answer_is_lost() {
    let network = Network::new(10, 0, 1);
    let (mut server, mut client, peer) = connected(&network);
    client.leave();
    assert!(
        run(&network, &mut server, &mut client, 5, |server, _| {
            !server.events.is_empty()
        }) || {
            client.step();
            run(&network, &mut server, &mut client, 10, |server, _| {
                !server.events.is_empty()
            })
        }
    );
    assert_eq!(
        server.events.pop_front(),
        Some(Event::Disconnected { peer })
    );
    // The answer is on its way; let it be lost with everything else.
    while network.borrow_mut().receive(client.address.get()).is_some() {}
    let address = client.address.get();
    network.borrow_mut().advance(Duration::from_millis(6));
    while network.borrow_mut().receive(address).is_some() {}
    assert_eq!(client.heard.pop_front(), None);
    assert!(run(
        &network,
        &mut server,
        &mut client,
        2000,
        |_, client| { !client.heard.is_empty() }
    ));
    assert_eq!(client.heard.pop_front(), Some(Heard::Disconnected));
    assert!(server.events.is_empty(), "the end is reported once");
    // And the place is free again.
    run(&network, &mut server, &mut client, 4000, |_, _| false);
    assert_eq!(server.host.deadline(), None);
}

#[test]
fn what_was_said_before_a_disconnect_arrives_before_it() {
    for seed in 1..40 {
        let network = Network::new(20, 0, seed);
        let (mut server, mut client, peer) = connected(&network);
        network.borrow_mut().lose(20);
        server.host.send(peer, 0, b"termination").unwrap();
        server.host.disconnect(peer);
        assert_eq!(server.host.send(peer, 0, b"late"), Err(SendError::Gone));
        // (The client's own last acknowledgement may be lost; the caller waits for it as long as it likes.)
        assert!(run(
            &network,
            &mut server,
            &mut client,
            2000,
            |_, client| { client.heard.len() >= 2 }
        ));
        assert_eq!(
            client.heard.make_contiguous(),
            [
                Heard::Message(0, b"termination".to_vec()),
                Heard::Disconnected
            ]
        );
    }
}

#[test]
fn a_peer_that_answers_nothing_for_ten_seconds_is_gone() {
    let network = Network::new(10, 0, 1);
    let (mut server, mut client, peer) = connected(&network);
    network.borrow_mut().lose(100);
    let ended = |server: &Server, _: &Client| !server.events.is_empty();
    assert!(!run(&network, &mut server, &mut client, 10_000, ended));
    assert!(run(&network, &mut server, &mut client, 1500, ended));
    assert_eq!(server.events.pop_front(), Some(Event::Lost { peer }));
    assert_eq!(server.host.deadline(), None);
}

#[test]
fn silence_of_five_seconds_is_survived() {
    let network = Network::new(10, 0, 1);
    let (mut server, mut client, peer) = connected(&network);
    network.borrow_mut().lose(100);
    run(&network, &mut server, &mut client, 5000, |_, _| false);
    network.borrow_mut().lose(0);
    run(&network, &mut server, &mut client, 5000, |_, _| false);
    server.host.send(peer, 0, b"still here").unwrap();
    assert!(run(
        &network,
        &mut server,
        &mut client,
        1000,
        |_, client| { !client.heard.is_empty() }
    ));
    assert!(server.events.is_empty());
}

#[test]
fn a_client_that_acknowledges_nothing_fills_a_queue_and_no_more() {
    let network = Network::new(10, 0, 1);
    let (mut server, _client, peer) = connected(&network);
    let taken = (0..10_000)
        .take_while(|_| server.host.send(peer, 0, &[1; 100]).is_ok())
        .count();
    assert_eq!(taken, 256);
    assert_eq!(server.host.send(peer, 0, &[1; 100]), Err(SendError::Full));
    assert_eq!(server.host.backlog(peer), 256);
    assert_eq!(
        server.host.send(peer, 0, &vec![1; MTU]),
        Err(SendError::TooLong)
    );
}
