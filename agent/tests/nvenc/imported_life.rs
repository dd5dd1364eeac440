//! Lent buffers over the life of a stream: imported once, given back at once, and what happens when something is lost.

use crate::{
    driver::with_egl,
    lent::{Pool, TILED, counted},
    pictures::{Pictures, settings, shown},
};
use openh264::decoder::Decoder;
use punktfunk_agent::{
    encode::{EncodeError, EncoderSettings},
    source::DmabufFormat,
};
use std::{
    thread,
    time::{Duration, Instant},
};

const SIZE: (u32, u32) = (320, 192);

const OWN: DmabufFormat = DmabufFormat {
    fourcc: DmabufFormat::XRGB8888,
    modifier: TILED,
};
const LINEAR: DmabufFormat = DmabufFormat {
    fourcc: DmabufFormat::XBGR8888,
    modifier: DmabufFormat::LINEAR,
};

fn small() -> EncoderSettings {
    settings(SIZE.0, SIZE.1)
}

fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn lent(pictures: &mut Pictures, pool: &mut Pool) -> Option<(Vec<u8>, bool)> {
    pictures.next_as(|picture| pool.lend(picture)).unwrap()
}

#[test]
fn lent_pictures_decode_to_themselves_and_each_buffer_is_imported_once() {
    let body = || {
        // what EGL keeps for the whole process is opened by the first
        drop(Pictures::open("h264", &small()));
        let before = open_files();
        let mut pictures = Pictures::open("h264", &small());
        let mut decoder = Decoder::new().unwrap();
        let mut pool = Pool::new(3, SIZE, OWN);
        for number in 1..=20 {
            let (unit, key) = lent(&mut pictures, &mut pool).expect("an access unit");
            assert_eq!(key, number == 1);
            assert_eq!(shown(&mut decoder, &unit), Some(number));
            assert_eq!(
                pool.back() + 1,
                number as usize,
                "the last one alone is kept"
            );
        }
        let (again, key) = pictures.again().expect("once more");
        assert!(!key);
        assert_eq!(shown(&mut decoder, &again), Some(20));
        assert_eq!((counted("images"), counted("imports")), (3, 3));
        // the compositor makes a new pool, in other bytes; one picture in between comes in memory
        drop(pool);
        let (again, _) = pictures.again().expect("once more");
        assert_eq!(shown(&mut decoder, &again), Some(20));
        assert_eq!(
            counted("images"),
            1,
            "the others are the compositor's no more"
        );
        let (unit, _) = pictures.next().expect("an access unit");
        assert_eq!(shown(&mut decoder, &unit), Some(21));
        assert_eq!(
            counted("images"),
            0,
            "nothing is kept of a pool that is gone"
        );
        let mut pool = Pool::new(2, SIZE, LINEAR);
        for number in 22..=29 {
            let (unit, _) = lent(&mut pictures, &mut pool).expect("an access unit");
            assert_eq!(shown(&mut decoder, &unit), Some(number));
        }
        assert_eq!((counted("images"), counted("imports")), (2, 5));
        drop((pictures, pool));
        assert_eq!(open_files(), before, "files are left open");
    };
    let name = "imported_life::lent_pictures_decode_to_themselves_and_each_buffer_is_imported_once";
    with_egl(name, &[], body, |rig| {
        assert_eq!(rig.count("gl_contexts_made"), 2)
    });
}

#[test]
fn a_pool_that_is_larger_than_any_is_imported_anew_and_never_piles_up() {
    let body = || {
        let mut pictures = Pictures::open("h264", &small());
        let mut pool = Pool::new(40, SIZE, OWN);
        for _ in 0..80 {
            lent(&mut pictures, &mut pool).expect("an access unit");
            assert!(counted("images") <= 32);
        }
    };
    let name = "imported_life::a_pool_that_is_larger_than_any_is_imported_anew_and_never_piles_up";
    with_egl(name, &[], body, |_| {});
}

#[test]
fn many_streams_leave_nothing_behind() {
    let body = || {
        for _ in 0..25 {
            let mut pictures = Pictures::open("h264", &settings(128, 128));
            let mut pool = Pool::new(2, (128, 128), OWN);
            for _ in 0..3 {
                lent(&mut pictures, &mut pool).expect("an access unit");
            }
        }
    };
    let name = "imported_life::many_streams_leave_nothing_behind";
    with_egl(name, &[], body, |rig| {
        assert_eq!(
            (rig.count("imports"), rig.count("gl_contexts_made")),
            (50, 25)
        );
    });
}

