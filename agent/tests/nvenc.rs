//! NVENC against the simulated driver: what a real one would refuse is a fault in its books, and there must be none.
//!
//! The driver is found through `LD_LIBRARY_PATH`, which the loader reads when a program starts: each test that uses it in
//! its own process runs itself once more, with the driver and the knobs that it wants.

use nvenc_double::rig::{Libraries, Rig};
use openh264::{decoder::Decoder, formats::YUVSource};
use punktfunk_agent::{
    encode::{Choice, EncodeError, Encoder, EncoderSettings, Kind, Tag, nvenc},
    source::{
        self, Outputs, Painter, Picture, SourceRequest, gamescope::Inside, synthetic::counter,
    },
};
use std::process::{Command, Output};

const AGENT: &str = env!("CARGO_BIN_EXE_punktfunk-agent");
const INSIDE: &str = "PUNKTFUNK_TEST_INSIDE";
const NVENC: Choice = Choice::Only(Kind::Nvenc);

/// A variable for the driver.
type Knob = (&'static str, &'static str);

/// Run `body` in a process that has the driver with these knobs; afterwards `books` looks at what is written down.
fn with_driver(test: &str, knobs: &[Knob], body: impl FnOnce(), books: impl FnOnce(&Rig)) {
    if std::env::var_os(INSIDE).is_some() {
        body();
        return;
    }
    let rig = Rig::new(Libraries::Both);
    let output = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .envs(rig.environment())
        .envs(knobs.iter().copied())
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let text = said(&output);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("1 passed"), "{text}");
    assert_eq!(rig.faults(), "", "{text}");
    for name in [
        "sessions",
        "registered",
        "mapped",
        "bitstreams",
        "contexts",
        "memory",
        "pinned",
    ] {
        assert_eq!(rig.count(name), 0, "{name} left over");
    }
    assert!(
        rig.count("sessions_opened") > 0,
        "the driver was not used:\n{text}"
    );
    books(&rig);
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn settings(width: u32, height: u32) -> EncoderSettings {
    EncoderSettings {
        width,
        height,
        fps: 60,
        bitrate_kbps: 4000,
        ..EncoderSettings::default()
    }
}

/// An encoder with the test pattern in front of it.
struct Pictures {
    encoder: Box<dyn Encoder>,
    painter: Box<dyn Painter>,
    picture: Picture,
    number: u32,
}

impl Pictures {
    fn open(codec: &str, settings: &EncoderSettings) -> Self {
        let request = SourceRequest {
            width: settings.width,
            height: settings.height,
            fps: 60,
            cursor: false,
            inside: Inside::Whatever,
            outputs: Outputs::Extend,
        };
        Self {
            encoder: NVENC.open(codec, settings).unwrap(),
            painter: source::open("synthetic", &request)
                .unwrap()
                .painter()
                .unwrap(),
            picture: Picture::default(),
            number: 0,
        }
    }

    /// The next picture's access unit, and whether it is a key frame; `None` where none came out.
    fn next(&mut self) -> Option<(Vec<u8>, bool)> {
        let tag = Tag {
            picture: self.number,
            pts_ns: u64::from(self.number) * 16_666_667,
            ..Tag::default()
        };
        self.number += 1;
        self.painter.paint(&mut self.picture, tag.pts_ns);
        self.encoder.submit(&self.picture, tag).unwrap();
        let unit = self.encoder.poll().unwrap()?;
        assert_eq!(unit.tag, tag);
        Some((unit.data.to_vec(), unit.key))
    }

    fn some(&mut self, count: usize) -> Vec<(Vec<u8>, bool)> {
        (0..count)
            .map(|_| self.next().expect("an access unit"))
            .collect()
    }
}

fn shown(decoder: &mut Decoder, unit: &[u8]) -> Option<u32> {
    let picture = decoder.decode(unit).unwrap()?;
    counter::read(picture.y(), picture.strides().0, picture.dimensions().0)
}

