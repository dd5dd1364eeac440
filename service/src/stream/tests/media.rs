//! Pictures and sound.
use super::agent::{KEY_HEAD, SLICE_HEAD};
use super::*;
use punktfunk_core::{control::ClientMessage, input::InputEvent};
use punktfunk_dbus::channel::{
    ToAgent,
    message::{FRAME_KEY, FRAME_REPEATED},
};
use std::io::ErrorKind;

#[test]
fn the_first_frame_sent_is_a_key_frame_with_index_1() {
    let rig = Rig::new();
    let (mut agent, mut client) = rig.start(1);
    // Nobody can see these: they are released at once, so that the agent never stops.
    agent.key_frame(b"unseen key");
    assert!(matches!(agent.hear(), ToAgent::SlotFree { .. }));
    agent.frame(b"unseen", 0);
    assert!(matches!(agent.hear(), ToAgent::SlotFree { .. }));
    client.connect(connect_data(1));
    // Clients ask for a key frame before they say where it is to go.
    client.say(&ClientMessage::RequestIdr);
    client.say(&ClientMessage::Input(&InputEvent::Text('x').encode()));
    assert_eq!(agent.hear(), ToAgent::Input(InputEvent::Text('x')));
    agent.frame(b"unseen", 0);
    assert!(matches!(agent.hear(), ToAgent::SlotFree { .. }));
    client.ping_video(video_ping(1));
    assert_eq!(agent.hear(), ToAgent::Idr);
    // Still on its way when the request came.
    agent.frame(b"before the key frame", 0);
    assert!(matches!(agent.hear(), ToAgent::SlotFree { .. }));
    agent.key_frame(b"picture");
    let frame = client.receive_frame();
    assert_eq!((frame.index, frame.kind), (1, 2));
    assert!(frame.bytes.starts_with(b"picture"));
    agent.frame(b"next", FRAME_REPEATED);
    let frame = client.receive_frame();
    assert_eq!((frame.index, frame.kind), (2, 1));
    // The figures are written after the packets: the next slot says that they are there.
    agent.frame(b"third", 0);
    client.receive_frame();
    assert_eq!(rig.figure(1, "dropped_before_ping"), 4);
    assert_eq!(rig.figure(1, "keyframes"), 1);
    assert!(rig.figure(1, "repeated") == 1 && rig.figure(1, "frames_sent") >= 2);
}

#[test]
fn two_streams_of_one_address_get_their_own_pictures() {
    let rig = Rig::new();
    let (mut first_agent, first) = rig.start_connected(1);
    let (mut second_agent, second) = rig.start_connected(2);
    first_agent.key_frame(b"first");
    second_agent.key_frame(b"second");
    for number in 0..20u8 {
        assert_eq!(first.receive_frame().index, u32::from(number) + 1);
        let frame = second.receive_frame();
        assert_eq!(frame.index, u32::from(number) + 1);
        assert!(
            frame
                .bytes
                .starts_with(if number == 0 { b"second" } else { b"2" })
        );
        first_agent.frame(b"1", 0);
        second_agent.frame(b"2", 0);
    }
}

#[test]
fn a_client_that_vanished_does_not_delay_another_stream() {
    let rig = Rig::new();
    let (mut lost_agent, lost) = rig.start_connected(1);
    let (mut agent, client) = rig.start_connected(2);
    lost_agent.key_frame(&[1; 100_000]);
    agent.key_frame(b"here");
    client.receive_frame();
    drop(lost);
    // fewer than the channel takes in one burst: this agent is in a hurry, not a liar
    for number in 2..20 {
        lost_agent.frame(&[1; 100_000], 0);
        agent.frame(b"here", 0);
        assert_eq!(client.receive_frame().index, number);
    }
}

