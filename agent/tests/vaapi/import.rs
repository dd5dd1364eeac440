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
    source::{DmabufFormat, Picture},
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
            assert_eq!(pool.back(), number - 1, "the last one is kept");
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
fn a_still_picture_that_was_lent_stays_as_it_is_where_conversions_are_put_off() {
    let body = || {
        let mut pictures = Pictures::open("h264", &small());
        let mut pool = Pool::new(3, SIZE, LINEAR);
        // what the surface holds if nothing is converted into it
        let mut all = pictures.some(1);
        for _ in 0..3 {
            let unit = pictures.next_as(|picture| pool.lend(picture)).unwrap();
            all.push(unit.expect("an access unit"));
            all.extend(pictures.again());
            all.extend(pictures.again());
        }
        assert_eq!(pool.back(), 2, "the last one is kept");
        all.extend(pictures.some(1));
        assert_eq!(pool.back(), 3);
        all.extend(pictures.again());
        drop(pool);
        assert_eq!(counted("imported"), 3);
        all.extend(pictures.some(1));
        assert_eq!(counted("imported"), 0, "a pool that is gone is forgotten");
        let wanted = [1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 6].map(Some);
        assert_eq!(numbers(&units(all), SIDES), wanted);
    };
    let name = "import::a_still_picture_that_was_lent_stays_as_it_is_where_conversions_are_put_off";
    with_driver(name, &[("VAAPI_DOUBLE_EFC", "1")], body, |_| {});
}

#[test]
fn bars_are_black_after_pictures_of_other_shapes() {
    let body = || {
        let card = colour_card::painted(&colour_card::colours());
        let white = |width: u32, height: u32| Picture {
            width,
            height,
            stride: width as usize * 4,
            data: vec![255; width as usize * height as usize * 4],
            ..Picture::default()
        };
        let size = (256, 128);
        let mut pictures = Pictures::open("h264", &settings(size.0, size.1));
        let tall = white(64, 128);
        let wide = white(256, 32);
        let mut pools = [(64, 128), (256, 32)].map(|size| Pool::new(1, size, LINEAR));
        let mut all = Vec::new();
        let mut show = |picture: Picture| {
            let unit = pictures.next_as(|_| picture).unwrap();
            all.push(unit.expect("an access unit").0);
        };
        show(card.clone());
        show(pools[0].lend(&tall));
        show(pools[1].lend(&wide));
        show(card);
        show(pools[1].lend(&wide));
        let (luma, complaints) =
            crate::pictures::decoded("h264", &all, (size.0 as usize, size.1 as usize));
        assert_eq!((luma.len(), complaints.as_str()), (5, ""));
        let at = |picture: usize, x: usize, y: usize| luma[picture][y * size.0 as usize + x];
        for (picture, x, y, wanted) in [
            (1, 10, 64, 16),
            (1, 245, 64, 16),
            (1, 128, 10, 235),
            (2, 128, 10, 16),
            (2, 10, 64, 235),
            (4, 128, 10, 16),
            (4, 128, 118, 16),
            (4, 10, 64, 235),
        ] {
            assert_eq!(at(picture, x, y), wanted, "picture {picture} at {x}, {y}");
        }
    };
    let name = "import::bars_are_black_after_pictures_of_other_shapes";
    with_driver(name, &[], body, |_| {});
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
        // one matrix in two ranges
        assert_eq!(pool.into_inner().unwrap().back(), 2 * 8);
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
fn a_device_that_is_lost_with_a_lent_picture_comes_back_with_that_picture() {
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
        let (unit, key) = pictures.again().expect("the last one is kept");
        assert!(key);
        all.push(unit);
        let unit = pictures.next_as(|picture| pool.lend(picture)).unwrap();
        let (unit, key) = unit.expect("the next picture");
        assert!(!key);
        all.push(unit);
        let mut wanted: Vec<Option<u32>> = (1..=10).map(Some).collect();
        wanted.extend([Some(10), Some(11)]);
        assert_eq!(numbers(&all, SIDES), wanted);
    };
    let name = "import::a_device_that_is_lost_with_a_lent_picture_comes_back_with_that_picture";
    with_driver(name, &knobs, body, |rig| {
        assert_eq!(rig.count("contexts_opened"), 3);
        assert_eq!(rig.count("imports"), 2 + 2 + 2);
    });
}

