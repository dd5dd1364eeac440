//! The control plane: who gets in, what garbage does, what a client's words lead to.
use super::*;
use client::Heard;
use punktfunk_core::{control::ClientMessage, input::InputEvent};
use punktfunk_dbus::channel::ToAgent;
use std::{io::ErrorKind, net::UdpSocket};

pub(super) fn key_press(code: u16) -> InputEvent {
    InputEvent::Key {
        down: true,
        code,
        modifiers: 0,
        flags: 0,
    }
}

fn press(client: &mut Client, agent: &mut FakeAgent, code: u16) {
    let event = key_press(code);
    client.say(&ClientMessage::Input(&event.encode()));
    assert_eq!(agent.hear_order(), ToAgent::Input(event));
}

#[test]
fn a_connect_with_unknown_data_gets_no_answer() {
    let rig = Rig::new();
    let (_agent, mut client) = rig.start(1);
    let stranger = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut connect = vec![
        0x8F, 0xFF, 0, 0, 0x82, 0xFF, 0, 1, 0, 0, 0xFF, 0xFF, 0, 0, 3, 132, 0, 1, 0, 0, 0, 0, 0, 48,
    ];
    connect.resize(52, 1);
    for data in 0..200u32 {
        connect.truncate(48);
        connect.extend_from_slice(&data.to_be_bytes());
        stranger
            .send_to(&connect, (Ipv4Addr::LOCALHOST, rig.ports.control))
            .unwrap();
    }
    // The host takes datagrams in order: when this client is in, the stranger has been judged.
    client.connect(connect_data(1));
    stranger.set_nonblocking(true).unwrap();
    assert_eq!(
        stranger.recv(&mut [0; 100]).unwrap_err().kind(),
        ErrorKind::WouldBlock
    );
    // The same bytes with the right data are answered: it was the data.
    let (_agent, _client) = rig.start(2);
    connect.truncate(48);
    connect.extend_from_slice(&connect_data(2).to_be_bytes());
    stranger.set_nonblocking(false).unwrap();
    stranger
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    stranger
        .send_to(&connect, (Ipv4Addr::LOCALHOST, rig.ports.control))
        .unwrap();
    assert!(stranger.recv(&mut [0; 100]).is_ok());
}

#[test]
fn connect_data_serves_one_connection() {
    let rig = Rig::new();
    let (mut agent, mut client) = rig.start_connected(1);
    let (_other_agent, mut other) = rig.start(2);
    let mut second = Client::new(rig.ports, &Key([1; 16]));
    second.dial(connect_data(1));
    // The host takes datagrams in order: when this client is in, the second has been judged.
    other.connect(connect_data(2));
    second.pump();
    assert!(!second.is_connected());
    press(&mut client, &mut agent, 0x41);
    assert!(rig.streams.list().iter().all(|info| info.state != "ending"));
}

#[test]
fn garbage_on_the_control_port_disturbs_nobody() {
    let rig = Rig::new();
    let (mut agent, mut client) = rig.start_connected(1);
    let stranger = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    // A fixed sequence of bytes without pattern.
    let mut state = 0x2545_F491_4F6C_DD1Du64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for round in 0..3000u64 {
        let mut bytes: Vec<u8> = (0..next() % 160)
            .map(|_| u8::try_from(next() & 0xFF).unwrap())
            .collect();
        if let (1.., Some(head)) = (round % 3, bytes.first_chunk_mut::<2>()) {
            // Something that looks like a datagram of connection 0.
            *head = [0x80, 0];
        }
        stranger
            .send_to(&bytes, (Ipv4Addr::LOCALHOST, rig.ports.control))
            .unwrap();
        if round % 100 == 0 {
            press(&mut client, &mut agent, u16::try_from(round % 200).unwrap());
        }
    }
    press(&mut client, &mut agent, 65);
}