#[test]
fn sound_is_not_held_up_by_a_frame_that_is_being_paced() {
    // 8 Mbit/s and one frame a second: 500 kB take the whole window of 750 ms.
    let rig = Rig::with(|config| config.pace_rate_mbit = 1);
    let (mut agent, mut client) = rig.start_with(1, |params| params.fps = 1);
    client.ping_video(video_ping(1));
    client.ping_audio(audio_ping(1));
    client.connect(connect_data(1));
    assert_eq!(agent.hear(), ToAgent::Idr);
    // The audio ping has no witness but sound that arrives.
    let mut buffer = [0; 2048];
    client
        .audio
        .set_read_timeout(Some(Duration::from_millis(20)))
        .unwrap();
    loop {
        agent.sound(&[0; 80]);
        if client.audio.recv(&mut buffer).is_ok() {
            break;
        }
        client.ping_audio(audio_ping(1));
    }
    client
        .audio
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    agent.key_frame(&vec![7; 500_000]);
    let packets = 1 + client.receive().0.len().min(1);
    agent.sound(&[9; 80]);
    while !buffer[12..].starts_with(&[9; 80]) {
        client
            .audio
            .recv(&mut buffer)
            .expect("sound waits for video");
    }
    client.video.set_nonblocking(true).unwrap();
    let mut arrived = packets;
    loop {
        match client.video.recv(&mut buffer) {
            Ok(_) => arrived += 1,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(
        arrived < 400,
        "all {arrived} packets had left before the sound"
    );
}

#[test]
fn sound_is_numbered_from_zero_and_has_parity() {
    let rig = Rig::new();
    let (mut agent, client) = rig.start_connected(1);
    let mut buffer = [0; 2048];
    client
        .audio
        .set_read_timeout(Some(Duration::from_millis(20)))
        .unwrap();
    // Sound before the first ping goes nowhere.
    agent.sound(&[0; 80]);
    loop {
        client.ping_audio(audio_ping(1));
        agent.sound(&[0; 80]);
        if let Ok(len) = client.audio.recv(&mut buffer) {
            assert_eq!((len, buffer[0], buffer[1]), (92, 0x80, 97));
            assert_eq!(buffer[2..8], [0; 6]);
            break;
        }
    }
    client
        .audio
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    let kinds = std::iter::from_fn(|| {
        agent.sound(&[0; 80]);
        client.audio.recv(&mut buffer).unwrap();
        Some(buffer[1])
    });
    assert!(kinds.take(12).any(|kind| kind == 127), "no parity");
}

#[test]
fn video_follows_a_client_to_its_new_port() {
    let rig = Rig::new();
    let (mut agent, mut client) = rig.start_connected(1);
    agent.key_frame(b"old place");
    client.receive_frame();
    client.video = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    client
        .video
        .set_read_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    let mut buffer = [0; 2048];
    // A destination moves at most four times a second: the client keeps pinging, as clients do.
    let arrived = (0..100).any(|_| {
        client.ping_video(video_ping(1));
        agent.frame(b"new place", 0);
        client.video.recv(&mut buffer).is_ok()
    });
    assert!(arrived, "video did not follow");
}

#[test]
fn injected_loss_takes_the_first_of_every_n_datagrams() {
    let rig = Rig::with(|config| config.video_drop = 5);
    let (mut agent, client) = rig.start_connected(1);
    agent.key_frame(&vec![3; 20_000]);
    let numbers: Vec<u16> = (0..16)
        .map(|_| {
            let packet = client.receive();
            u16::from_be_bytes([packet.0[2], packet.0[3]])
        })
        .collect();
    let expected: Vec<u16> = (0..20).filter(|number| number % 5 != 0).collect();
    assert_eq!(numbers, expected);
}

#[test]
fn a_frame_that_the_wire_cannot_carry_is_dropped_and_a_key_frame_asked_for() {
    let rig = Rig::new();
    // Packets so small that a slot holds more than four blocks of them.
    let (mut agent, mut client) = rig.start_with(1, |params| params.packet_size = 272);
    client.ping_video(video_ping(1));
    client.connect(connect_data(1));
    assert_eq!(agent.hear(), ToAgent::Idr);
    agent.key_frame(&vec![1; agent.largest_key_frame()]);
    assert_eq!(agent.hear_order(), ToAgent::Idr);
    // It refers to what nobody has.
    agent.frame(b"the next one", 0);
    agent.key_frame(b"smaller");
    let frame = client.receive_frame();
    assert_eq!((frame.index, frame.kind), (1, 2));
}

#[test]
fn what_an_encoder_says_of_itself_does_not_push_the_slice_out_of_the_first_packet() {
    let rig = Rig::new();
    let (mut agent, client) = rig.start_connected(1);
    let sets = &KEY_HEAD[..16];
    let slice = &[&[0, 0, 1, 0x65][..], &[7; 3000]].concat();
    let talk = &[&[0, 0, 1, 6, 5, 255, 255, 90][..], &[1; 1100], &[0x80]].concat();
    agent.unit(&[sets, talk, slice].concat(), FRAME_KEY);
    let frame = client.receive_frame();
    assert!(frame.bytes.starts_with(&[7; 100]));
    agent.frame(b"next", 0);
    client.receive_frame();
    assert_eq!(rig.figure(1, "rearranged"), 1);
}

#[test]
fn a_key_frame_that_no_client_recognises_is_a_violation() {
    let rig = Rig::new();
    for (number, unit) in [
        (1, &b"no start code"[..]),
        (2, &[0, 0, 1, 0x65, 1, 2, 3][..]),
        (3, &[0, 0, 1, 0x41, 1, 2, 3][..]),
    ] {
        let (mut agent, client) = rig.start_connected(number);
        agent.unit(unit, FRAME_KEY);
        rig.wait_until_gone();
        client.video.set_nonblocking(true).unwrap();
        assert!(client.video.recv(&mut [0; 10]).is_err(), "it was not sent");
        let user = crate::ids::Uid(1000 + u32::from(number));
        assert!(rig.agents.for_owner(user).is_none(), "the agent is dropped");
    }
}

/// Tenths of a millisecond from capture to hand-over; of a repeated picture from the moment it was due.
#[test]
fn the_latency_in_the_frame_header_is_what_the_host_spent() {
    use crate::stream::media::now_ns;
    let rig = Rig::new();
    let (mut agent, client) = rig.start_connected(1);
    let latency = |client: &Client| {
        let packet = client.receive().0;
        u64::from(u16::from_le_bytes([packet[33], packet[34]]))
    };
    let taken = now_ns() - 30_000_000;
    agent.unit_of(&[KEY_HEAD, b"old"].concat(), FRAME_KEY, taken);
    let told = latency(&client);
    let most = (now_ns() - taken) / 100_000;
    assert!((300..=most).contains(&told), "{told} of at most {most}");
    // The parity packets of the first frame.
    client.receive();
    client.receive();

    let long_ago = now_ns() - 5_000_000_000;
    let due = now_ns();
    agent.unit_of(&[SLICE_HEAD, b"still"].concat(), FRAME_REPEATED, long_ago);
    let told = latency(&client);
    let most = (now_ns() - due) / 100_000;
    assert!(told <= most, "{told} of at most {most}");
}