#[test]
fn a_picture_that_was_lent_while_the_device_was_away_is_shown_when_it_is_back() {
    let knobs = [
        ("VAAPI_DOUBLE_LOSE", "2"),
        ("VAAPI_DOUBLE_LOSSES", "1"),
        ("VAAPI_DOUBLE_AWAY", "3"),
    ];
    let body = || {
        let mut pictures = Pictures::open("h264", &small());
        let mut pool = Pool::new(3, SIZE, LINEAR);
        for _ in 0..2 {
            let unit = pictures.next_as(|picture| pool.lend(picture)).unwrap();
            assert!(unit.is_some());
        }
        let unit = pictures.next_as(|picture| pool.lend(picture)).unwrap();
        assert!(unit.is_none(), "the device is away");
        let (unit, key) = until_back(&mut pictures);
        assert!(key);
        assert_eq!(numbers(&[unit], SIDES), [Some(3)]);
    };
    let name = "import::a_picture_that_was_lent_while_the_device_was_away_is_shown_when_it_is_back";
    with_driver(name, &knobs, body, |_| {});
}

/// Pictures until one comes out again.
fn until_back(pictures: &mut Pictures) -> (Vec<u8>, bool) {
    let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
    loop {
        assert!(std::time::Instant::now() < end, "it never came back");
        if let Some(unit) = pictures.again() {
            return unit;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[test]
fn one_refusal_after_a_loss_does_not_end_the_import() {
    let knobs = [
        ("VAAPI_DOUBLE_LOSE", "2"),
        ("VAAPI_DOUBLE_LOSSES", "1"),
        ("VAAPI_DOUBLE_UNSETTLED", "1"),
    ];
    let body = || {
        let mut pictures = Pictures::open("h264", &small());
        let mut pool = Pool::new(3, SIZE, LINEAR);
        for _ in 0..2 {
            let unit = pictures.next_as(|picture| pool.lend(picture)).unwrap();
            assert!(unit.is_some());
        }
        let unit = pictures.next_as(|picture| pool.lend(picture)).unwrap();
        assert!(unit.is_none(), "it waits");
        let (unit, key) = until_back(&mut pictures);
        assert!(key);
        let mut all = vec![unit];
        for _ in 0..3 {
            let unit = pictures.next_as(|picture| pool.lend(picture)).unwrap();
            all.push(unit.expect("an access unit").0);
        }
        assert_eq!(numbers(&all, SIDES), [3, 4, 5, 6].map(Some));
    };
    let name = "import::one_refusal_after_a_loss_does_not_end_the_import";
    with_driver(name, &knobs, body, |_| {});
}

#[test]
fn a_driver_that_refuses_twice_after_a_loss_gets_copies() {
    let knobs = [
        ("VAAPI_DOUBLE_LOSE", "2"),
        ("VAAPI_DOUBLE_LOSSES", "1"),
        ("VAAPI_DOUBLE_UNSETTLED", "1000"),
    ];
    let body = || {
        let mut pictures = Pictures::open("h264", &small());
        let mut pool = Pool::new(3, SIZE, LINEAR);
        for _ in 0..2 {
            let unit = pictures.next_as(|picture| pool.lend(picture)).unwrap();
            assert!(unit.is_some());
        }
        let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
        let why = loop {
            assert!(std::time::Instant::now() < end, "it is tried forever");
            match pictures.next_as(|picture| pool.lend(picture)) {
                Ok(unit) => assert!(unit.is_none()),
                Err(error) => break error,
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        };
        assert!(matches!(why, EncodeError::Import(_)), "{why}");
        // as the pipeline does it: the last one again, which was lent as well, then shared memory
        assert!(pictures.again().is_none());
        let (unit, key) = pictures.next().expect("an access unit");
        assert!(key);
        // one of them was a repetition
        assert_eq!(numbers(&[unit], SIDES), [Some(pictures.number - 1)]);
    };
    let name = "import::a_driver_that_refuses_twice_after_a_loss_gets_copies";
    with_driver(name, &knobs, body, |_| {});
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

fn offered_in(test: &str, space: ColourSpace) {
    let colour = Colour {
        space,
        full_range: false,
    };
    let settings = EncoderSettings { colour, ..small() };
    offered(test, &[], &settings, &[]);
}

#[test]
fn bt601_is_converted_in_memory() {
    offered_in("import::bt601_is_converted_in_memory", ColourSpace::Bt601);
}

#[test]
fn bt2020_is_converted_in_memory() {
    offered_in("import::bt2020_is_converted_in_memory", ColourSpace::Bt2020);
}
