//! The compositor's own buffers into the card.

use crate::{
    colour_card,
    driver::{Knob, with_driver},
    lent::{Pool, counted},
    pictures::{Pictures, VAAPI, numbers, settings},
};
use punktfunk_agent::{
    convert::{Colour, ColourSpace},
    encode::{EncodeError, EncoderSettings, Kind},
    source::DmabufFormat,
};

const SIZE: (u32, u32) = (320, 184);
const SIDES: (usize, usize) = (320, 184);
/// What the simulated driver calls its own layout.
const OWN: u64 = 0x0700_0000_0000_0001;

fn small() -> EncoderSettings {
    settings(SIZE.0, SIZE.1)
}

fn format(fourcc: u32, modifier: u64) -> DmabufFormat {
    DmabufFormat { fourcc, modifier }
}

const LINEAR: DmabufFormat = DmabufFormat {
    fourcc: DmabufFormat::XRGB8888,
    modifier: DmabufFormat::LINEAR,
};

fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn units(all: Vec<(Vec<u8>, bool)>) -> Vec<Vec<u8>> {
    all.into_iter().map(|(unit, _)| unit).collect()
}

#[test]
fn lent_pictures_decode_to_themselves_and_each_buffer_is_imported_once() {
    let body = || {
        let before = open_files();
        let mut pictures = Pictures::open("h264", &small());
        let importable = pictures.encoder.importable();
        let (own, linear) = (format(DmabufFormat::XBGR8888, OWN), LINEAR);
        assert!(importable.contains(&own) && importable.contains(&linear));
        assert_eq!(importable[0].modifier, OWN, "the driver's own is best");
        let mut all = Vec::new();
        let mut pool = Pool::new(3, SIZE, linear);
        for number in 1..=20 {
            let unit = pictures.next_as(|picture| pool.lend(picture)).unwrap();
            all.push(unit.expect("an access unit"));
            assert_eq!(pool.back(), number, "given back at once");
        }
        let (again, key) = pictures.again().expect("once more");
        assert!(!key && again.len() < 200, "a still picture costs nothing");
        all.push((again, key));
        assert_eq!((counted("imported"), counted("imports")), (3, 3));
        // the compositor makes a new pool, in other bytes
        drop(pool);
        let mut pool = Pool::new(2, SIZE, own);
        for _ in 21..=30 {
            let unit = pictures.next_as(|picture| pool.lend(picture)).unwrap();
            all.push(unit.expect("an access unit"));
        }
        assert_eq!((counted("imported"), counted("imports")), (2, 5));
        let mut wanted: Vec<Option<u32>> = (1..=20).map(Some).collect();
        wanted.extend((20..=30).map(Some));
        assert_eq!(numbers(&units(all), SIDES), wanted);
        drop((pictures, pool));
        assert_eq!(open_files(), before, "files are left open");
    };
    let name = "import::lent_pictures_decode_to_themselves_and_each_buffer_is_imported_once";
    with_driver(name, &[], body, |rig| {
        assert_eq!((rig.count("imports"), rig.count("imported")), (5, 0));
    });
}

#[test]
fn a_lent_picture_of_another_shape_is_fitted_by_the_card() {
    let body = || {
        let card = colour_card::painted(&colour_card::colours());
        let size = (card.width, card.height);
        let mut pictures = Pictures::open("h264", &settings(size.0 * 2, size.1 + 64));
        let mut pool = Pool::new(1, size, LINEAR);
        let (unit, _) = pictures.next_as(|_| pool.lend(&card)).unwrap().unwrap();
        let sides = (size.0 as usize * 2, size.1 as usize + 64);
        let (luma, complaints) = crate::pictures::decoded("h264", &[unit], sides);
        assert_eq!((luma.len(), complaints.as_str()), (1, ""));
        // 256x128 in 512x192 is 384x192, in the middle: the first patches are black and blue, the last is dark
        let at = |x: usize, y: usize| luma[0][y * sides.0 + x];
        assert_eq!((at(10, 96), at(501, 96)), (16, 16), "bars");
        let blue = at(64 + 48 + 24, 24);
        assert!(blue.abs_diff(32) <= 1, "blue in BT.709: {blue}");
        let white = at(64 + 7 * 48 + 24, 24);
        assert!(white.abs_diff(235) <= 1, "white: {white}");
    };
    let name = "import::a_lent_picture_of_another_shape_is_fitted_by_the_card";
    with_driver(name, &[], body, |_| {});
}

#[test]
fn lent_colours_come_back_within_3_of_255() {
    let body = || {
        let pool = std::cell::RefCell::new(None);
        colour_card::comes_back_in_every_matrix_and_range(
            |settings| Kind::Vaapi.open("h264", settings).unwrap(),
            |encoder, card| {
                let Some(format) = encoder.importable().last().copied() else {
                    return card.clone();
                };
                let mut pool = pool.borrow_mut();
                let new = || Pool::new(2, (card.width, card.height), format);
                pool.get_or_insert_with(new).lend(card)
            },
        );
        // two matrices in two ranges
        assert_eq!(pool.into_inner().unwrap().back(), 4 * 8);
    };
    let name = "import::lent_colours_come_back_within_3_of_255";
    with_driver(name, &[], body, |_| {});
}