#[test]
fn garbage_from_a_clients_own_address_costs_at_most_its_own_connection() {
    let rig = Rig::new();
    let (_bad_agent, bad) = rig.start_connected(1);
    let (mut agent, mut client) = rig.start_connected(2);
    let mut state = 88_172_645_463_325_252u64;
    for round in 0..3000u64 {
        let mut bytes: Vec<u8> = (0..40 + round % 60)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                u8::try_from(state & 0xFF).unwrap()
            })
            .collect();
        // Every command that a connection knows, in both session ids.
        bytes[0] = if round % 2 == 0 { 0x80 } else { 0x90 };
        bytes[1] = 0;
        bytes[4] = 0x80 | u8::try_from(round % 13).unwrap();
        bad.inject(&bytes);
        if round % 100 == 0 {
            press(&mut client, &mut agent, u16::try_from(round % 200).unwrap());
        }
    }
    press(&mut client, &mut agent, 65);
}

#[test]
fn messages_that_cannot_be_opened_are_counted_and_dropped() {
    let rig = Rig::new();
    let (mut agent, mut client) = rig.start_connected(1);
    let event = key_press(66).encode();
    let mut sealed = punktfunk_core::control::Sealer::new(
        &Key([9; 16]),
        punktfunk_core::control::Iv::V2,
        punktfunk_core::Role::Client,
    )
    .unwrap();
    client.say_raw(0, &sealed.seal(0x0206, &event).unwrap());
    client.say_raw(0, b"");
    client.say_raw(0x10, &[1; 700]);
    client.say_raw(2, &[2; 3000]);
    // On the same channel as the first: when it is heard, those were dropped.
    press(&mut client, &mut agent, 65);
    assert!(rig.figure(1, "control_refused") >= 2);
}

#[test]
fn a_replayed_message_is_dropped() {
    let rig = Rig::new();
    let (mut agent, mut client) = rig.start_connected(1);
    let mut sealer = punktfunk_core::control::Sealer::starting_at(
        &Key([1; 16]),
        punktfunk_core::control::Iv::V2,
        punktfunk_core::Role::Client,
        100,
    )
    .unwrap();
    let once = sealer.seal(0x0206, &key_press(70).encode()).unwrap();
    client.say_raw(0, &once);
    client.say_raw(0, &once);
    client.say_raw(0, &sealer.seal(0x0206, &key_press(71).encode()).unwrap());
    assert_eq!(agent.hear_order(), ToAgent::Input(key_press(70)));
    assert_eq!(agent.hear_order(), ToAgent::Input(key_press(71)));
}

/// What the agent hears until this key arrives: everything that the client said before it has been handled.
pub(super) fn orders_until_press(
    client: &mut Client,
    agent: &mut FakeAgent,
    code: u16,
) -> Vec<ToAgent> {
    let event = key_press(code);
    client.say(&ClientMessage::Input(&event.encode()));
    let pressed = ToAgent::Input(event);
    std::iter::from_fn(|| Some(agent.hear_order()))
        .take_while(|order| *order != pressed)
        .collect()
}

#[test]
fn requests_for_key_frames_become_one_until_it_comes() {
    let rig = Rig::new();
    let (mut agent, mut client) = rig.start_connected(1);
    agent.key_frame(b"one");
    agent.frame(b"two", 0);
    assert_eq!(client.receive_frame().index, 1);
    assert_eq!(client.receive_frame().index, 2);
    for _ in 0..50 {
        client.say(&ClientMessage::RequestIdr);
    }
    let mut orders = orders_until_press(&mut client, &mut agent, 65);
    if orders.is_empty() {
        orders.push(agent.hear_order());
    }
    assert!(orders.iter().all(|order| *order == ToAgent::Idr));
    assert_eq!(rig.figure(1, "idr_requests"), 50);
    // One for each 100 ms that the requests took to come, and never one each.
    assert!(rig.figure(1, "idr_asked") < 10);
}

#[test]
fn a_report_of_loss_is_answered_by_a_key_frame_unless_it_is_older_than_the_last_one() {
    let rig = Rig::new();
    let (mut agent, mut client) = rig.start_connected(1);
    agent.key_frame(b"one");
    agent.key_frame(b"two");
    assert_eq!(client.receive_frame().index, 1);
    assert_eq!(client.receive_frame().index, 2);
    client.say(&ClientMessage::InvalidateReferences { first: 1, last: 1 });
    assert_eq!(orders_until_press(&mut client, &mut agent, 65), []);
    client.say(&ClientMessage::InvalidateReferences { first: 2, last: 2 });
    assert_eq!(agent.hear_order(), ToAgent::Idr);
    assert_eq!(rig.figure(1, "rfi_requests"), 2);
    assert_eq!(rig.figure(1, "idr_asked"), 2);
}