#[test]
fn streams_run_side_by_side_and_move_between_threads() {
    let body = || {
        let stream = || {
            let mut pictures = Pictures::open("h264", &small());
            let mut pool = Pool::new(2, SIZE, OWN).beside_others();
            let mut decoder = Decoder::new().unwrap();
            for number in 1..=4 {
                let another = thread::spawn(move || {
                    let unit = lent(&mut pictures, &mut pool).expect("an access unit");
                    (pictures, pool, unit)
                });
                let unit;
                (pictures, pool, (unit, _)) = another.join().unwrap();
                assert_eq!(shown(&mut decoder, &unit), Some(number));
            }
        };
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(stream);
            }
        });
    };
    let name = "imported_life::streams_run_side_by_side_and_move_between_threads";
    with_egl(name, &[], body, |_| {});
}

/// As the pipeline does it: the last one again, then shared memory.
fn goes_on_through_memory(pictures: &mut Pictures, pool: &mut Pool, why_part: &str) {
    let refused = pictures.next_as(|picture| pool.lend(picture));
    let Err(EncodeError::Import(why)) = refused else {
        panic!("{refused:?}");
    };
    assert!(why.contains(why_part), "{why}");
    let mut decoder = Decoder::new().unwrap();
    pictures.encoder.request_keyframe();
    let (again, key) = pictures.again().expect("the last one");
    assert!(key);
    assert_eq!(shown(&mut decoder, &again), Some(2));
    // the third one was refused
    for number in 4..7 {
        let (unit, key) = pictures.next().expect("an access unit");
        assert!(!key);
        assert_eq!(shown(&mut decoder, &unit), Some(number));
    }
}

#[test]
fn a_refused_import_says_why_and_the_stream_goes_on_through_memory() {
    let body = || {
        let mut pictures = Pictures::open("h264", &small());
        pictures.some(2);
        let mut pool = Pool::new(2, SIZE, OWN);
        goes_on_through_memory(&mut pictures, &mut pool, "out of memory (0x3003)");
        assert_eq!(pool.back(), 1);
    };
    let name = "imported_life::a_refused_import_says_why_and_the_stream_goes_on_through_memory";
    with_egl(name, &[("EGL_DOUBLE_REFUSE_IMPORT", "1")], body, |rig| {
        assert_eq!(rig.count("imports"), 0);
    });
}

#[test]
fn a_context_of_opengl_that_is_lost_ends_no_stream() {
    let body = || {
        let mut pictures = Pictures::open("h264", &small());
        let mut pool = Pool::new(2, SIZE, OWN);
        for _ in 0..2 {
            lent(&mut pictures, &mut pool).expect("an access unit");
        }
        // what was converted before is still the card's
        goes_on_through_memory(&mut pictures, &mut pool, "context lost (0x300e)");
    };
    // one to make everything, one for each picture
    let name = "imported_life::a_context_of_opengl_that_is_lost_ends_no_stream";
    with_egl(name, &[("EGL_DOUBLE_LOSE", "4")], body, |rig| {
        assert_eq!(rig.count("imports"), 2);
    });
}

#[test]
fn a_device_that_is_lost_with_a_lent_picture_comes_back_with_that_picture() {
    let knobs = [("NVENC_DOUBLE_LOSE", "5"), ("NVENC_DOUBLE_LOSSES", "2")];
    let body = || {
        let mut pictures = Pictures::open("h264", &small());
        let mut decoder = Decoder::new().unwrap();
        let mut pool = Pool::new(2, SIZE, OWN);
        for number in 0..10 {
            let (unit, key) = lent(&mut pictures, &mut pool).expect("no picture is left out");
            assert_eq!(key, number % 5 == 0, "picture {number}");
            assert_eq!(shown(&mut decoder, &unit), Some(number + 1));
        }
        let (again, key) = pictures.again().expect("the last one is kept");
        assert!(key);
        assert_eq!(shown(&mut decoder, &again), Some(10));
        let (unit, key) = lent(&mut pictures, &mut pool).expect("the next picture");
        assert!(!key);
        assert_eq!(shown(&mut decoder, &unit), Some(11));
        let (again, _) = pictures.again().expect("the last picture");
        assert_eq!(shown(&mut decoder, &again), Some(11));
    };
    let name =
        "imported_life::a_device_that_is_lost_with_a_lent_picture_comes_back_with_that_picture";
    with_egl(name, &knobs, body, |rig| {
        assert_eq!(rig.count("contexts_made"), 1 + 3);
        assert_eq!(rig.count("imports"), 2 + 2 + 2);
    });
}

