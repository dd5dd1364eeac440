//! HDR10 the whole way, with the simulated NVENC driver: test pattern in HDR, card, ring, service, client. What a decoder shows is
//! compared with the light that the pattern is made of.

mod fixture;

use fixture::{Host, Setup, replay::pictures};
use nvenc_double::rig::{Libraries, Rig};
use punktfunk_agent_double::Codec;
use punktfunk_tests::{
    Client, Ending, Options,
    report::Report,
    video::{
        VideoCodec, counter,
        range::{Described, HDR10},
    },
};
use std::{path::Path, process::Command, time::Duration};

const SOON: Duration = Duration::from_secs(60);
const FIXED: &str = "[video]\nadaptive-parity = false\nadaptive-bitrate = false";
const SIZE: (usize, usize) = (320, 192);

/// The pattern, as the agent's source describes it: nits of its grey bars, and of red, green and blue of the others.
const GREYS: [f64; 8] = [0.0, 1.0, 10.0, 50.0, 100.0, 203.0, 400.0, 1000.0];
const COLOURS: [[f64; 3]; 8] = [
    [203.0, 203.0, 203.0],
    [203.0, 203.0, 0.0],
    [0.0, 203.0, 203.0],
    [0.0, 203.0, 0.0],
    [203.0, 0.0, 203.0],
    [203.0, 0.0, 0.0],
    [0.0, 0.0, 203.0],
    [1000.0, 0.0, 0.0],
];
/// BT.2020's primaries and white, 1000 and 0.0001 nits; at most 1000 nits, 400 on the average.
const MASTERING: [u32; 10] = [35400, 14600, 8500, 39850, 6550, 2300, 15635, 16450, 1000, 1];
const CONTENT_LIGHT: [u32; 2] = [1000, 400];

fn host(rig: &Rig, source: &str, knobs: &[(&'static str, &str)]) -> Host {
    let mut setup = Setup::default()
        .configured(FIXED)
        .with("PUNKTFUNK_VIDEO_SOURCE", source);
    for (name, value) in rig.environment() {
        setup = setup.agent_with(name, value);
    }
    for (name, value) in knobs {
        setup = setup.agent_with(name, value);
    }
    setup.start()
}

fn options(host: &Host, client: &Client, codec: VideoCodec) -> Options {
    Options {
        codec,
        hdr: true,
        width: SIZE.0 as u32,
        height: SIZE.1 as u32,
        fps: 30,
        bitrate_kbps: 20_000,
        decode: false,
        write_stream: Some(host.directory().join("stream")),
        ..host.options(client)
    }
}

/// Stream until the host has said what the client gets, and 40 frames came.
#[track_caller]
fn stream(host: &Host, client: &Client, options: &Options, hdr: bool) -> Report {
    let running = client.stream(options, false).expect("stream");
    let all = running.wait_frames(40, SOON);
    let told = running.control().wait(SOON, |state| {
        let said = state.hdr();
        said.is_some_and(|(on, words)| on == hdr && (!on || words.get(8) == Some(&1000)))
    });
    let words = running.control().state().hdr();
    let report = running.finish(Ending::Disconnect).expect("report");
    client.cancel().expect("cancel");
    host.await_streams(0);
    assert!(
        all && told && report.breaches.is_empty(),
        "{words:?}\n{report}"
    );
    if hdr {
        let (_, words) = words.expect("the HDR message");
        let expected: Vec<u16> = MASTERING
            .iter()
            .chain(&CONTENT_LIGHT)
            .chain(&[0])
            .map(|word| *word as u16)
            .collect();
        assert_eq!(words, expected);
    }
    report
}

/// The full-range 10-bit code of a light, by ST 2084.
fn pq(nits: f64) -> f64 {
    let light = (nits / 10_000.0).powf(0.159_301_757_812_5);
    let code = (0.835_937_5 + 18.851_562_5 * light) / (1.0 + 18.687_5 * light);
    (code.powf(78.843_75) * 1023.0).round()
}

/// Luma and chroma by BT.2020 (non-constant luminance).
fn converted(nits: [f64; 3], full_range: bool) -> [f64; 3] {
    let [r, g, b] = nits.map(|light| pq(light) / 1023.0);
    let y = 0.2627 * r + 0.6780 * g + 0.0593 * b;
    let (u, v) = ((b - y) / 1.8814, (r - y) / 1.4746);
    match full_range {
        true => [1023.0 * y, 512.0 + 1023.0 * u, 512.0 + 1023.0 * v],
        false => [64.0 + 876.0 * y, 512.0 + 896.0 * u, 512.0 + 896.0 * v],
    }
}

/// Each picture that ffmpeg decodes, as words of ten bits.
fn decoded(file: &Path, chroma_444: bool) -> Vec<Vec<u16>> {
    let (pixels, samples) = match chroma_444 {
        true => ("yuv444p10le", SIZE.0 * SIZE.1 * 3),
        false => ("yuv420p10le", SIZE.0 * SIZE.1 * 3 / 2),
    };
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "hevc", "-i"])
        .arg(file)
        .args(["-fps_mode", "passthrough", "-pix_fmt", pixels])
        .args(["-f", "rawvideo", "-"])
        .output()
        .expect("Debian's ffmpeg");
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && complaints.is_empty(),
        "{complaints}"
    );
    let words = output.stdout.chunks_exact(2);
    let words: Vec<u16> = words
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
        .collect();
    words.chunks_exact(samples).map(<[u16]>::to_vec).collect()
}