#[test]
fn h264_decodes_and_key_frames_come_when_asked_for_and_with_their_parameter_sets() {
    let body = || {
        let mut pictures = Pictures::open("h264", &settings(640, 368));
        let mut decoder = Decoder::new().unwrap();
        for index in 0..40 {
            if index == 17 {
                pictures.encoder.request_keyframe();
            }
            let (unit, key) = pictures.next().unwrap();
            assert_eq!(key, [0, 17].contains(&index), "picture {index}");
            assert_eq!(unit[4] & 0x1f, if key { 7 } else { 1 }, "picture {index}");
            assert_eq!(shown(&mut decoder, &unit), Some(index + 1));
        }
        let tag = Tag {
            picture: 40,
            repeated: true,
            ..Tag::default()
        };
        pictures.encoder.submit_again(tag).unwrap();
        let unit = pictures
            .encoder
            .poll()
            .unwrap()
            .expect("the last picture again");
        assert!(unit.tag.repeated && !unit.key);
        assert_eq!(shown(&mut decoder, unit.data), Some(40));
    };
    let name = "h264_decodes_and_key_frames_come_when_asked_for_and_with_their_parameter_sets";
    with_driver(name, &[], body, |rig| {
        let pictures = rig.pictures();
        assert_eq!(pictures.len(), 41);
        let keys = pictures.iter().filter(|picture| picture.kind == "IDR");
        assert_eq!(keys.map(|key| key.stamp).collect::<Vec<_>>(), [0, 17]);
    });
}

#[test]
fn after_an_invalidation_nothing_lost_is_referred_to_and_a_decoder_goes_on_without_an_idr() {
    let body = || {
        let mut pictures = Pictures::open("h264", &settings(640, 368));
        let mut decoder = Decoder::new().unwrap();
        assert!(pictures.encoder.can_invalidate_refs());
        for (unit, _) in pictures.some(20) {
            assert!(shown(&mut decoder, &unit).is_some());
        }
        // 20 is lost on the way, 21 and 22 are of no use without it
        pictures.some(3);
        assert!(pictures.encoder.invalidate_refs(20, 22));
        for number in 24..=40 {
            let (unit, key) = pictures.next().unwrap();
            assert!(!key);
            assert_eq!(shown(&mut decoder, &unit), Some(number));
        }
        // a whole window is lost: nothing is left to refer to
        assert!(!pictures.encoder.invalidate_refs(35, 39));
        pictures.encoder.request_keyframe();
        assert!(pictures.next().unwrap().1);
        assert!(
            !pictures.encoder.invalidate_refs(40, 40),
            "nothing older than a key frame"
        );
    };
    let name =
        "after_an_invalidation_nothing_lost_is_referred_to_and_a_decoder_goes_on_without_an_idr";
    with_driver(name, &[], body, |rig| {
        assert_eq!(
            rig.calls(),
            ["2 invalidate 20", "2 invalidate 21", "2 invalidate 22"]
        );
        let pictures = rig.pictures();
        assert_eq!((pictures[23].stamp, pictures[23].from), (23, Some(19)));
        let lost = |stamp: Option<u64>| stamp.is_some_and(|stamp| (20..23).contains(&stamp));
        assert!(!pictures[23..].iter().any(|picture| lost(picture.from)));
        assert_eq!(
            pictures
                .iter()
                .filter(|picture| picture.kind == "IDR")
                .count(),
            2
        );
    });
}

fn nothing_is_invalidated(settings: &EncoderSettings) {
    let mut pictures = Pictures::open("h264", settings);
    pictures.some(3);
    assert!(!pictures.encoder.can_invalidate_refs());
    assert!(!pictures.encoder.invalidate_refs(2, 2));
}

#[test]
fn a_client_that_takes_one_reference_gets_key_frames() {
    let one = EncoderSettings {
        max_reference_frames: 1,
        ..settings(640, 368)
    };
    let body = || nothing_is_invalidated(&one);
    let name = "a_client_that_takes_one_reference_gets_key_frames";
    with_driver(name, &[], body, |rig| assert!(rig.calls().is_empty()));
}

