//! The streams written by hand, judged by ffmpeg's decoders.

use super::*;
use std::process::Command;

fn setup(codec: Codec, width: u32, height: u32) -> Setup {
    Setup {
        codec,
        width,
        height,
        fps: 60,
        kbps: 3000,
        references: 5,
        chroma_444: false,
        colour: [1, 1, 1, 0],
    }
}

/// Dark, with a bright square of 16 pixels that wanders.
fn picture(width: usize, height: usize, number: usize) -> Vec<u8> {
    let mut bytes = vec![20u8; width * height];
    for line in bytes.chunks_mut(width).take(16) {
        line[number % 8 * 16..][..16].fill(235);
    }
    bytes.extend(vec![128; width * height / 2]);
    bytes
}

/// The luma planes that ffmpeg decodes, without a complaint.
fn decoded(name: &str, format: &str, stream: &[u8], size: (usize, usize)) -> Vec<Vec<u8>> {
    let file = std::env::temp_dir().join(format!("punktfunk-coder-{}-{name}", std::process::id()));
    std::fs::write(&file, stream).expect("a temporary file");
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-f", format, "-i"])
        .arg(&file)
        .args([
            "-fps_mode",
            "passthrough",
            "-pix_fmt",
            "yuv420p",
            "-f",
            "rawvideo",
            "-",
        ])
        .output()
        .expect("Debian's ffmpeg");
    let _ = std::fs::remove_file(&file);
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && complaints.is_empty(),
        "{name}: {complaints}"
    );
    let (luma, whole) = (size.0 * size.1, size.0 * size.1 * 3 / 2);
    output
        .stdout
        .chunks(whole)
        .map(|picture| picture[..luma].to_vec())
        .collect()
}

fn stream(setup: &Setup, kinds: &[(u64, Kind)]) -> Vec<u8> {
    let mut coder = open(setup);
    let (width, height) = (setup.width as usize, setup.height as usize);
    let units = kinds.iter().map(|&(stamp, kind)| {
        let bytes = picture(width, height, stamp as usize);
        let source = Source {
            width,
            height,
            bytes: &bytes,
        };
        coder.encode(&source, stamp, kind, kind == Kind::Idr)
    });
    units.collect::<Vec<_>>().concat()
}

fn from(stamp: u64, latest: bool) -> Kind {
    Kind::From { stamp, latest }
}

#[test]
fn hevc_shows_each_picture_also_from_an_older_reference() {
    for (width, height) in [(320, 192), (642, 360), (128, 130)] {
        let mut kinds = vec![(0, Kind::Idr)];
        kinds.extend((1..12).map(|stamp| (stamp, from(stamp - 1, true))));
        kinds.push((12, from(8, false)));
        kinds.extend((13..20).map(|stamp| (stamp, from(stamp - 1, true))));
        kinds.push((20, Kind::Idr));
        kinds.push((21, from(20, true)));
        kinds.push((22, Kind::Intra));
        kinds.push((23, from(22, true)));
        let setup = setup(Codec::Hevc, width, height);
        let size = (width as usize, height as usize);
        let pictures = decoded(&format!("{width}"), "hevc", &stream(&setup, &kinds), size);
        assert_eq!(pictures.len(), kinds.len());
        for (stamp, luma) in pictures.iter().enumerate() {
            let bright = (0..8).find(|place| luma[8 * size.0 + place * 16 + 8] > 150);
            assert_eq!(bright, Some(stamp % 8), "{width}x{height}, picture {stamp}");
            assert_eq!(luma.iter().filter(|value| **value > 150).count(), 256);
        }
    }
}

#[test]
fn hevc_with_full_chroma_is_a_stream_of_its_own_profile() {
    let setup = Setup {
        chroma_444: true,
        ..setup(Codec::Hevc, 320, 192)
    };
    let mut coder = open(&setup);
    let mut received = Vec::new();
    for stamp in 0..4u64 {
        let mut bytes = picture(320, 192, stamp as usize);
        bytes.resize(320 * 192 * 3, 128);
        let source = Source {
            width: 320,
            height: 192,
            bytes: &bytes,
        };
        let kind = match stamp {
            0 => Kind::Idr,
            _ => from(stamp - 1, true),
        };
        received.extend(coder.encode(&source, stamp, kind, stamp == 0));
    }
    let pictures = decoded("full", "hevc", &received, (320, 192));
    assert_eq!(pictures.len(), 4);
    assert!(pictures[3][8 * 320 + 3 * 16 + 8] > 150);
}

#[test]
fn hevc_decodes_without_the_pictures_that_were_invalidated() {
    let mut kinds = vec![(0, Kind::Idr)];
    kinds.extend((1..12).map(|stamp| (stamp, from(stamp - 1, true))));
    kinds.push((12, from(8, false)));
    kinds.push((13, from(12, true)));
    let setup = setup(Codec::Hevc, 320, 192);
    let mut coder = open(&setup);
    let mut received = Vec::new();
    for (stamp, kind) in kinds {
        let bytes = picture(320, 192, stamp as usize);
        let source = Source {
            width: 320,
            height: 192,
            bytes: &bytes,
        };
        let unit = coder.encode(&source, stamp, kind, kind == Kind::Idr);
        if !(9..12).contains(&stamp) {
            received.extend(unit);
        }
    }
    let pictures = decoded("lost", "hevc", &received, (320, 192));
    assert_eq!(pictures.len(), 11);
    assert!(pictures[9][8 * 320 + 12 % 8 * 16 + 8] > 150);
}

#[test]
fn av1_decodes_to_grey() {
    for (width, height) in [(320, 192), (1920, 1088)] {
        let mut kinds = vec![(0, Kind::Idr)];
        kinds.extend((1..5).map(|stamp| (stamp, from(stamp - 1, true))));
        kinds.push((5, Kind::Idr));
        let setup = setup(Codec::Av1, width, height);
        let size = (width as usize, height as usize);
        let stream = stream(&setup, &kinds);
        let pictures = decoded(&format!("av1-{width}"), "obu", &stream, size);
        assert_eq!(pictures.len(), 6);
        assert!(pictures.iter().flatten().all(|luma| *luma == 128));
    }
}
