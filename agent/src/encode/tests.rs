use super::*;
use crate::{
    convert::ColourSpace,
    source::{self, Importable, Outputs, Painter, SourceRequest, synthetic::counter},
};
use ::openh264::{decoder::Decoder, formats::YUVSource, nal_units};

const SPS: u8 = 7;
const PPS: u8 = 8;
const IDR: u8 = 5;
const SLICE: u8 = 1;

fn settings(width: u32, height: u32, bitrate_kbps: u32) -> EncoderSettings {
    EncoderSettings {
        width,
        height,
        fps: 60,
        bitrate_kbps,
        ..EncoderSettings::default()
    }
}

/// The software encoder: what these tests are about.
fn open(codec: &str, settings: &EncoderSettings) -> Result<Box<dyn Encoder>, EncodeError> {
    Choice::Only(Kind::OpenH264).open(codec, settings)
}

fn painter(name: &str, width: u32, height: u32) -> Box<dyn Painter> {
    let request = SourceRequest {
        width,
        height,
        fps: 60,
        cursor: false,
        importable: Importable::NOTHING,
        inside: Default::default(),
        outputs: Outputs::Extend,
        monitor: Default::default(),
        hdr: false,
    };
    source::open(name, &request).unwrap().painter().unwrap()
}

/// The types of the NAL units of an Annex B access unit.
fn nal_types(unit: &[u8]) -> Vec<u8> {
    nal_units(unit)
        .map(|nal| {
            let start = nal.iter().position(|&byte| byte == 1).unwrap() + 1;
            nal[start] & 0x1f
        })
        .collect()
}

/// Noise in the lowest sixteenth, new in every picture: enough to fill the rates of these tests.
struct Noise(Box<dyn Painter>, u64);

impl Painter for Noise {
    fn paint(&mut self, picture: &mut Picture, now_ns: u64) {
        self.0.paint(picture, now_ns);
        let above = picture.data.len() / 16 * 15;
        for pixel in picture.data[above..].chunks_mut(4) {
            self.1 = self
                .1
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            pixel.copy_from_slice(&[(self.1 >> 56) as u8; 4]);
        }
    }
    fn skip(&mut self) {}
}

/// A picture through the encoder: its access unit and whether it is a key frame.
fn encode(
    encoder: &mut dyn Encoder,
    painter: &mut dyn Painter,
    picture: &mut Picture,
) -> (Vec<u8>, bool) {
    let pts_ns = picture.sequence * 16_666_667;
    painter.paint(picture, pts_ns);
    let tag = Tag {
        pts_ns,
        capture_ns: pts_ns,
        ..Tag::default()
    };
    encoder.submit(picture, tag).unwrap();
    let unit = encoder.poll().unwrap().expect("one access unit a picture");
    assert_eq!(unit.tag, tag);
    let found = (unit.data.to_vec(), unit.key);
    assert!(encoder.poll().unwrap().is_none());
    found
}

#[test]
fn the_number_is_read_back_after_encoding_at_2_mbit() {
    for name in ["synthetic", "synthetic-fast"] {
        let (mut encoder, mut painter) = (
            open("h264", &settings(1280, 720, 2000)).unwrap(),
            painter(name, 1280, 720),
        );
        let mut decoder = Decoder::new().unwrap();
        let mut picture = Picture::default();
        for expected in 1..=90 {
            let (unit, _) = encode(encoder.as_mut(), painter.as_mut(), &mut picture);
            let decoded = decoder.decode(&unit).unwrap().expect("a picture");
            assert_eq!(decoded.dimensions(), (1280, 720));
            let number = counter::read(decoded.y(), decoded.strides().0, 1280);
            assert_eq!(number, Some(expected), "{name}");
        }
    }
}

#[test]
fn parameter_sets_come_first_and_only_with_key_frames() {
    let mut encoder = open("h264", &settings(640, 368, 2000)).unwrap();
    let mut painter = painter("synthetic", 640, 368);
    let mut picture = Picture::default();
    for index in 0..40 {
        if index == 17 || index == 31 {
            encoder.request_keyframe();
        }
        let (unit, key) = encode(encoder.as_mut(), painter.as_mut(), &mut picture);
        let types = nal_types(&unit);
        assert!(unit.starts_with(&[0, 0, 0, 1]));
        if [0, 17, 31].contains(&index) {
            assert!(key);
            assert_eq!(types, [SPS, PPS, IDR], "picture {index}");
            let slice = unit.len() - nal_units(&unit).last().unwrap().len();
            assert!(
                slice + 5 <= 1000,
                "the slice must begin in the first packet"
            );
        } else {
            assert!(!key);
            assert_eq!(types, [SLICE], "picture {index}");
        }
    }
}