#[test]
fn a_card_without_invalidation_answers_with_key_frames() {
    let body = || nothing_is_invalidated(&settings(640, 368));
    let knobs = [("NVENC_DOUBLE_NO_INVALIDATION", "1")];
    let name = "a_card_without_invalidation_answers_with_key_frames";
    with_driver(name, &knobs, body, |rig| assert!(rig.calls().is_empty()));
}

#[test]
fn a_new_rate_holds_from_the_next_picture_without_a_key_frame() {
    let body = || {
        let mut pictures = Pictures::open("h264", &settings(640, 368));
        pictures.some(10);
        pictures.encoder.set_bitrate(800).unwrap();
        assert!(pictures.some(10).iter().all(|(_, key)| !key));
        pictures.encoder.set_bitrate(20_000).unwrap();
        assert!(pictures.some(10).iter().all(|(_, key)| !key));
    };
    let name = "a_new_rate_holds_from_the_next_picture_without_a_key_frame";
    with_driver(name, &[], body, |rig| {
        let rates: Vec<u32> = rig.pictures().iter().map(|picture| picture.kbps).collect();
        assert_eq!(rates[..10], [4000; 10]);
        assert_eq!(rates[10..20], [800; 10]);
        assert_eq!(rates[20..], [20_000; 10]);
        assert_eq!(rig.count("sessions_opened"), 2, "one to ask, one to encode");
    });
}

#[test]
fn a_thousand_streams_leave_nothing_behind() {
    let body = || {
        for _ in 0..1000 {
            Pictures::open("h264", &settings(128, 128))
                .next()
                .expect("a picture");
        }
    };
    with_driver(
        "a_thousand_streams_leave_nothing_behind",
        &[],
        body,
        |rig| {
            assert_eq!(rig.count("sessions_opened"), 1001);
            assert_eq!(rig.count("contexts_made"), 1001);
        },
    );
}

#[test]
fn a_hundred_lost_devices_end_no_stream_and_leave_nothing_behind() {
    let knobs = [("NVENC_DOUBLE_LOSE", "3"), ("NVENC_DOUBLE_LOSSES", "100")];
    let body = || {
        let mut pictures = Pictures::open("h264", &settings(640, 368));
        let mut decoder = Decoder::new().unwrap();
        for number in 1..=310 {
            let (unit, key) = pictures.next().expect("no picture is left out");
            assert_eq!(
                key,
                number <= 301 && (number - 1) % 3 == 0,
                "picture {number}"
            );
            assert_eq!(shown(&mut decoder, &unit), Some(number));
        }
    };
    let name = "a_hundred_lost_devices_end_no_stream_and_leave_nothing_behind";
    with_driver(name, &knobs, body, |rig| {
        assert_eq!(rig.count("sessions_opened"), 102);
        assert_eq!(rig.count("contexts_made"), 102);
    });
}

#[test]
fn a_device_that_stays_away_costs_pictures_and_comes_back_with_a_key_frame_at_the_last_rate() {
    let knobs = [
        ("NVENC_DOUBLE_LOSE", "5"),
        ("NVENC_DOUBLE_LOSSES", "1"),
        ("NVENC_DOUBLE_AWAY", "3"),
    ];
    let body = || {
        let mut pictures = Pictures::open("h264", &settings(640, 368));
        pictures.some(5);
        assert!(pictures.next().is_none(), "the device is away");
        pictures.encoder.set_bitrate(1500).unwrap();
        assert!(!pictures.encoder.invalidate_refs(3, 4));
        let end = std::time::Instant::now() + std::time::Duration::from_secs(30);
        let (unit, key) = loop {
            assert!(std::time::Instant::now() < end, "it never came back");
            if let Some(unit) = pictures.next() {
                break unit;
            }
        };
        assert!(key);
        let mut decoder = Decoder::new().unwrap();
        assert_eq!(shown(&mut decoder, &unit), Some(pictures.number));
    };
    let name =
        "a_device_that_stays_away_costs_pictures_and_comes_back_with_a_key_frame_at_the_last_rate";
    with_driver(name, &knobs, body, |rig| {
        assert_eq!(rig.pictures().last().unwrap().kbps, 1500);
    });
}

