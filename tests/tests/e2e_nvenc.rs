//! The whole path with the simulated NVENC driver: test pattern, card, ring, service, client.

mod fixture;

use fixture::{Host, card};
use nvenc_double::rig::{Libraries, Rig};
use punktfunk_agent_double::Codec;
use punktfunk_dbus::proxies::StreamProxy;
use punktfunk_tests::{Client, Ending, Options, impairment::Impairment, video::VideoCodec};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(60);

/// A host whose agent finds this driver.
fn host(rig: &Rig, knobs: &[(&'static str, &str)]) -> Host {
    card::host(rig.environment(), knobs)
}

fn options(host: &Host, client: &Client, codec: VideoCodec) -> Options {
    Options {
        codec,
        width: 640,
        height: 360,
        fps: 30,
        bitrate_kbps: 10_000,
        decode: codec == VideoCodec::H264,
        ..host.options(client)
    }
}

/// Nothing that a real driver would have refused, and nothing left over.
#[track_caller]
fn assert_clean(rig: &Rig, host: Host) {
    drop(host);
    assert_eq!(rig.faults(), "");
    for name in [
        "sessions",
        "registered",
        "mapped",
        "bitstreams",
        "contexts",
        "memory",
        "pinned",
    ] {
        assert_eq!(rig.count(name), 0, "{name} left over");
    }
}

#[test]
fn every_codec_of_the_card_goes_the_whole_way() {
    let rig = Rig::new(Libraries::Both);
    let host = host(&rig, &[]);
    let client = host.client();
    assert_eq!(
        client.server_info(true).expect("serverinfo").codecs,
        0x1b_0301,
        "H.264, HEVC with and without 4:4:4, AV1; the latter two with 10 bits as well"
    );
    // the double's pictures have more than their size at the edges of HEVC and AV1, and are whole all the same
    let codecs = [
        (VideoCodec::H264, Codec::H264),
        (VideoCodec::Hevc, Codec::Hevc),
        (VideoCodec::Av1, Codec::Av1),
    ];
    card::goes_the_whole_way(&host, &client, &codecs, |codec| {
        options(&host, &client, codec)
    });
    assert_clean(&rig, host);
}

#[test]
fn a_client_that_lost_frames_goes_on_by_invalidation_where_the_report_comes_in_time() {
    let rig = Rig::new(Libraries::Both);
    let host = host(&rig, &[]);
    let client = host.client();
    let options = options(&host, &client, VideoCodec::H264);
    let seen = card::recovers_by_invalidation(&host, &client, (20, 300), options);
    // The books: what was invalidated is never referred to again, and the pictures that follow are no key frames.
    let pictures = rig.pictures();
    let session = pictures.last().expect("pictures").session;
    let lost: Vec<u64> = rig
        .calls()
        .iter()
        .filter_map(|call| {
            call.strip_prefix(&format!("{session} invalidate "))?
                .parse()
                .ok()
        })
        .collect();
    assert!(lost.len() >= 8, "{lost:?}");
    let own = || pictures.iter().filter(|picture| picture.session == session);
    for stamp in &lost {
        let after_the_order = |picture: &&nvenc_double::rig::Picture| {
            picture.from == Some(*stamp) && !lost.contains(&picture.stamp)
        };
        assert!(
            !own().any(|picture| after_the_order(&picture)),
            "{stamp} is referred to"
        );
    }
    // A report that came late finds nothing left to refer to, and a key frame answers it.
    let keys = own().filter(|picture| picture.kind == "IDR").count() as u64;
    assert!(
        seen.recovery_frames > keys.saturating_sub(2),
        "{keys} key frames"
    );
    assert_clean(&rig, host);
}

/// What a client asks for that takes pictures in slices. Its packets are small, so that slices have several.
fn in_slices(host: &Host, client: &Client, codec: VideoCodec) -> Options {
    Options {
        slices: 4,
        packet_size: 512,
        ..options(host, client, codec)
    }
}

#[test]
fn slices_reach_the_client_before_the_last_one_of_their_picture_exists() {
    let rig = Rig::new(Libraries::Both);
    let host = host(&rig, &[]);
    let client = host.client();
    for codec in [VideoCodec::H264, VideoCodec::Hevc] {
        let options = in_slices(&host, &client, codec);
        let running = client.stream(&options, false).expect("stream");
        assert!(running.wait_frames(20, SOON));
        let holds = || rig.calls().iter().filter(|call| *call == "held").count();
        let before = holds();
        rig.hold_slices();
        assert!(fixture::process::wait_until(SOON, || holds() > before));
        // This picture lacks its last slice. Every picture became a frame.
        let pictures = rig.pictures();
        let session = pictures.last().expect("pictures").session;
        let own = pictures.iter().filter(|picture| picture.session == session);
        let frame = own.count() as u32;
        // Parts that came close together may have left as one.
        let arrived = (running.shared).wait(SOON, |seen| {
            let (latest, block, blocks) = seen.latest_block;
            latest == frame && block < blocks && blocks == 4
        });
        let seen = running.shared.snapshot();
        rig.release_slices();
        assert!(
            arrived,
            "{:?} of {frame}\n{}",
            seen.latest_block,
            host.service_log()
        );
        assert_eq!(seen.last_frame_index, frame - 1);
        assert!(running.wait_frames(u64::from(frame) + 20, SOON));
        let report = running.finish(Ending::Disconnect).expect("report");
        assert!(report.breaches.is_empty(), "{report}");
        assert_eq!(report.video.frames_lost, 0, "{report}");
        card::assert_shown(&report, codec);
        client.cancel().expect("cancel");
        host.await_streams(0);
    }
    assert_clean(&rig, host);
}

#[test]
fn losses_are_repaired_within_each_slice() {
    let rig = Rig::new(Libraries::Both);
    let host = host(&rig, &[]);
    let client = host.client();
    let options = Options {
        impairment: Impairment {
            loss_percent: 3.0,
            seed: 11,
            ..Impairment::default()
        },
        ..in_slices(&host, &client, VideoCodec::H264)
    };
    let running = client.stream(&options, false).expect("stream");
    let seen = (running.shared).wait(SOON, |seen| {
        seen.repaired_blocks >= 60 && seen.most_blocks_in_frame == 4
    });
    let report = running.finish(Ending::Disconnect).expect("report");
    assert!(seen && report.breaches.is_empty(), "{report}");
    card::assert_shown(&report, VideoCodec::H264);
    client.cancel().expect("cancel");
    host.await_streams(0);
    assert_clean(&rig, host);
}

#[test]
fn a_lost_device_ends_no_stream_and_orders_of_the_bus_reach_the_card() {
    let rig = Rig::new(Libraries::Both);
    let host = host(
        &rig,
        &[("NVENC_DOUBLE_LOSE", "20"), ("NVENC_DOUBLE_LOSSES", "2")],
    );
    let client = host.client();
    let running = client
        .stream(&options(&host, &client, VideoCodec::H264), false)
        .expect("stream");
    assert!(
        running.wait_frames(60, SOON),
        "the stream does not outlive its device"
    );
    let stream = host.block(async {
        let path = host.await_object("org.punktfunk.Host1.Stream").await;
        StreamProxy::builder(host.connection())
            .path(path)?
            .build()
            .await
    });
    let stream = stream.expect("the stream's object");
    host.block(stream.set_bitrate(2000)).expect("SetBitrate");
    host.block(stream.request_keyframe())
        .expect("RequestKeyframe");
    let keys = || {
        rig.pictures()
            .iter()
            .filter(|picture| picture.kind == "IDR")
            .count()
    };
    let obeyed = || rig.calls().iter().any(|call| call.contains(" rate ")) && keys() >= 4;
    assert!(
        fixture::process::wait_until(SOON, obeyed),
        "{:?} {}",
        rig.calls(),
        keys()
    );
    let report = running.finish(Ending::Disconnect).expect("report");
    assert!(report.breaches.is_empty(), "{report}");
    let counters = &report.video.counters;
    assert_eq!(
        (
            report.video.decode_failures,
            counters.unreadable,
            counters.backwards
        ),
        (0, 0, 0)
    );
    client.cancel().expect("cancel");
    host.await_streams(0);
    assert_eq!(
        rig.count("sessions_opened"),
        4,
        "one that asked, and three of the stream"
    );
    assert_clean(&rig, host);
}

#[test]
fn without_a_driver_the_agent_offers_what_the_processor_can() {
    for libraries in [Libraries::None, Libraries::CudaAlone] {
        let rig = Rig::new(libraries);
        let mut host = host(&rig, &[]);
        let client = host.client();
        assert_eq!(client.server_info(true).expect("serverinfo").codecs, 1);
        let log = host.agent().log();
        let wanted = match libraries {
            Libraries::None => "there is no NVIDIA driver",
            _ => "but not its encoder library",
        };
        assert!(log.contains(wanted), "{log}");
        assert_clean(&rig, host);
    }
}
