//! Frames that leave slice by slice, while the agent still encodes.
use super::agent::{KEY_HEAD, SLICE_HEAD};
use super::*;
use punktfunk_core::video::{Outcome, Reassembler, ReassemblerConfig, ReceivedFrame};
use punktfunk_dbus::channel::{ToAgent, message::FRAME_KEY};

/// Payload of a packet of these streams.
const PAYLOAD: usize = 1024 - 16;

fn receiver() -> Reassembler {
    Reassembler::new(ReassemblerConfig {
        packet_size: 1024,
        max_frame_len: 8 << 20,
        reorder_frames: 2,
        max_bytes_in_flight: 32 << 20,
        seal: None,
    })
    .unwrap()
}

/// Receive all of the next block but its `hole`-th packet, which is lost.
fn receive_block(client: &Client, to: &mut Reassembler, block: (u32, u8, u8), hole: u32) -> u32 {
    let mut number = 0;
    loop {
        let packet = client.receive();
        let place = (packet.frame_index(), packet.block(), packet.last_block());
        assert_eq!(place, block, "packet {number}");
        if number != hole {
            to.push(&packet.0).unwrap();
        }
        number += 1;
        if number == packet.shards() {
            return number;
        }
    }
}

fn frame(reassembler: &mut Reassembler) -> ReceivedFrame {
    match reassembler.pop() {
        Some(Outcome::Frame(frame)) => frame,
        other => panic!("{other:?}"),
    }
}

/// `part` as a client has it: zeros up to a whole packet, in whose front the frame's header may stand.
fn padded(part: &[u8], header: usize) -> Vec<u8> {
    let mut padded = part.to_vec();
    padded.resize(
        (part.len() + header).div_ceil(PAYLOAD) * PAYLOAD - header,
        0,
    );
    padded
}

fn slice(fill: u8, len: usize) -> Vec<u8> {
    [SLICE_HEAD, &vec![fill; len]].concat()
}

fn key_slice(fill: u8, len: usize) -> Vec<u8> {
    [KEY_HEAD, &vec![fill; len]].concat()
}

#[test]
fn each_slice_leaves_before_the_next_one_exists_and_losses_are_repaired_within_it() {
    let rig = Rig::new();
    let (mut agent, client) = rig.start_connected(1);
    assert_eq!(agent.options.frame_parts, Some(true));
    let mut arrived = receiver();
    for index in 1..=3 {
        let key = index == 1;
        let first = if key {
            key_slice(1, 9000)
        } else {
            slice(1, 5000)
        };
        let slices = [first, slice(2, 1), slice(3, 30_000), slice(4, 2000)];
        let flags = if key { FRAME_KEY } else { 0 };
        let mut growing = agent.begin(&slices[0], flags, 4);
        receive_block(&client, &mut arrived, (index, 0, 3), 2);
        agent.grow(&mut growing, &slices[1]);
        assert_eq!(receive_block(&client, &mut arrived, (index, 1, 3), 0), 3);
        agent.grow(&mut growing, &slices[2]);
        receive_block(&client, &mut arrived, (index, 2, 3), 7);
        agent.end(growing, &slices[3]);
        receive_block(&client, &mut arrived, (index, 3, 3), 1);
        let frame = frame(&mut arrived);
        let expected: Vec<u8> = (slices.iter().enumerate())
            .flat_map(|(number, slice)| padded(slice, if number == 0 { 8 } else { 0 }))
            .collect();
        assert_eq!(
            (frame.frame_index, frame.kind.to_wire()),
            (index, 1 + u8::from(key))
        );
        assert!(frame.data == expected);
        agent.frame_done();
    }
    agent.frame(b"whole", 0);
    assert_eq!(client.receive_frame().index, 4);
    assert_eq!(rig.figure(1, "frames_in_parts"), 3);
    assert_eq!(rig.figure(1, "frames_cut_short"), 0);
    assert!(rig.figure(1, "frames_sent") >= 3);
    // The fourth frame may not have been counted yet.
    assert!((12..=13).contains(&rig.figure(1, "blocks_sent")));
}

#[test]
fn what_is_announced_together_leaves_together_in_the_blocks_that_are_left() {
    let rig = Rig::new();
    let (mut agent, client) = rig.start_connected(1);
    let mut arrived = receiver();
    let growing = agent.begin(&key_slice(1, 9000), FRAME_KEY, 4);
    receive_block(&client, &mut arrived, (1, 0, 3), 99);
    // One packet's worth for three blocks.
    agent.end(growing, &slice(2, 100));
    for block in 1..4 {
        assert_eq!(receive_block(&client, &mut arrived, (1, block, 3), 0), 3);
    }
    let expected = [
        padded(&key_slice(1, 9000), 8),
        padded(&slice(2, 100), 0),
        vec![0; 2 * PAYLOAD],
    ];
    assert!(frame(&mut arrived).data == expected.concat());
}