#[test]
fn a_busy_card_is_waited_for() {
    let body = || {
        Pictures::open("h264", &settings(640, 368)).some(20);
    };
    with_driver(
        "a_busy_card_is_waited_for",
        &[("NVENC_DOUBLE_BUSY", "5")],
        body,
        |rig| {
            assert_eq!(rig.pictures().len(), 20);
        },
    );
}

#[test]
fn several_encoders_run_at_once_and_one_too_many_is_told_of_the_limit() {
    let body = || {
        let mut all: Vec<Pictures> = (0..3)
            .map(|_| Pictures::open("h264", &settings(128, 128)))
            .collect();
        for pictures in &mut all {
            pictures.some(3);
        }
        let error = NVENC
            .open("h264", &settings(128, 128))
            .err()
            .expect("the fourth")
            .to_string();
        for part in ["allows no further encoder", "Simulated card", "driver"] {
            assert!(error.contains(part), "{error}");
        }
        let software = Choice::Auto.open("h264", &settings(128, 128)).unwrap();
        assert_eq!(software.name(), "openh264");
        drop(all);
        let card = Choice::Auto.open("h264", &settings(128, 128)).unwrap();
        assert_eq!(card.name(), "nvenc");
    };
    let name = "several_encoders_run_at_once_and_one_too_many_is_told_of_the_limit";
    with_driver(name, &[("NVENC_DOUBLE_SESSIONS", "3")], body, |_| {});
}

#[test]
fn what_the_card_cannot_do_is_refused_before_anything_is_allocated() {
    let body = || {
        nvenc::card().unwrap();
        for (wanted, part) in [
            (settings(641, 368), "even"),
            (settings(4098, 368), "4096"),
            (settings(32, 32), "64x64"),
            (
                EncoderSettings {
                    fps: 0,
                    ..settings(640, 368)
                },
                "frames a second",
            ),
            (
                EncoderSettings {
                    hdr: true,
                    ..settings(640, 368)
                },
                "10 bits",
            ),
            (
                EncoderSettings {
                    chroma_444: true,
                    ..settings(640, 368)
                },
                "4:4:4",
            ),
        ] {
            let error = NVENC.open("h264", &wanted).err().expect("refused");
            assert!(matches!(error, EncodeError::Mode { .. }), "{error}");
            assert!(error.to_string().contains(part), "{error}");
        }
        let error = NVENC
            .open("av1", &settings(640, 368))
            .err()
            .expect("refused")
            .to_string();
        assert!(error.contains("does not encode av1"), "{error}");
    };
    let name = "what_the_card_cannot_do_is_refused_before_anything_is_allocated";
    with_driver(name, &[("NVENC_DOUBLE_CODECS", "h264,h265")], body, |rig| {
        assert_eq!(rig.count("contexts_made"), 1, "the one that asked");
    });
}

/// The agent with these libraries and knobs.
fn agent(libraries: Libraries, knobs: &[Knob], arguments: &[&str]) -> (bool, String) {
    let rig = Rig::new(libraries);
    let output = Command::new(AGENT)
        .args(arguments)
        .envs(rig.environment())
        .envs(knobs.iter().copied())
        .output()
        .unwrap();
    assert!(!rig.faults().contains("destroyed"), "{}", rig.faults());
    (output.status.success(), said(&output))
}

