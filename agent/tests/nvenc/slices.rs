//! Slices that are handed out while the rest of their picture is encoded.

use crate::{
    driver::with_driver,
    pictures::{Pictures, settings, shown},
};
use openh264::decoder::Decoder;
use punktfunk_agent::encode::{AccessUnit, EncoderSettings, Parts};
use std::{env, fs, path::PathBuf};

/// What was handed out of a picture. Its last slice is kept back until the last part but one has come.
#[derive(Default)]
struct Seen {
    parts: Vec<(Vec<u8>, bool)>,
    voids: usize,
    hold: Option<PathBuf>,
}

impl Parts for Seen {
    fn part(&mut self, unit: &AccessUnit<'_>, parts: u8) {
        self.parts.push((unit.data.to_vec(), unit.key));
        if let Some(hold) = &self.hold {
            assert!(hold.exists(), "the last slice is there before part {parts}");
            if self.parts.len() + 1 == usize::from(parts) {
                fs::remove_file(hold).unwrap();
            }
        }
    }

    fn void(&mut self) {
        self.voids += 1;
    }
}

fn sliced(slices: u32) -> EncoderSettings {
    EncoderSettings {
        slices,
        parts: true,
        ..settings(640, 368)
    }
}

#[test]
fn each_slice_is_handed_out_before_the_last_one_exists() {
    let body = || {
        let hold = PathBuf::from(env::var_os("NVENC_DOUBLE_BOOKS").unwrap()).join("hold");
        for (codec, slices) in [("h264", 4), ("h264", 2)] {
            let mut pictures = Pictures::open(codec, &sliced(slices));
            let mut decoder = Decoder::new().unwrap();
            for index in 0..12u32 {
                if index == 7 {
                    pictures.encoder.request_keyframe();
                }
                fs::write(&hold, b"").unwrap();
                let mut seen = Seen {
                    hold: Some(hold.clone()),
                    ..Seen::default()
                };
                let (unit, key) = pictures.next_in_parts(&mut seen).unwrap();
                assert_eq!(key, [0, 7].contains(&index), "{codec}, picture {index}");
                assert_eq!(seen.parts.len(), slices.min(4) as usize - 1);
                let mut before = 0;
                for (data, same_key) in &seen.parts {
                    assert!(data.len() > before && unit.starts_with(data));
                    assert!(unit[data.len()..].starts_with(&[0, 0, 0, 1]));
                    assert_eq!(*same_key, key);
                    before = data.len();
                }
                assert!(unit.len() > before && seen.voids == 0);
                if codec == "h264" {
                    assert_eq!(shown(&mut decoder, &unit), Some(index + 1));
                }
            }
        }
    };
    let name = "slices::each_slice_is_handed_out_before_the_last_one_exists";
    with_driver(name, &[], body, |_| {});
}

fn nothing_is_handed_out(codec: &str, settings: &EncoderSettings) {
    let mut pictures = Pictures::open(codec, settings);
    for _ in 0..4 {
        let mut seen = Seen::default();
        pictures.next_in_parts(&mut seen).unwrap();
        assert!(seen.parts.is_empty() && seen.voids == 0);
    }
}

#[test]
fn pictures_come_whole_where_nobody_wants_parts_or_there_are_none() {
    let body = || {
        nothing_is_handed_out("h264", &sliced(0));
        nothing_is_handed_out("h264", &sliced(1));
        nothing_is_handed_out("av1", &sliced(4));
        let unwanted = EncoderSettings {
            parts: false,
            ..sliced(4)
        };
        nothing_is_handed_out("h264", &unwanted);
    };
    let name = "slices::pictures_come_whole_where_nobody_wants_parts_or_there_are_none";
    with_driver(name, &[], body, |_| {});
}

#[test]
fn pictures_come_whole_from_a_card_that_cannot_give_slices() {
    let body = || nothing_is_handed_out("h264", &sliced(4));
    let name = "slices::pictures_come_whole_from_a_card_that_cannot_give_slices";
    let knobs = [("NVENC_DOUBLE_NO_SUB_FRAMES", "1")];
    with_driver(name, &knobs, body, |_| {});
}

#[test]
fn a_picture_that_is_whole_at_the_first_look_is_taken_then() {
    let body = || nothing_is_handed_out("h264", &sliced(4));
    let name = "slices::a_picture_that_is_whole_at_the_first_look_is_taken_then";
    with_driver(name, &[("NVENC_DOUBLE_ALL_AT_ONCE", "1")], body, |_| {});
}

#[test]
fn a_driver_that_takes_slices_back_is_not_asked_for_them_again() {
    let body = || {
        let mut pictures = Pictures::open("h264", &sliced(4));
        for index in 0..8 {
            let mut seen = Seen::default();
            assert!(pictures.next_in_parts(&mut seen).is_some());
            let expected = if index <= 3 { 3 } else { 0 };
            assert_eq!(seen.parts.len(), expected, "picture {index}");
            assert_eq!(seen.voids, usize::from(index == 3), "picture {index}");
        }
    };
    let name = "slices::a_driver_that_takes_slices_back_is_not_asked_for_them_again";
    with_driver(name, &[("NVENC_DOUBLE_TAKES_BACK", "3")], body, |_| {});
}
