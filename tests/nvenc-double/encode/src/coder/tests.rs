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
        slices: 1,
        sub_frames: false,
        chroma_444: false,
        bits: 8,
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
    let (luma, whole) = (size.0 * size.1, size.0 * size.1 * 3 / 2);
    raw(name, format, stream, "yuv420p")
        .chunks(whole)
        .map(|picture| picture[..luma].to_vec())
        .collect()
}

/// All that ffmpeg decodes, as it lies in this pixel format.
fn raw(name: &str, format: &str, stream: &[u8], pixels: &str) -> Vec<u8> {
    let file = std::env::temp_dir().join(format!("punktfunk-coder-{}-{name}", std::process::id()));
    std::fs::write(&file, stream).expect("a temporary file");
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-f", format, "-i"])
        .arg(&file)
        .args([
            "-fps_mode",
            "passthrough",
            "-pix_fmt",
            pixels,
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
    output.stdout
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
            metadata: &[],
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
    for (width, height, slices) in [(320, 192, 1), (642, 360, 4), (128, 130, 3)] {
        let mut kinds = vec![(0, Kind::Idr)];
        kinds.extend((1..12).map(|stamp| (stamp, from(stamp - 1, true))));
        kinds.push((12, from(8, false)));
        kinds.extend((13..20).map(|stamp| (stamp, from(stamp - 1, true))));
        kinds.push((20, Kind::Idr));
        kinds.push((21, from(20, true)));
        kinds.push((22, Kind::Intra));
        kinds.push((23, from(22, true)));
        let setup = Setup {
            slices,
            ..setup(Codec::Hevc, width, height)
        };
        let size = (width as usize, height as usize);
        let stream = stream(&setup, &kinds);
        assert_eq!(
            super::slices(Codec::Hevc, &stream).len(),
            kinds.len() * slices as usize
        );
        let pictures = decoded(&format!("{width}"), "hevc", &stream, size);
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
            metadata: &[],
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
            metadata: &[],
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

/// Words of ten bits, each plane with a slope of its own through all of them.
fn deep(samples: usize, number: usize) -> Vec<u16> {
    (0..samples)
        .map(|at| ((at * 7 + number * 31) % 1024) as u16)
        .collect()
}

fn ten(codec: Codec, width: u32, height: u32) -> Setup {
    Setup {
        bits: 10,
        colour: [9, 16, 9, 0],
        ..setup(codec, width, height)
    }
}

#[test]
fn hevc_with_ten_bits_shows_every_one_of_them() {
    for (chroma_444, pixels) in [(false, "yuv420p10le"), (true, "yuv444p10le")] {
        let (width, height) = (320usize, 192usize);
        let setup = Setup {
            chroma_444,
            ..ten(Codec::Hevc, 320, 192)
        };
        let luma = width * height;
        let samples = if chroma_444 { luma * 3 } else { luma * 3 / 2 };
        let mut coder = open(&setup);
        let (mut received, mut expected) = (Vec::new(), Vec::new());
        for stamp in 0..4u64 {
            let words = deep(samples, stamp as usize);
            let bytes: Vec<u8> = words.iter().flat_map(|w| (w << 6).to_le_bytes()).collect();
            let source = Source {
                width,
                height,
                bytes: &bytes,
                metadata: &[],
            };
            let kind = if stamp == 0 {
                Kind::Idr
            } else {
                from(stamp - 1, true)
            };
            received.extend(coder.encode(&source, stamp, kind, stamp == 0));
            expected.extend(&words[..luma]);
            match chroma_444 {
                true => expected.extend(&words[luma..]),
                false => (0..2).for_each(|part| {
                    expected.extend(words[luma..].iter().skip(part).step_by(2));
                }),
            }
        }
        let shown = raw(&format!("deep-{chroma_444}"), "hevc", &received, pixels);
        let shown: Vec<u16> = shown
            .chunks_exact(2)
            .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
            .collect();
        assert!(shown == expected, "4:4:4 is {chroma_444}");
    }
}

#[test]
fn hdr10_is_what_ffprobe_sees_in_both_codecs() {
    let mastering: Vec<u8> = (1..=24).collect();
    for (codec, format, kinds) in [
        (Codec::Hevc, "hevc", [137, 144]),
        (Codec::Av1, "obu", [2, 1]),
    ] {
        let metadata = [
            (kinds[0], mastering.clone()),
            (kinds[1], vec![3, 232, 1, 144]),
        ];
        let bytes = vec![0; 320 * 192 * 3];
        let source = Source {
            width: 320,
            height: 192,
            bytes: &bytes,
            metadata: &metadata,
        };
        let unit = open(&ten(codec, 320, 192)).encode(&source, 0, Kind::Idr, true);
        let file =
            std::env::temp_dir().join(format!("punktfunk-hdr-{}-{format}", std::process::id()));
        std::fs::write(&file, &unit).expect("a temporary file");
        let output = Command::new("ffprobe")
            .args(["-v", "error", "-f", format, "-show_streams", "-show_frames"])
            .arg(&file)
            .output()
            .expect("ffprobe, of Debian's ffmpeg");
        let _ = std::fs::remove_file(&file);
        let said = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        for wanted in [
            "pix_fmt=yuv420p10le",
            "color_primaries=bt2020",
            "color_transfer=smpte2084",
            "color_space=bt2020nc",
            "color_range=tv",
        ] {
            assert!(said.contains(wanted), "{format}: {wanted} is not in {said}");
        }
        if codec == Codec::Hevc {
            let light = said.contains("max_content=1000") && said.contains("max_average=400");
            assert!(
                light && said.contains("Mastering display metadata"),
                "{said}"
            );
        }
    }
}