#[test]
fn one_program_starts_with_whatever_driver_there_is_and_says_what_is_missing() {
    let none: &[Knob] = &[];
    let cases: &[(Libraries, &[Knob], &[&str])] = &[
        (
            Libraries::None,
            none,
            &["there is no NVIDIA driver", "libcuda.so.1", "install one"],
        ),
        (
            Libraries::CudaAlone,
            none,
            &["CUDA 12.2", "libnvidia-encode.so.1", "libnvidia-encode1"],
        ),
        (
            Libraries::Both,
            &[("NVENC_DOUBLE_API", "11.0")],
            &["speaks NVENC 11.0", "12.1 is needed", "530.41.03"],
        ),
        (
            Libraries::Both,
            &[("NVENC_DOUBLE_MISSING", "nvEncInvalidateRefFrames")],
            &["lacks nvEncInvalidateRefFrames", "install"],
        ),
        (
            Libraries::Both,
            &[("CUDA_DOUBLE_CARDS", "0")],
            &["finds no card", "nvidia-smi"],
        ),
        (
            Libraries::Both,
            &[
                ("NVENC_DOUBLE_NO_ENCODER", "1"),
                ("CUDA_DOUBLE_NAME", "NVIDIA H200"),
            ],
            &["NVIDIA H200 has no video encoder"],
        ),
    ];
    let out = std::env::temp_dir().join(format!("punktfunk-one-binary-{}", std::process::id()));
    let spike = [
        "spike",
        "--width",
        "640",
        "--height",
        "368",
        "--seconds",
        "1",
        "--out",
    ];
    for (libraries, knobs, parts) in cases {
        let (fine, text) = agent(*libraries, knobs, &["encoders"]);
        assert!(fine && text.contains("openh264: h264"), "{text}");
        let out = out.to_str().unwrap();
        let named = [&spike[..], &[out, "--encoder", "nvenc"]].concat();
        let (refused, spike_text) = agent(*libraries, knobs, &named);
        assert!(!refused);
        for part in *parts {
            assert!(text.contains(part), "{part} is not in: {text}");
            assert!(spike_text.contains(part), "{part} is not in: {spike_text}");
        }
        let (fine, text) = agent(*libraries, knobs, &[&spike[..], &[out]].concat());
        assert!(fine && text.contains("encoded=60"), "{text}");
    }
    let _ = std::fs::remove_file(out);
    let (fine, text) = agent(Libraries::Both, none, &["encoders"]);
    let wanted = "nvenc: h264 + reference invalidation";
    assert!(fine && text.contains(wanted), "{text}");
}

#[test]
fn hevc_and_av1_refer_to_nothing_lost_either() {
    let body = || {
        for codec in ["h265", "av1"] {
            let mut pictures = Pictures::open(codec, &settings(640, 368));
            pictures.some(10);
            assert!(pictures.encoder.invalidate_refs(8, 9));
            assert!(pictures.some(5).iter().all(|(_, key)| !key));
        }
    };
    with_driver(
        "hevc_and_av1_refer_to_nothing_lost_either",
        &[],
        body,
        |rig| {
            for session in [2, 3] {
                let all = rig.pictures();
                let own: Vec<_> = all
                    .iter()
                    .filter(|picture| picture.session == session)
                    .collect();
                assert_eq!((own.len(), own[10].from), (15, Some(7)));
                let lost = |stamp: Option<u64>| stamp.is_some_and(|stamp| (8..10).contains(&stamp));
                assert!(!own[10..].iter().any(|picture| lost(picture.from)));
            }
        },
    );
}

#[test]
fn the_spike_writes_streams_that_foreign_decoders_play() {
    for (codec, format) in [("h264", "h264"), ("h265", "hevc"), ("av1", "obu")] {
        let rig = Rig::new(Libraries::Both);
        let out = rig.books().join(format!("spike.{codec}"));
        let output = Command::new(AGENT)
            .args([
                "spike",
                "--encoder",
                "nvenc",
                "--codec",
                codec,
                "--loopback",
            ])
            .args([
                "--width",
                "640",
                "--height",
                "384",
                "--seconds",
                "1",
                "--out",
            ])
            .arg(&out)
            .envs(rig.environment())
            .output()
            .unwrap();
        assert!(output.status.success(), "{codec}: {}", said(&output));
        assert_eq!(rig.faults(), "");
        let probe = Command::new("ffprobe")
            .args([
                "-v",
                "error",
                "-f",
                format,
                "-count_frames",
                "-select_streams",
                "v",
            ])
            .args([
                "-show_entries",
                "stream=width,height,nb_read_frames",
                "-of",
                "csv=p=0",
            ])
            .arg(&out)
            .output()
            .expect("ffprobe, of Debian's ffmpeg");
        assert_eq!(said(&probe).trim(), "640,384,60", "{codec}");
    }
}
