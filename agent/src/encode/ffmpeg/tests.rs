use super::*;
use crate::{
    convert::Colour,
    source::{self, Importable, Outputs, Painter, SourceRequest, synthetic::counter},
};
use ffmpeg_next::{decoder, frame};

const ALL: [Library; 3] = [Library::X264, Library::X265, Library::Aom];

fn settings(width: u32, height: u32, bitrate_kbps: u32) -> EncoderSettings {
    EncoderSettings {
        width,
        height,
        fps: 60,
        bitrate_kbps,
        ..EncoderSettings::default()
    }
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

/// An encoder, what it is fed with and what comes out of a decoder.
struct Rig {
    encoder: Ffmpeg,
    painter: Box<dyn Painter>,
    picture: Picture,
    decoder: decoder::Video,
    number: u32,
}

impl Rig {
    fn new(library: Library, settings: &EncoderSettings, source: &str) -> Self {
        let found = ffmpeg::decoder::find(match library {
            Library::X264 => codec::Id::H264,
            Library::X265 => codec::Id::HEVC,
            Library::Aom => codec::Id::AV1,
        });
        let mut context = codec::Context::new_with_codec(found.unwrap()).decoder();
        context.set_flags(codec::Flags::LOW_DELAY);
        // a decoder with several threads holds pictures back
        context.set_threading(codec::threading::Config {
            count: 1,
            ..Default::default()
        });
        Self {
            encoder: Ffmpeg::new(library, settings).unwrap(),
            painter: painter(source, settings.width, settings.height),
            picture: Picture::default(),
            decoder: context.video().unwrap(),
            number: 0,
        }
    }

    /// One picture: its access unit, and whether it is a key frame.
    fn encode(&mut self) -> (Vec<u8>, bool) {
        let pts_ns = u64::from(self.number) * 16_666_667;
        let tag = Tag {
            pts_ns,
            capture_ns: pts_ns,
            picture: self.number,
            ..Tag::default()
        };
        self.number += 1;
        self.painter.paint(&mut self.picture, pts_ns);
        self.encoder.submit(&self.picture, tag).unwrap();
        let unit = (self.encoder.poll().unwrap()).expect("an access unit for each picture at once");
        assert_eq!(unit.tag, tag);
        let found = (unit.data.to_vec(), unit.key);
        assert!(self.encoder.poll().unwrap().is_none());
        found
    }

    fn decode(&mut self, unit: &[u8]) -> frame::Video {
        self.decoder.send_packet(&Packet::copy(unit)).unwrap();
        let mut picture = frame::Video::empty();
        self.decoder.receive_frame(&mut picture).expect("a picture");
        picture
    }
}

/// The types of the NAL units.
fn nal_types(library: Library, unit: &[u8]) -> Vec<u8> {
    let starts = |at: &usize| unit[*at..].starts_with(&[0, 0, 1]);
    let types = (0..unit.len().saturating_sub(3)).filter(starts).map(|at| {
        let header = unit[at + 3];
        match library {
            Library::X264 => header & 0x1f,
            _ => header >> 1 & 0x3f,
        }
    });
    types.collect()
}

/// The types of the OBUs of a temporal unit, all of which say their size.
fn obu_types(mut unit: &[u8]) -> Vec<u8> {
    let mut types = Vec::new();
    while let [header, rest @ ..] = unit {
        assert_eq!(header & 2, 2, "an OBU without its size");
        types.push(header >> 3 & 15);
        let mut body = &rest[usize::from(header >> 2 & 1)..];
        let (mut size, mut shift) = (0, 0);
        loop {
            let byte = body[0];
            body = &body[1..];
            size |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        unit = &body[size..];
    }
    types
}

#[test]
fn each_picture_comes_out_at_once_and_decodes_to_its_number() {
    for library in ALL {
        let mut rig = Rig::new(library, &settings(640, 368, 4000), "synthetic");
        for expected in 1..=12 {
            let (unit, _) = rig.encode();
            let picture = rig.decode(&unit);
            assert_eq!((picture.width(), picture.height()), (640, 368));
            let number = counter::read(picture.data(0), picture.stride(0), 640);
            assert_eq!(number, Some(expected), "{library:?}");
        }
    }
}

#[test]
fn key_frames_come_when_asked_for_alone_and_bring_their_parameter_sets() {
    for library in ALL {
        let mut rig = Rig::new(library, &settings(640, 368, 4000), "synthetic");
        for index in 0..40 {
            let asked = [0, 17, 31].contains(&index);
            if asked {
                rig.encoder.request_keyframe();
            }
            let (unit, key) = rig.encode();
            assert_eq!(key, asked, "{library:?}, picture {index}");
            match library {
                Library::Aom => {
                    let types = obu_types(&unit);
                    // temporal delimiter, then the sequence header of a key frame
                    assert_eq!(types[0], 2);
                    assert_eq!(types.contains(&1), key, "{types:?}");
                }
                _ => {
                    assert!(unit.starts_with(&[0, 0, 0, 1]));
                    let types = nal_types(library, &unit);
                    let (sets, idr): (&[u8], &[u8]) = match library {
                        Library::X264 => (&[7, 8], &[5]),
                        _ => (&[32, 33, 34], &[19, 20]),
                    };
                    assert_eq!(types.starts_with(sets), key, "{library:?}: {types:?}");
                    let has_idr = types.iter().any(|nal| idr.contains(nal));
                    assert_eq!(has_idr, key, "{library:?}: {types:?}");
                }
            }
        }
    }
}

#[test]
fn x264_cuts_a_picture_into_the_slices_that_were_asked_for() {
    for slices in [1, 4] {
        let settings = EncoderSettings {
            slices,
            ..settings(640, 368, 4000)
        };
        let mut rig = Rig::new(Library::X264, &settings, "synthetic");
        for _ in 0..3 {
            let (unit, _) = rig.encode();
            let types = nal_types(Library::X264, &unit);
            let count = types.iter().filter(|nal| **nal == 1 || **nal == 5).count();
            assert_eq!(count, slices as usize, "{types:?}");
        }
    }
}

#[test]
fn a_new_rate_holds_and_costs_a_key_frame_where_it_must() {
    for library in ALL {
        let mut rig = Rig::new(library, &settings(640, 368, 6000), "synthetic");
        let second = |rig: &mut Rig| {
            let units: Vec<_> = (0..30).map(|_| rig.encode()).collect();
            let keys = units.iter().filter(|(_, key)| *key).count();
            let bytes: usize = units.iter().map(|(unit, _)| unit.len()).sum();
            (bytes, keys)
        };
        let (before, keys) = second(&mut rig);
        assert_eq!(keys, 1, "{library:?}");
        rig.encoder.set_bitrate(1500).unwrap();
        let (low, keys) = second(&mut rig);
        assert_eq!(keys, usize::from(!library.changes_rate()), "{library:?}");
        assert!(low < before * 2 / 3, "{library:?}: {low} after {before}");
        // the same again is no change
        rig.encoder.set_bitrate(1500).unwrap();
        assert_eq!(second(&mut rig).1, 0, "{library:?}");
    }
}

#[test]
fn a_repeated_picture_is_encoded_from_what_is_kept() {
    for library in ALL {
        let mut rig = Rig::new(library, &settings(640, 368, 4000), "synthetic");
        let tag = Tag {
            repeated: true,
            ..Tag::default()
        };
        rig.encoder.submit_again(tag).unwrap();
        assert!(rig.encoder.poll().unwrap().is_none(), "nothing to repeat");
        let (unit, _) = rig.encode();
        rig.decode(&unit);
        rig.encoder.submit_again(tag).unwrap();
        let unit = rig.encoder.poll().unwrap().unwrap();
        assert!(unit.tag.repeated && !unit.key);
        let again = unit.data.to_vec();
        let picture = rig.decode(&again);
        let number = counter::read(picture.data(0), picture.stride(0), 640);
        assert_eq!(number, Some(1), "{library:?}");
    }
}

#[test]
fn what_the_libraries_cannot_do_is_refused() {
    let base = settings(640, 368, 4000);
    let with = |change: fn(&mut EncoderSettings)| {
        let mut settings = base.clone();
        change(&mut settings);
        settings
    };
    let refused = [
        with(|mode| mode.hdr = true),
        with(|mode| mode.chroma_444 = true),
        with(|mode| mode.width = 641),
        with(|mode| mode.height = 16),
        with(|mode| mode.width = 9000),
        with(|mode| mode.fps = 0),
        with(|mode| mode.fps = 500),
    ];
    for library in ALL {
        for mode in &refused {
            let error = Ffmpeg::new(library, mode).err().expect("refused");
            assert!(error.to_string().contains(library.name()), "{error}");
        }
    }
    let huge = EncoderSettings {
        width: 3840,
        height: 2160,
        fps: 120,
        ..base
    };
    assert!(Ffmpeg::new(Library::X264, &huge).is_err());
}

#[test]
fn the_colour_is_described_in_the_stream() {
    for library in ALL {
        for mode in 0..=5 {
            let settings = EncoderSettings {
                colour: Colour::from_csc_mode(mode).unwrap(),
                ..settings(64, 64, 1000)
            };
            let mut encoder = Ffmpeg::new(library, &settings).unwrap();
            let picture = Picture {
                width: 64,
                height: 64,
                stride: 256,
                data: vec![90; 64 * 256],
                ..Picture::default()
            };
            encoder.submit(&picture, Tag::default()).unwrap();
            let unit = encoder.poll().unwrap().unwrap().data.to_vec();
            let mut rig = Rig::new(library, &self::settings(640, 368, 1000), "synthetic");
            let decoded = rig.decode(&unit);
            let matrix: u32 = [6, 1, 9][mode as usize / 2];
            let said = ffmpeg::ffi::AVColorSpace::from(decoded.color_space()) as u32;
            assert_eq!(said, matrix, "{library:?}, colour {mode}");
            let full = decoded.color_range() == ffmpeg::color::Range::JPEG;
            assert_eq!(full, mode & 1 == 1, "{library:?}, colour {mode}");
        }
    }
}
