//! H.264, HEVC and AV1 from recordings through the service to the test client, and what becomes of wishes that the agent cannot
//! fulfil.

mod fixture;

use fixture::{
    Setup,
    replay::{mode, pictures, replaying, wishing},
};
use punktfunk_agent_double::{Codec, Order, PlayerSettings};
use punktfunk_tests::{Ending, Options, video::VideoCodec};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(60);

/// The recordings hold what their encoders say of themselves: x265's message alone is longer than a packet.
#[test]
fn every_codec_arrives_whole_and_in_order_and_plays() {
    let host = Setup::default().without_agent().start();
    let modes = Codec::ALL.map(|codec| mode(codec, 640, 360, 30));
    let agent = replaying(&host, "dev", &modes, PlayerSettings::default());
    let client = host.client();
    for mode in modes {
        let file = host.directory().join(mode.codec.name());
        let options = Options {
            write_stream: Some(file.clone()),
            ..wishing(&host, &client, mode)
        };
        let running = client.stream(&options, false).expect("stream");
        let all = running.wait_frames(60, SOON);
        let report = running.finish(Ending::Disconnect).expect("report");
        assert!(all && report.breaches.is_empty(), "{mode}\n{report}");
        let (video, marks) = (&report.video, &report.video.marks);
        assert_eq!(
            (
                video.frames_lost,
                video.frames_discarded,
                video.first_frame_index
            ),
            (0, 0, Some(1)),
            "{mode}\n{report}"
        );
        assert!(video.key_frames >= 1 && video.verified_parity_blocks > 0);
        assert_eq!((marks.streams.len(), marks.first), (1, Some(1)), "{report}");
        assert_eq!((marks.skipped, marks.backwards, marks.unmarked), (0, 0, 0));
        assert_eq!(marks.read, video.frames_received);
        assert_eq!(pictures(mode.codec, &file), video.frames_received, "{mode}");
        client.cancel().expect("cancel");
        host.await_streams(0);
    }
    let opened = agent.orders().look(|seen| {
        let of_streams = seen.orders.iter().filter_map(|(_, order)| match order {
            Order::Opened { codec, .. } => Some(codec.clone()),
            _ => None,
        });
        of_streams.collect::<Vec<_>>()
    });
    assert_eq!(opened, ["h264", "h265", "av1"]);
}

#[test]
fn small_packets_hold_the_parameter_sets_of_every_codec() {
    let host = Setup::default().without_agent().start();
    let modes = Codec::ALL.map(|codec| mode(codec, 640, 360, 30));
    let _agent = replaying(&host, "dev", &modes, PlayerSettings::default());
    let client = host.client();
    for mode in modes {
        let options = Options {
            packet_size: 512,
            ..wishing(&host, &client, mode)
        };
        let running = client.stream(&options, false).expect("stream");
        let all = running.wait_frames(20, SOON);
        let report = running.finish(Ending::Disconnect).expect("report");
        assert!(all && report.breaches.is_empty(), "{mode}\n{report}");
        assert_eq!(report.packet_size, 512 - 32);
        client.cancel().expect("cancel");
        host.await_streams(0);
    }
}

#[test]
fn what_the_owners_agent_cannot_encode_is_neither_offered_nor_granted() {
    let host = Setup::default().without_agent().start();
    let client = host.client();
    let h264 = mode(Codec::H264, 640, 360, 30);
    let before = client.server_info(true).expect("serverinfo");
    assert_eq!(before.codecs, 1, "without an agent H.264 alone is sure");
    {
        let _agent = replaying(&host, "dev", &[h264], PlayerSettings::default());
        assert_eq!(client.server_info(true).expect("serverinfo").codecs, 1);
        let usual = wishing(&host, &client, h264);
        let refused = |options: Options| {
            let answer = client.stream(&options, false);
            let error = answer.err().expect("the wish is refused").to_string();
            client.cancel().expect("cancel");
            error
        };
        for codec in [VideoCodec::Hevc, VideoCodec::Av1] {
            let error = refused(Options {
                codec,
                ..usual.clone()
            });
            assert!(error.contains("ANNOUNCE with 415"), "{error}");
        }
        let error = refused(Options {
            chroma_444: true,
            ..usual.clone()
        });
        assert!(error.contains("ANNOUNCE with 415"), "{error}");
        let error = refused(Options {
            csc_mode: 9,
            ..usual.clone()
        });
        assert!(error.contains("ANNOUNCE with 400"), "{error}");
        let log = host.service_log();
        assert!(
            log.contains("h265 was not offered") && log.contains("4:4:4"),
            "{log}"
        );
    }
    let host_has = |count| host.block(host.proxy().agent_count()).unwrap_or(9) == count;
    assert!(fixture::process::wait_until(SOON, || host_has(0)));
    let modes = Codec::ALL.map(|codec| mode(codec, 640, 360, 30));
    let _agent = replaying(&host, "dev", &modes, PlayerSettings::default());
    let info = client.server_info(true).expect("serverinfo");
    assert_eq!(info.codecs, 0x1_0101);
}

#[test]
fn the_clients_wishes_reach_the_agent() {
    let host = Setup::default().without_agent().start();
    let hevc = mode(Codec::Hevc, 640, 360, 30);
    let agent = replaying(&host, "dev", &[hevc], PlayerSettings::default());
    let client = host.client();
    let options = Options {
        csc_mode: 5,
        slices: 4,
        reference_frames: 1,
        refresh_rate_x100: Some(2997),
        ..wishing(&host, &client, hevc)
    };
    let running = client.stream(&options, false).expect("stream");
    assert!(running.wait_frames(5, SOON));
    let wishes = agent.orders().look(|seen| seen.wishes.last().cloned());
    let wishes = wishes.expect("a stream was opened");
    assert_eq!(
        (
            wishes.csc_mode,
            wishes.slices,
            wishes.max_reference_frames,
            wishes.fps_x100
        ),
        (5, 4, 1, 2997)
    );
    assert!(!wishes.hdr && !wishes.chroma_444);
    let report = running.finish(Ending::Disconnect).expect("report");
    assert!(report.breaches.is_empty(), "{report}");
}

#[test]
fn whether_the_sound_is_heard_on_the_host_as_well_is_the_clients_word_also_when_it_resumes() {
    let host = Setup::default().without_agent().start();
    let h264 = mode(Codec::H264, 640, 360, 30);
    let agent = replaying(&host, "dev", &[h264], PlayerSettings::default());
    let client = host.client();
    for (resume, play_on_host) in [(false, false), (true, true), (true, false)] {
        let options = Options {
            play_on_host,
            ..wishing(&host, &client, h264)
        };
        let running = client.stream(&options, resume).expect("stream");
        assert!(running.wait_frames(5, SOON));
        let heard = agent.orders().look(|seen| {
            let wishes = seen.wishes.last();
            wishes.map(|wishes| wishes.play_on_host)
        });
        assert_eq!(heard, Some(play_on_host), "resume {resume}");
        let report = running.finish(Ending::Disconnect).expect("report");
        assert!(report.breaches.is_empty(), "{report}");
    }
}
