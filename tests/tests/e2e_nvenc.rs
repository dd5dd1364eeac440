//! The whole path with the simulated NVENC driver: test pattern, card, ring, service, client.

mod fixture;

use fixture::{Host, card};
use nvenc_double::rig::{Libraries, Rig};
use punktfunk_agent_double::Codec;
use punktfunk_dbus::proxies::StreamProxy;
use punktfunk_tests::{Client, Ending, Options, video::VideoCodec};
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
    assert!(lost.len() >= 4, "{lost:?}");
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
    let mut after = seen.recovered_after.clone();
    after.sort_unstable();
    let median = after.get(after.len() / 2).copied();
    assert!(median.is_some_and(|median| median <= 3), "{after:?}");
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