/// The bars of a picture have the light that they were made of, and its number is readable.
#[track_caller]
fn assert_pattern(picture: &[u16], full_range: bool, chroma_444: bool) -> u32 {
    let (width, height) = SIZE;
    let cut = if chroma_444 { 1 } else { 2 };
    let plane = width / cut * (height / cut);
    // 20 blocks of 16 pixels a row, so two rows of the number
    let row = (height - 32) / 4;
    for bar in 0..8 {
        let x = bar * (width / 8) + width / 16;
        let places = [
            (32 + row / 2, [GREYS[bar]; 3]),
            (32 + row + row / 2, COLOURS[bar]),
        ];
        for (y, nits) in places {
            let chroma = width * height + y / cut * (width / cut) + x / cut;
            let got = [y * width + x, chroma, chroma + plane].map(|at| f64::from(picture[at]));
            let wanted = converted(nits, full_range);
            let near = got.iter().zip(wanted).all(|(a, b)| (a - b).abs() <= 1.5);
            assert!(near, "bar {bar} of {nits:?} nits: {got:?} for {wanted:?}");
        }
    }
    let luma: Vec<u8> = picture[..width * height]
        .iter()
        .map(|code| if *code > 300 { 255 } else { 0 })
        .collect();
    counter::read(&luma, width, width, height).expect("the picture's number")
}

#[test]
fn hdr10_shows_the_light_that_went_in_in_every_codec_that_has_it() {
    let rig = Rig::new(Libraries::Both);
    let host = host(&rig, "synthetic", &[]);
    let client = host.client();
    let info = client.server_info(true).expect("serverinfo");
    assert_eq!(info.codecs, 0x1b_0301, "Main10 and 10-bit AV1 are offered");
    assert!(
        client
            .app_list()
            .expect("applist")
            .iter()
            .all(|app| app.hdr)
    );
    // whatever the colours of SDR were to be; the range is the client's
    for (codec, csc_mode, chroma_444) in [
        (VideoCodec::Hevc, 2, false),
        (VideoCodec::Hevc, 5, false),
        (VideoCodec::Hevc, 2, true),
        (VideoCodec::Av1, 4, false),
    ] {
        let options = Options {
            csc_mode,
            chroma_444,
            ..options(&host, &client, codec)
        };
        let report = stream(&host, &client, &options, true);
        let described = report.video.described.expect("a key frame's description");
        let near = |(a, b): (&u32, &u32)| a.abs_diff(*b) <= u32::from(codec == VideoCodec::Av1);
        let mastering = described.mastering.expect("mastering metadata");
        assert!(mastering.iter().zip(&MASTERING).all(near), "{mastering:?}");
        let expected = Described {
            bits: 10,
            colours: HDR10,
            full_range: csc_mode & 1 == 1,
            mastering: Some(mastering),
            content_light: Some(CONTENT_LIGHT),
        };
        assert_eq!(described, expected, "{codec:?}");
        let file = host.directory().join("stream");
        if codec == VideoCodec::Av1 {
            // the double's are grey
            assert_eq!(pictures(Codec::Av1, &file), report.video.frames_received);
            continue;
        }
        let shown = decoded(&file, chroma_444);
        assert_eq!(shown.len() as u64, report.video.frames_received);
        let numbers: Vec<u32> = shown
            .iter()
            .map(|picture| assert_pattern(picture, csc_mode & 1 == 1, chroma_444))
            .collect();
        assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    }
    drop(host);
    assert_eq!(rig.faults(), "");
}

/// Ask for HDR in HEVC where there is none to be had.
fn refused(source: &str, knobs: &[(&'static str, &str)], bits: u32) {
    let rig = Rig::new(Libraries::Both);
    let host = host(&rig, source, knobs);
    let client = host.client();
    let info = client.server_info(true).expect("serverinfo");
    assert_eq!(info.codecs & 0x52_0200, 0, "no depth is offered");
    assert!(
        !client
            .app_list()
            .expect("applist")
            .iter()
            .any(|app| app.hdr)
    );
    let options = options(&host, &client, VideoCodec::Hevc);
    let report = stream(&host, &client, &options, false);
    let described = report.video.described.expect("a key frame's description");
    let expected = Described {
        bits,
        colours: [1; 3],
        ..Described::default()
    };
    assert_eq!(described, expected);
    let file = host.directory().join("stream");
    assert_eq!(pictures(Codec::Hevc, &file), report.video.frames_received);
    let log = host.service_log();
    let wanted = format!("it gets SDR with {bits} bits");
    assert!(log.contains(&wanted), "{log}");
    drop(host);
    assert_eq!(rig.faults(), "");
}

#[test]
fn a_source_without_hdr_is_shown_in_sdr_with_the_clients_ten_bits() {
    refused("synthetic-fast", &[], 10);
}

#[test]
fn a_card_without_ten_bits_gives_sdr_and_no_error() {
    refused("synthetic", &[("NVENC_DOUBLE_NO_TEN_BIT", "1")], 8);
}
