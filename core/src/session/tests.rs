use super::*;
use crate::transport::loopback_pair;
use crate::{FLAG_EOF, FLAG_PIC, FLAG_SOF};

fn pair(host_drop: u32, change: impl Fn(&mut Config)) -> (Session, Session) {
    let (host, client) = loopback_pair(host_drop, 0);
    let config = |role| {
        let mut config = Config::p1_defaults(role);
        change(&mut config);
        config
    };
    (
        Session::new(config(Role::Host), Box::new(host)).unwrap(),
        Session::new(config(Role::Client), Box::new(client)).unwrap(),
    )
}

fn bytes(len: usize, seed: usize) -> Vec<u8> {
    (0..len)
        .map(|k| (k.wrapping_mul(2_654_435_761).wrapping_add(seed * 97) >> 7) as u8)
        .collect()
}

#[test]
fn frames_come_out_byte_for_byte_with_their_time_and_flags() {
    let (mut host, mut client) = pair(0, |_| ());
    for (k, len) in (0usize..).zip([
        1, 2, 1015, 1016, 1017, 2040, 2041, 204_792, 204_793, 300_000, 900_000,
    ]) {
        let data = bytes(len, k);
        let flags = if k % 2 == 0 {
            FLAG_PIC
        } else {
            FLAG_PIC | FLAG_SOF | FLAG_EOF
        };
        host.submit_frame(&data, k as u64 * 16_666_667, flags)
            .unwrap();
        let frame = client.poll_frame().unwrap();
        assert!(frame.data == data, "{len} bytes");
        assert!(frame.pts_ns.abs_diff(k as u64 * 16_666_667) <= 5_556);
        assert_eq!((frame.flags, frame.frame_index), (flags, k as u32 + 1));
        assert!(matches!(client.poll_frame(), Err(Error::NoFrame)));
    }
    assert_eq!(client.stats().lost_frames, 0);
    assert_eq!(client.stats().rejected, 0);
}

#[test]
fn losing_every_seventh_packet_loses_no_frame_of_any_protected_size() {
    let (mut host, mut client) = pair(7, |_| ());
    for packets in (1..260).chain([300, 399, 400, 401, 600, 800, 812, 850, 864]) {
        let data = bytes(packets * 1024 - 8, packets);
        host.submit_frame(&data, 0, FLAG_PIC).unwrap();
        assert!(
            client.poll_frame().is_ok_and(|frame| frame.data == data),
            "{packets} packets"
        );
    }
    assert_eq!(client.stats().lost_frames, 0);
    assert!(client.stats().repaired_shards > 1000);
}

#[test]
fn sealed_frames_come_through_losses_too_and_another_key_opens_nothing() {
    use crate::crypto::Key;
    let (mut host, mut client) = pair(7, |config| config.seal = Some(Key([7; 16])));
    for k in 0..50 {
        let data = bytes(20_000 + k, k);
        host.submit_frame(&data, 0, FLAG_PIC).unwrap();
        assert_eq!(client.poll_frame().unwrap().data, data);
    }
    let (mut host, mut client) = pair(0, |config| {
        config.seal = Some(Key([if config.role == Role::Host { 1 } else { 2 }; 16]))
    });
    host.submit_frame(b"secret", 0, FLAG_PIC).unwrap();
    assert!(matches!(client.poll_frame(), Err(Error::NoFrame)));
    assert_eq!(client.stats().rejected, host.stats().packets);
}

#[test]
fn without_parity_a_loss_is_a_lost_frame_and_the_stream_goes_on() {
    let (mut host, mut client) = pair(5, |config| config.fec_percent = 0);
    // Two packets a frame: packets 0, 5, 10 ... are lost, so frames 1, 3, 6, 8 ... are.
    for k in 0..10 {
        host.submit_frame(&bytes(1500, k), 0, FLAG_PIC).unwrap();
    }
    let mut got = Vec::new();
    while let Ok(frame) = client.poll_frame() {
        assert_eq!(frame.data, bytes(1500, frame.frame_index as usize - 1));
        got.push(frame.frame_index);
    }
    client.flush();
    while let Ok(frame) = client.poll_frame() {
        got.push(frame.frame_index);
    }
    assert_eq!(got, [2, 4, 5, 7, 9, 10]);
    assert_eq!(client.stats().lost_frames, 4);
}

#[test]
fn what_cannot_be_sent_is_refused_and_leaves_no_gap() {
    let (mut host, mut client) = pair(0, |config| config.max_frame_bytes = 5_000_000);
    assert!(matches!(
        host.submit_frame(&[], 0, 0),
        Err(Error::EmptyFrame)
    ));
    let most = 4 * 1023 * 1024 - 8;
    assert!(matches!(
        host.submit_frame(&vec![0; most + 1], 0, 0),
        Err(Error::FrameTooLarge { len, max }) if len == most + 1 && max == most
    ));
    assert!(host.submit_frame(&[1], 0, 0x1_0000).is_err());
    assert!(matches!(host.poll_frame(), Err(Error::WrongRole("client"))));
    assert!(matches!(
        client.submit_frame(&[1], 0, 0),
        Err(Error::WrongRole("host"))
    ));
    let data = bytes(most, 3);
    host.submit_frame(&data, 0, 0).unwrap();
    let frame = client.poll_frame().unwrap();
    assert!(frame.data == data && frame.frame_index == 1);
    let (mut host, _client) = pair(0, |config| config.max_frame_bytes = 10);
    assert!(matches!(
        host.submit_frame(&[0; 11], 0, 0),
        Err(Error::FrameTooLarge { len: 11, max: 10 })
    ));
}

#[test]
fn bad_settings_name_their_field() {
    let refused = |change: fn(&mut Config)| {
        let mut config = Config::p1_defaults(Role::Client);
        change(&mut config);
        let error = Session::new(config.clone(), Box::new(loopback_pair(0, 0).0)).err();
        config.role = Role::Host;
        error
            .or(Session::new(config, Box::new(loopback_pair(0, 0).0)).err())
            .unwrap()
            .to_string()
    };
    assert!(refused(|c| c.shard_bytes = 10).contains("shard_bytes"));
    assert!(refused(|c| c.data_shards_per_block = 0).contains("data_shards_per_block"));
    assert!(refused(|c| c.max_frame_bytes = 0).contains("max_frame_bytes"));
    assert!(refused(|c| c.fec_percent = 61).contains("fec_percent"));
    assert!(refused(|c| c.reorder_frames = 0).contains("reorder"));
}

#[test]
fn time_stamps_go_on_through_their_wrap() {
    let (mut host, mut client) = pair(0, |_| ());
    let turn = (1u64 << 32) * 100_000 / 9;
    for pts in [
        turn - 20_000_000,
        turn - 3_000_000,
        turn + 13_000_000,
        turn + 10_000_000,
        2 * turn - turn / 3,
    ] {
        host.submit_frame(&[1], pts, 0).unwrap();
        let got = client.poll_frame().unwrap().pts_ns;
        if pts < turn + turn / 2 {
            assert!(got.abs_diff(pts) <= 5_556, "{pts} came as {got}");
        }
    }
}

#[test]
fn a_stream_that_gave_no_flags_reports_a_whole_picture() {
    let (mut host, mut client) = pair(0, |_| ());
    host.submit_frame(&[1], 0, 0).unwrap();
    assert_eq!(
        client.poll_frame().unwrap().flags,
        FLAG_PIC | FLAG_SOF | FLAG_EOF
    );
}