#[test]
fn parameter_sets_never_change_and_state_level_and_colour() {
    let mut settings = settings(1280, 720, 20_000);
    settings.colour = Colour {
        space: ColourSpace::Bt601,
        full_range: true,
    };
    let mut encoder = open("h264", &settings).unwrap();
    let mut painter = painter("synthetic-fast", 1280, 720);
    let mut picture = Picture::default();
    let mut sets = Vec::new();
    for _ in 0..3 {
        encoder.request_keyframe();
        let (unit, _) = encode(encoder.as_mut(), painter.as_mut(), &mut picture);
        sets.push(
            nal_units(&unit)
                .take(2)
                .map(<[u8]>::to_vec)
                .collect::<Vec<_>>(),
        );
        encoder.set_bitrate(5000 + 100 * sets.len() as u32).unwrap();
    }
    assert!(sets.windows(2).all(|pair| pair[0] == pair[1]));
    // start code of three bytes, NAL header, profile_idc, constraints, level_idc
    assert_eq!((sets[0][0][4], sets[0][0][6]), (66, 32));
    let mut described = vec![sets[0][0].clone()];
    for colour in [2, 3, 4].map(Colour::from_csc_mode) {
        settings.colour = colour.unwrap();
        let mut encoder = open("h264", &settings).unwrap();
        let (unit, _) = encode(encoder.as_mut(), painter.as_mut(), &mut Picture::default());
        let sps = nal_units(&unit).next().unwrap().to_vec();
        assert!(
            !described.contains(&sps),
            "the colour is described in the stream"
        );
        described.push(sps);
    }
}

#[test]
fn the_rate_follows_its_target_up_and_down() {
    let mut encoder = open("h264", &settings(1280, 720, 4000)).unwrap();
    let mut painter = Noise(painter("synthetic-fast", 1280, 720), 1);
    let mut picture = Picture::default();
    let mut second = |encoder: &mut dyn Encoder| -> usize {
        (0..60)
            .map(|_| encode(encoder, &mut painter, &mut picture).0.len())
            .sum()
    };
    second(encoder.as_mut());
    let before = second(encoder.as_mut());
    encoder.set_bitrate(1000).unwrap();
    second(encoder.as_mut());
    let low = second(encoder.as_mut());
    encoder.set_bitrate(8000).unwrap();
    second(encoder.as_mut());
    let high = second(encoder.as_mut());
    println!("bytes a second: {before} at 4 Mbit/s, {low} at 1, {high} at 8");
    assert!((350_000..650_000).contains(&before), "{before}");
    assert!(low < before / 2, "{low} against {before}");
    assert!(high > before * 3 / 2, "{high} against {before}");
}

#[test]
fn above_60_frames_a_second_the_rate_still_holds() {
    let mut settings = settings(1280, 720, 4000);
    settings.fps = 120;
    let mut encoder = open("h264", &settings).unwrap();
    let mut painter = Noise(painter("synthetic-fast", 1280, 720), 1);
    let mut picture = Picture::default();
    let mut bytes = 0;
    for index in 0..360 {
        let (unit, _) = encode(encoder.as_mut(), &mut painter, &mut picture);
        bytes += if index < 120 { 0 } else { unit.len() };
    }
    let kbps = bytes * 8 / 2 / 1000;
    assert!((2600..5200).contains(&kbps), "{kbps} kbit/s for 4000");
}

#[test]
fn a_rate_asked_for_before_the_first_picture_is_kept() {
    let mut encoder = open("h264", &settings(1280, 720, 8000)).unwrap();
    encoder.set_bitrate(1000).unwrap();
    let mut painter = Noise(painter("synthetic-fast", 1280, 720), 1);
    let mut picture = Picture::default();
    let mut bytes = 0;
    for index in 0..120 {
        let (unit, _) = encode(encoder.as_mut(), &mut painter, &mut picture);
        bytes += if index < 60 { 0 } else { unit.len() };
    }
    assert!(bytes < 300_000, "{bytes} in a second at 1 Mbit/s");
}

#[test]
fn a_repeated_picture_is_encoded_from_what_is_kept() {
    let mut encoder = open("h264", &settings(640, 368, 2000)).unwrap();
    let tag = Tag {
        pts_ns: 5,
        capture_ns: 5,
        repeated: true,
        ..Tag::default()
    };
    encoder.submit_again(tag).unwrap();
    assert!(
        encoder.poll().unwrap().is_none(),
        "there is nothing to repeat yet"
    );
    let mut painter = painter("synthetic", 640, 368);
    encode(encoder.as_mut(), painter.as_mut(), &mut Picture::default());
    encoder.submit_again(tag).unwrap();
    let unit = encoder.poll().unwrap().unwrap();
    assert!(unit.tag.repeated && !unit.key);
}

#[test]
fn what_cannot_be_encoded_is_refused_with_what_can() {
    for (codec, part) in [("vp9", "h264"), ("h265", "openh264"), ("av1", "openh264")] {
        let Err(error) = open(codec, &settings(1280, 720, 2000)) else {
            panic!("{codec} opened")
        };
        assert!(error.to_string().contains(part), "{error}");
    }
    for (width, height, fps) in [
        (1281, 720, 60),
        (16, 16, 60),
        (7680, 4320, 30),
        (3840, 2160, 120),
        (1280, 720, 0),
        (1280, 720, 500),
    ] {
        let mode = EncoderSettings {
            fps,
            ..settings(width, height, 2000)
        };
        let Err(error) = open("h264", &mode) else {
            panic!("{width}x{height}@{fps} opened")
        };
        assert!(error.to_string().contains(&width.to_string()), "{error}");
    }
}