#[test]
fn a_refused_import_says_why_and_the_stream_goes_on_through_memory() {
    let body = || {
        let mut pictures = Pictures::open("h264", &small());
        let mut all = pictures.some(2);
        let mut pool = Pool::new(2, SIZE, LINEAR);
        let refused = pictures.next_as(|picture| pool.lend(picture));
        let Err(EncodeError::Import(why)) = refused else {
            panic!("{refused:?}");
        };
        assert!(why.contains("allocation failed"), "{why}");
        assert_eq!(pool.back(), 1);
        // as the pipeline does it: the last one again, then shared memory
        all.push(pictures.again().expect("the last one"));
        all.extend(pictures.some(3));
        assert!(all.iter().skip(1).all(|(_, key)| !key));
        let wanted = [1, 2, 2, 4, 5, 6].map(Some);
        assert_eq!(numbers(&units(all), SIDES), wanted);
    };
    let name = "import::a_refused_import_says_why_and_the_stream_goes_on_through_memory";
    let knobs = [("VAAPI_DOUBLE_REFUSE_IMPORT", "1")];
    with_driver(name, &knobs, body, |rig| {
        assert_eq!(rig.count("imports"), 0)
    });
}

#[test]
fn a_device_that_is_lost_with_lent_pictures_comes_back_with_the_next_one() {
    let knobs = [("VAAPI_DOUBLE_LOSE", "5"), ("VAAPI_DOUBLE_LOSSES", "2")];
    let body = || {
        let mut pictures = Pictures::open("h264", &small());
        let mut pool = Pool::new(2, SIZE, LINEAR);
        let mut all = Vec::new();
        for number in 0..10 {
            let unit = pictures.next_as(|picture| pool.lend(picture)).unwrap();
            let (unit, key) = unit.expect("no picture is left out");
            assert_eq!(key, number % 5 == 0, "picture {number}");
            all.push(unit);
        }
        // what was lent is the compositor's again, and was nowhere but on the card
        assert!(pictures.again().is_none());
        let unit = pictures.next_as(|picture| pool.lend(picture)).unwrap();
        let (unit, key) = unit.expect("the next picture");
        assert!(key);
        all.push(unit);
        assert!(pictures.again().is_some());
        let wanted: Vec<Option<u32>> = (1..=11).map(Some).collect();
        assert_eq!(numbers(&all, SIDES), wanted);
    };
    let name = "import::a_device_that_is_lost_with_lent_pictures_comes_back_with_the_next_one";
    with_driver(name, &knobs, body, |rig| {
        assert_eq!(rig.count("contexts_opened"), 3);
        assert_eq!(rig.count("imports"), 2 + 2 + 1);
    });
}

/// What is offered of a driver with this knob.
fn offered(test: &str, knobs: &[Knob], settings: &EncoderSettings, wanted: &[DmabufFormat]) {
    let body = || {
        let before = open_files();
        let encoder = VAAPI.open("h264", settings).unwrap();
        assert_eq!(encoder.importable(), wanted);
        drop(encoder);
        assert_eq!(open_files(), before, "files are left open");
    };
    with_driver(test, knobs, body, |_| {});
}

#[test]
fn without_a_conversion_of_the_card_nothing_is_offered() {
    let test = "import::without_a_conversion_of_the_card_nothing_is_offered";
    offered(test, &[("VAAPI_DOUBLE_NO_PROCESSING", "1")], &small(), &[]);
}

#[test]
fn a_card_that_imports_nothing_offers_nothing() {
    let test = "import::a_card_that_imports_nothing_offers_nothing";
    offered(test, &[("VAAPI_DOUBLE_NO_IMPORT", "1")], &small(), &[]);
}

#[test]
fn whoever_switches_it_off_gets_copies() {
    let test = "import::whoever_switches_it_off_gets_copies";
    offered(test, &[("PUNKTFUNK_VAAPI_IMPORT", "0")], &small(), &[]);
}

#[test]
fn a_driver_that_does_not_tell_its_layout_takes_lines() {
    let test = "import::a_driver_that_does_not_tell_its_layout_takes_lines";
    let wanted = [
        DmabufFormat::XRGB8888,
        DmabufFormat::ARGB8888,
        DmabufFormat::XBGR8888,
        DmabufFormat::ABGR8888,
    ]
    .map(|fourcc| format(fourcc, DmabufFormat::LINEAR));
    offered(test, &[("VAAPI_DOUBLE_NO_EXPORT", "1")], &small(), &wanted);
}

#[test]
fn bt2020_is_converted_in_memory() {
    let test = "import::bt2020_is_converted_in_memory";
    let colour = Colour {
        space: ColourSpace::Bt2020,
        full_range: false,
    };
    let settings = EncoderSettings { colour, ..small() };
    offered(test, &[], &settings, &[]);
}
