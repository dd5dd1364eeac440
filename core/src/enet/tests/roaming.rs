//! Peers that change their address, and others that would like to be taken for them.
use super::network::*;
use crate::enet::{Event, framing::*};
use rusty_enet::Packet;

fn told(session: u8, sequence: u16, body: Body<'_>) -> Vec<u8> {
    let header = Header {
        peer: 0,
        session,
        sent_time: Some(1),
    };
    let command = Command {
        acknowledge: true,
        channel: if matches!(body, Body::Reliable(_)) {
            0
        } else {
            CONNECTION
        },
        sequence,
        body,
    };
    datagram(header, &command)
}

#[test]
fn a_peer_that_proves_itself_from_a_new_address_keeps_its_connection() {
    let network = Network::new(10, 0, 1);
    let (mut server, mut client, peer) = connected(&network);
    client.address.set(At(77));
    client.send(0, &Packet::reliable(&b"sealed"[..]));
    assert!(run(
        &network,
        &mut server,
        &mut client,
        1000,
        |server, _| { !messages(server).is_empty() }
    ));
    assert_eq!(server.events.pop_front(), Some(Event::Moved { peer }));
    assert_eq!(server.host.address(peer), Some(&At(77)));
    // The way back is the new one.
    server.host.send(peer, 0, b"welcome").unwrap();
    assert!(run(
        &network,
        &mut server,
        &mut client,
        1000,
        |_, client| {
            client
                .heard
                .contains(&Heard::Message(0, b"welcome".to_vec()))
        }
    ));
}

#[test]
fn nobody_is_taken_for_a_peer_without_its_proof() {
    let network = Network::new(10, 0, 1);
    let (mut server, mut client, peer) = connected(&network);
    let stranger = At(66);
    for session in 0..4 {
        for body in [
            Body::Disconnect { data: 0 },
            Body::Ping,
            Body::Reliable(b"forged"),
            Body::Acknowledge {
                sequence: 1,
                sent_time: 0,
            },
        ] {
            for sequence in 1..5 {
                let bytes = told(session, sequence, body);
                network.borrow_mut().send(stranger, SERVER, &bytes);
            }
        }
    }
    run(&network, &mut server, &mut client, 100, |_, _| false);
    assert!(server.events.is_empty());
    assert_eq!(server.host.address(peer), Some(&client.address.get()));
    assert_eq!(network.borrow_mut().receive(stranger), None);
    client.send(0, &Packet::reliable(&b"undisturbed"[..]));
    assert!(run(&network, &mut server, &mut client, 100, |server, _| {
        messages(server) == [(0, b"undisturbed".to_vec())]
    }));
}

#[test]
fn a_peer_that_moved_away_can_come_back() {
    let network = Network::new(10, 0, 1);
    let (mut server, mut client, peer) = connected(&network);
    // Somebody got hold of a fresh message of the client and sent it first.
    let own = told(0, 1, Body::Reliable(b"sealed"));
    network.borrow_mut().send(At(66), SERVER, &own);
    run(&network, &mut server, &mut client, 10, |_, _| false);
    assert_eq!(server.host.address(peer), Some(&At(66)));
    // The client's next one brings it back.
    client.send(1, &Packet::reliable(&b"sealed"[..]));
    run(&network, &mut server, &mut client, 100, |_, _| false);
    assert_eq!(server.host.address(peer), Some(&client.address.get()));
}

#[test]
fn the_numbers_of_a_former_peer_are_not_the_next_ones() {
    let network = Network::new(10, 0, 1);
    let (mut server, _client, first) = connected(&network);
    server.host.reset(first);
    server.host.expect(8);
    let mut other = Client::new(&network, 3);
    other.connect(8);
    assert!(run(&network, &mut server, &mut other, 1000, |server, _| {
        !server.events.is_empty()
    }));
    let Some(Event::Connected { peer, .. }) = server.events.pop_front() else {
        panic!("not connected");
    };
    assert_ne!(peer, first);
}
