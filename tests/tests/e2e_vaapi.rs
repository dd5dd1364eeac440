//! The whole path with the simulated VAAPI driver: test pattern, card, ring, service, client.

mod fixture;

use fixture::{Host, card, replay::numbers};
use punktfunk_agent_double::Codec;
use punktfunk_tests::{Client, Options, video::VideoCodec};
use std::collections::BTreeSet;
use vaapi_double::rig::{Libraries, Rig};

const SIZE: (usize, usize) = (320, 192);

/// Small: the driver's H.264 is uncompressed where something has changed. ffmpeg decodes it here: the client's decoder does not
/// take the Main and High profiles that VAAPI has.
fn options(host: &Host, client: &Client, codec: VideoCodec) -> Options {
    Options {
        codec,
        width: SIZE.0 as u32,
        height: SIZE.1 as u32,
        fps: 30,
        bitrate_kbps: 10_000,
        decode: false,
        ..host.options(client)
    }
}

/// Nothing that a real driver would have refused, and nothing left over.
#[track_caller]
fn assert_clean(rig: &Rig, host: Host) {
    drop(host);
    assert_eq!(rig.faults(), "");
    assert!(rig.left_over().is_empty(), "{:?}", rig.left_over());
}

#[test]
fn all_codecs_go_the_whole_way_and_a_lost_device_ends_no_stream() {
    let rig = Rig::new(Libraries::Both);
    let knobs = [("VAAPI_DOUBLE_LOSE", "20"), ("VAAPI_DOUBLE_LOSSES", "1")];
    let host = card::host(rig.environment(), &knobs);
    let client = host.client();
    assert_eq!(
        client.server_info(true).expect("serverinfo").codecs,
        0x10101,
        "H.264, HEVC and AV1 of 8 bits"
    );
    let codecs = [
        (VideoCodec::H264, Codec::H264),
        (VideoCodec::Hevc, Codec::Hevc),
        (VideoCodec::Av1, Codec::Av1),
    ];
    card::goes_the_whole_way(&host, &client, &codecs, |codec| {
        options(&host, &client, codec)
    });
    let shown = numbers(
        Codec::H264,
        &host.directory().join(Codec::H264.name()),
        SIZE,
    );
    let shown: Vec<u32> = shown
        .into_iter()
        .map(|number| number.expect("a number"))
        .collect();
    assert!(
        shown.is_sorted_by(|before, after| before < after),
        "{shown:?}"
    );
    assert_eq!(
        rig.count("contexts_opened"),
        4,
        "the one that was lost, the one after it, and those of HEVC and AV1"
    );
    assert_clean(&rig, host);
}

/// Losses are answered by pictures that refer to what the client has; `burst` of so many packets in so many loses few pictures.
fn goes_on_by_invalidation(codec: VideoCodec, format: Codec, burst: (u64, u64)) {
    let rig = Rig::new(Libraries::Both);
    let host = card::host(rig.environment(), &[]);
    let client = host.client();
    let file = host.directory().join(format.name());
    let options = Options {
        write_stream: Some(file.clone()),
        ..options(&host, &client, codec)
    };
    let seen = card::recovers_by_invalidation(&host, &client, burst, options);
    // The books: pictures that pass over others in what they refer to, each of them an answer to a loss.
    let pictures = rig.pictures();
    let answers = pictures
        .iter()
        .filter(|picture| picture.from.is_some_and(|from| from + 1 < picture.number));
    assert!(
        answers.count() as u64 >= seen.recovery_frames,
        "{pictures:?}"
    );
    if codec == VideoCodec::H264 {
        // a decoder may show the last picture again for one that it never got; each one that it got is right
        let shown: BTreeSet<u32> = numbers(format, &file, SIZE).into_iter().flatten().collect();
        let taken = seen.frames_complete - seen.frames_discarded;
        assert_eq!(shown.len() as u64, taken, "{shown:?}");
    }
    assert_clean(&rig, host);
}

#[test]
fn a_client_that_lost_frames_of_h264_goes_on_without_an_idr() {
    goes_on_by_invalidation(VideoCodec::H264, Codec::H264, (40, 600));
}

#[test]
fn a_client_that_lost_frames_of_hevc_goes_on_without_an_idr() {
    // a picture of the driver's is a packet, with its parity
    goes_on_by_invalidation(VideoCodec::Hevc, Codec::Hevc, (6, 100));
}

#[test]
fn a_client_that_lost_frames_of_av1_goes_on_without_a_key_frame() {
    goes_on_by_invalidation(VideoCodec::Av1, Codec::Av1, (6, 100));
}