#[test]
fn a_clients_good_bye_is_acknowledged_and_the_agent_released() {
    let rig = Rig::new();
    let (mut agent, mut client) = rig.start_connected(1);
    client.hang_up();
    assert_eq!(agent.hear_order(), ToAgent::ReleaseAll);
    assert_eq!(agent.hear_order(), ToAgent::Stop);
    assert_eq!(agent.try_hear(), None);
    rig.wait_until_gone();
}

#[test]
fn a_client_is_told_why_before_it_is_disconnected() {
    let rig = Rig::new();
    let (mut agent, mut client) = rig.start_connected(1);
    assert!(rig.streams.stop(StreamId(1), StopReason::Administrator));
    let told = Heard::Message(punktfunk_core::control::HostMessage::Termination {
        reason: 0x8003_0023,
    });
    assert_eq!(client.hear(), told);
    assert_eq!(client.hear(), Heard::Disconnected);
    assert_eq!(agent.hear_order(), ToAgent::ReleaseAll);
    rig.wait_until_gone();
}

#[test]
fn a_client_that_changes_its_address_keeps_its_control_connection() {
    let rig = Rig::new();
    let (mut agent, mut client) = rig.start_connected(1);
    press(&mut client, &mut agent, 65);
    for round in 1..=3 {
        client.line.roam();
        press(&mut client, &mut agent, 66);
        assert_eq!(rig.figure(1, "control_moved"), round);
    }
    // The way back is the new one, too.
    assert!(rig.streams.stop(StreamId(1), StopReason::Administrator));
    let told = Heard::Message(punktfunk_core::control::HostMessage::Termination {
        reason: 0x8003_0023,
    });
    assert_eq!(client.hear(), told);
    assert_eq!(client.hear(), Heard::Disconnected);
}

#[test]
fn a_stranger_who_knows_the_numbers_can_neither_take_nor_end_a_connection() {
    use punktfunk_core::enet::framing::{Body, CONNECTION, Command, Header};
    let rig = Rig::new();
    let (mut agent, mut client) = rig.start_connected(1);
    let stranger = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    // A message of the client's own, as an eavesdropper has it: delivered already.
    let mut sealer = punktfunk_core::control::Sealer::starting_at(
        &Key([1; 16]),
        punktfunk_core::control::Iv::V2,
        punktfunk_core::Role::Client,
        500,
    )
    .unwrap();
    let heard = sealer.seal(0x0206, &key_press(70).encode()).unwrap();
    client.say_raw(0, &heard);
    assert_eq!(agent.hear_order(), ToAgent::Input(key_press(70)));
    for session in 0..4 {
        for (channel, body) in [
            (CONNECTION, Body::Disconnect { data: 0 }),
            (CONNECTION, Body::Ping),
            (0, Body::Reliable(&heard)),
            (0, Body::Reliable(b"forged")),
        ] {
            let mut bytes = Vec::new();
            let header = Header {
                peer: 0,
                session,
                sent_time: Some(1),
            };
            header.write(&mut bytes);
            let command = Command {
                acknowledge: true,
                channel,
                sequence: 5,
                body,
            };
            command.write(&mut bytes);
            stranger
                .send_to(&bytes, (Ipv4Addr::LOCALHOST, rig.ports.control))
                .unwrap();
        }
    }
    press(&mut client, &mut agent, 65);
    assert_eq!(rig.figure(1, "control_moved"), 0);
    stranger.set_nonblocking(true).unwrap();
    assert_eq!(
        stranger.recv(&mut [0; 100]).unwrap_err().kind(),
        ErrorKind::WouldBlock
    );
}

#[test]
fn unknown_messages_are_counted_and_do_no_harm() {
    let rig = Rig::new();
    let (mut agent, mut client) = rig.start_connected(1);
    for kind in [0x0201, 0x0204, 0x7777] {
        client.say(&ClientMessage::Unknown(kind));
    }
    client.say(&ClientMessage::LtrAck { frame: 1 });
    client.say(&ClientMessage::StartB);
    client.say(&ClientMessage::Ping);
    press(&mut client, &mut agent, 65);
    assert_eq!(rig.figure(1, "control_unknown"), 3);
    assert_eq!(rig.figure(1, "control_refused"), 0);
}