#[test]
fn a_picture_that_was_lent_while_the_device_was_away_is_shown_when_it_is_back() {
    let knobs = [
        ("NVENC_DOUBLE_LOSE", "2"),
        ("NVENC_DOUBLE_LOSSES", "1"),
        ("NVENC_DOUBLE_AWAY", "3"),
    ];
    let body = || {
        let mut pictures = Pictures::open("h264", &small());
        let mut decoder = Decoder::new().unwrap();
        let mut pool = Pool::new(3, SIZE, OWN);
        for _ in 0..2 {
            let (unit, _) = lent(&mut pictures, &mut pool).expect("an access unit");
            assert!(shown(&mut decoder, &unit).is_some());
        }
        assert!(
            lent(&mut pictures, &mut pool).is_none(),
            "the device is away"
        );
        let (unit, key) = until(&mut pictures, |unit| unit);
        assert!(key);
        assert_eq!(shown(&mut decoder, &unit), Some(3));
    };
    let name =
        "imported_life::a_picture_that_was_lent_while_the_device_was_away_is_shown_when_it_is_back";
    with_egl(name, &knobs, body, |_| {});
}

/// Repetitions until one gives what is waited for.
fn until<T>(
    pictures: &mut Pictures,
    mut wanted: impl FnMut(Option<(Vec<u8>, bool)>) -> Option<T>,
) -> T {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        assert!(Instant::now() < end, "it never came");
        let unit = pictures.again();
        if let Some(found) = wanted(unit) {
            return found;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_card_that_imports_nothing_after_a_loss_gets_the_next_picture_through_memory() {
    let knobs = [
        ("NVENC_DOUBLE_LOSE", "2"),
        ("NVENC_DOUBLE_LOSSES", "1"),
        ("EGL_DOUBLE_REFUSE_IMPORT", "3"),
    ];
    let body = || {
        let mut pictures = Pictures::open("h264", &small());
        let mut pool = Pool::new(2, SIZE, OWN);
        for _ in 0..2 {
            lent(&mut pictures, &mut pool).expect("an access unit");
        }
        assert!(lent(&mut pictures, &mut pool).is_none(), "it waits");
        assert_eq!(pool.back(), 2);
        until(&mut pictures, |unit| {
            assert!(unit.is_none());
            (pool.back() == 3).then_some(())
        });
        assert!(pictures.again().is_none(), "nobody has it any more");
        let (unit, key) = pictures.next().expect("an access unit");
        assert!(key);
        assert_eq!(shown(&mut Decoder::new().unwrap(), &unit), Some(4));
    };
    let name = "imported_life::a_card_that_imports_nothing_after_a_loss_gets_the_next_picture_through_memory";
    with_egl(name, &knobs, body, |rig| {
        assert_eq!(rig.count("imports"), 2);
    });
}

#[test]
fn a_device_that_is_lost_while_it_converts_is_opened_anew_for_the_same_picture() {
    let body = || {
        let mut pictures = Pictures::open("h264", &small());
        let mut decoder = Decoder::new().unwrap();
        let mut pool = Pool::new(2, SIZE, OWN);
        for number in 0..6 {
            let (unit, key) = lent(&mut pictures, &mut pool).expect("no picture is left out");
            assert_eq!(key, [0, 3].contains(&number), "picture {number}");
            assert_eq!(shown(&mut decoder, &unit), Some(number + 1));
        }
    };
    let name = "imported_life::a_device_that_is_lost_while_it_converts_is_opened_anew_for_the_same_picture";
    with_egl(name, &[("CUDA_DOUBLE_LOSE_MAPPING", "4")], body, |rig| {
        assert_eq!(rig.count("gl_contexts_made"), 2);
    });
}

#[test]
fn a_card_that_is_opened_anew_for_a_rate_keeps_the_picture_that_was_lent() {
    let body = || {
        let mut pictures = Pictures::open("h264", &small());
        let mut decoder = Decoder::new().unwrap();
        let mut pool = Pool::new(2, SIZE, OWN);
        for _ in 0..3 {
            lent(&mut pictures, &mut pool).expect("an access unit");
        }
        pictures.encoder.set_bitrate(1500).unwrap();
        let (unit, key) = pictures.again().expect("the last picture");
        assert!(key);
        assert_eq!(shown(&mut decoder, &unit), Some(3));
        let (unit, key) = lent(&mut pictures, &mut pool).expect("an access unit");
        assert!(!key);
        assert_eq!(shown(&mut decoder, &unit), Some(4));
    };
    let name =
        "imported_life::a_card_that_is_opened_anew_for_a_rate_keeps_the_picture_that_was_lent";
    with_egl(name, &[("NVENC_DOUBLE_NO_NEW_RATE", "1")], body, |rig| {
        assert_eq!(rig.pictures().last().unwrap().kbps, 1500);
    });
}