#[test]
fn a_small_frame_and_one_of_av1_go_whole() {
    for (codec, len) in [(Codec::H264, 2000), (Codec::Av1, 9000)] {
        let rig = Rig::new();
        let (mut agent, mut client) = rig.start_with(1, |params| params.codec = codec);
        client.ping_video(video_ping(1));
        client.connect(connect_data(1));
        assert_eq!(agent.hear(), ToAgent::Idr);
        // A temporal unit of one sequence header and one frame, or a key frame with its parameter sets.
        let first = match codec {
            Codec::Av1 => {
                let low = |bits: usize| bits.to_le_bytes()[0];
                let size = [low(len & 0x7f) | 0x80, low(len >> 7)];
                [&[0x0a, 1, 0, 0x32], &size[..], &vec![5; len]].concat()
            }
            _ => key_slice(1, len),
        };
        let growing = agent.begin(&first, FRAME_KEY, 2);
        let rest = match codec {
            Codec::Av1 => vec![0x32, 1, 9],
            _ => slice(2, 4000),
        };
        agent.end(growing, &rest);
        let packet = client.receive();
        let blocks = (packet.block(), packet.last_block());
        assert_eq!((packet.frame_index(), blocks), (1, (0, 0)), "{codec:?}");
        agent.frame_done();
        assert_eq!(rig.figure(1, "frames_in_parts"), 0);
    }
}

#[test]
fn a_frame_whose_end_never_comes_is_made_good_as_a_loss() {
    let rig = Rig::new();
    let (mut agent, client) = rig.start_connected(1);
    let mut arrived = receiver();
    agent.key_frame(b"key");
    assert_eq!(client.receive_frame().index, 1);
    agent.frame_done();
    let growing = agent.begin(&slice(1, 9000), 0, 2);
    // Passing over what is left of the key frame.
    while client.receive().frame_index() != 2 {}
    agent.abandon(growing);
    agent.frame_done();
    assert_eq!(agent.hear_order(), ToAgent::Idr);
    assert_eq!(rig.figure(1, "frames_cut_short"), 1);
    let growing = agent.begin(&key_slice(2, 9000), FRAME_KEY, 2);
    while client.receive().frame_index() != 3 {}
    agent.end(growing, &slice(3, 9000));
    let last = std::iter::repeat_with(|| client.receive()).find(|packet| packet.block() == 1);
    arrived.push(&last.unwrap().0).unwrap();
    // One that never began to leave leaves no trace.
    agent.frame_done();
    let growing = agent.begin(&slice(1, 10), 0, 2);
    agent.abandon(growing);
    agent.frame_done();
    agent.frame(b"next", 0);
    assert_eq!(client.receive_frame().index, 4);
    assert_eq!(rig.figure(1, "frames_cut_short"), 1);
    assert_eq!(rig.figure(1, "idr_asked"), 2);
}

#[test]
fn a_first_frame_whose_end_never_comes_is_followed_by_a_key_frame_and_no_other() {
    let rig = Rig::new();
    let (mut agent, client) = rig.start_connected(1);
    let growing = agent.begin(&key_slice(1, 9000), FRAME_KEY, 2);
    while client.receive().frame_index() != 1 {}
    agent.abandon(growing);
    agent.frame_done();
    assert_eq!(agent.hear_order(), ToAgent::Idr);
    agent.frame(b"refers to it", 0);
    agent.frame_done();
    agent.key_frame(b"key");
    let next = std::iter::repeat_with(|| client.receive()).find(|packet| packet.frame_index() == 2);
    agent.frame_done();
    assert!(next.is_some() && rig.figure(1, "keyframes") == 2);
    assert_eq!(rig.figure(1, "dropped_before_ping"), 1);
    assert!(rig.figure(1, "frames_sent") <= 1, "the first one never was");
}

#[test]
fn an_agent_that_dies_or_lies_in_the_middle_of_a_frame_takes_its_stream_with_it() {
    for lies in [false, true] {
        let rig = Rig::new();
        let (mut agent, client) = rig.start_connected(1);
        let growing = agent.begin(&key_slice(1, 9000), FRAME_KEY, 3);
        assert_eq!(client.receive_frame().index, 1);
        if lies {
            // Its end is not what was announced.
            agent.frame_elsewhere(growing);
        } else {
            drop(agent);
        }
        rig.wait_until_gone();
    }
}

#[test]
fn sound_and_orders_go_on_while_the_rest_of_a_frame_is_waited_for() {
    let rig = Rig::new();
    let (mut agent, mut client) = rig.start_connected(1);
    let growing = agent.begin(&key_slice(1, 9000), FRAME_KEY, 3);
    assert_eq!(client.receive_frame().index, 1);
    let event = punktfunk_core::input::InputEvent::Text('x');
    client.say(&punktfunk_core::control::ClientMessage::Input(
        &event.encode(),
    ));
    assert_eq!(agent.hear(), ToAgent::Input(event));
    client.ping_audio(audio_ping(1));
    client
        .audio
        .set_read_timeout(Some(Duration::from_millis(20)))
        .unwrap();
    let mut heard = false;
    for _ in 0..500 {
        agent.sound(&[0; 80]);
        heard = client.audio.recv(&mut [0; 2048]).is_ok();
        if heard {
            break;
        }
        client.ping_audio(audio_ping(1));
    }
    assert!(heard, "sound waits for the frame");
    agent.end(growing, &slice(2, 9000));
    while client.receive().block() != 1 {}
}
