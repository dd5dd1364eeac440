//! The software encoders side by side at 1080p60 and 20 Mbit/s, conversion included, in one run: ten seconds of the busy test
//! pattern, of a page of text a ninth of which is that pattern, and of a desktop with text that scrolls, a window that is dragged and a video.
//!
//! `cargo bench -p punktfunk-agent --bench encoders [-- NAME...]`; with `--features ffmpeg` x264, x265 and libaom beside the built-in
//! one. Prints the tables of docs/encoders.md; times are of the whole process in processor time and of the clock.

mod decode;
#[path = "../../tests/software/desktop.rs"]
mod desktop;
#[path = "../../tests/software/page.rs"]
mod page;

use decode::{Decoder, Luma};
use nix::{
    sys::time::TimeValLike,
    time::{ClockId, clock_gettime},
};
#[cfg(feature = "ffmpeg")]
use punktfunk_agent::encode::ffmpeg::{Effort, Ffmpeg, Library};
use punktfunk_agent::{
    convert::{Converter, Planes},
    encode::{Encoder, EncoderSettings, Kind, Tag},
    source::{Painter, Picture},
};
use std::time::Instant;

const WIDTH: u32 = 1920;
const HEIGHT: u32 = 1080;
const FPS: u32 = 60;
const KBPS: u32 = 20_000;
/// Ten seconds; of encoders that are far from the rate one.
const PICTURES: u32 = 600;
#[cfg(feature = "ffmpeg")]
const PICTURES_SLOW: u32 = 60;
/// Of a screen on which next to nothing moves.
const STILL: u32 = 180;
/// A key frame is asked for at this picture.
const KEY_AT: u32 = 45;
/// Every so many pictures one is decoded pixel by pixel.
const COMPARED: u32 = 7;

struct Row {
    name: &'static str,
    pictures: u32,
    open: fn(&EncoderSettings) -> Box<dyn Encoder>,
}

#[cfg(feature = "ffmpeg")]
fn ffmpeg_with(library: Library, effort: Effort, settings: &EncoderSettings) -> Box<dyn Encoder> {
    Box::new(Ffmpeg::with_effort(library, effort, settings).expect("FFmpeg has it"))
}

const ROWS: &[Row] = &[
    Row {
        name: "openh264",
        pictures: PICTURES,
        open: |settings| Kind::OpenH264.open("h264", settings).expect("built in"),
    },
    #[cfg(feature = "ffmpeg")]
    Row {
        name: "x264 superfast",
        pictures: PICTURES,
        open: |settings| ffmpeg_with(Library::X264, Effort::Superfast, settings),
    },
    #[cfg(feature = "ffmpeg")]
    Row {
        name: "x264 ultrafast",
        pictures: PICTURES,
        open: |settings| ffmpeg_with(Library::X264, Effort::Ultrafast, settings),
    },
    #[cfg(feature = "ffmpeg")]
    Row {
        name: "x265",
        pictures: PICTURES_SLOW,
        open: |settings| ffmpeg_with(Library::X265, Effort::default(), settings),
    },
    #[cfg(feature = "ffmpeg")]
    Row {
        name: "aom",
        pictures: PICTURES_SLOW,
        open: |settings| ffmpeg_with(Library::Aom, Effort::default(), settings),
    },
];

fn main() {
    // cargo passes --bench; whatever else is given chooses rows
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .collect();
    for (scene, paint) in SCENES {
        println!("\n{scene}:\n");
        println!(
            "| encoder | ms a picture, p50 / p99 | processor ms, p50 | rate of target | largest picture | first / later key frame | PSNR-Y, mean / after a second | still screen |"
        );
        println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
        for row in ROWS {
            if wanted.is_empty() || wanted.iter().any(|name| row.name.contains(name.as_str())) {
                println!("{}", measure(row, paint()));
            }
        }
    }
}

type Scene = (&'static str, fn() -> Box<dyn Painter>);

const SCENES: [Scene; 3] = [
    ("The busy pattern", || {
        page::pattern("synthetic", (WIDTH, HEIGHT), FPS)
    }),
    ("A page of text, a ninth of it busy", || {
        Box::new(page::Page::new((WIDTH, HEIGHT), FPS))
    }),
    ("A desktop at work", || Box::new(desktop::Desktop::new(FPS))),
];

fn measure(row: &Row, mut painter: Box<dyn Painter>) -> String {
    let settings = EncoderSettings {
        width: WIDTH,
        height: HEIGHT,
        fps: FPS,
        bitrate_kbps: KBPS,
        ..EncoderSettings::default()
    };
    let mut encoder = (row.open)(&settings);
    let mut picture = Picture::default();
    let mut reference = Reference::new(&settings);
    let mut decoder = Decoder::new(encoder.name());
    let (mut took, mut cpu, mut sizes) = (Vec::new(), Vec::new(), Vec::new());
    let (mut psnr, mut settled) = (Vec::new(), Vec::new());
    for number in 0..row.pictures {
        painter.paint(&mut picture, stamp(number));
        if number == KEY_AT {
            encoder.request_keyframe();
        }
        let (begun, begun_cpu) = (Instant::now(), process_ns());
        let unit = encode(encoder.as_mut(), &picture, number);
        took.push(begun.elapsed().as_nanos() as u64);
        cpu.push(process_ns() - begun_cpu);
        sizes.push(unit.len() as u64);
        if let Some(luma) = decoder.decode(&unit, number % COMPARED == 0) {
            let quality = reference.psnr(&picture, &luma);
            psnr.push(quality);
            if number >= KEY_AT + FPS {
                settled.push(quality);
            }
        }
    }
    let still = still_kbps((row.open)(&settings));
    let at = |times: &mut Vec<u64>, share: usize| {
        times.sort_unstable();
        times[(times.len() - 1) * share / 100] as f64 / 1e6
    };
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let seconds = f64::from(row.pictures) / f64::from(FPS);
    let budget = f64::from(KBPS) * 1000.0 / 8.0 / f64::from(FPS);
    let rate = sizes.iter().sum::<u64>() as f64 * 8.0 / 1000.0 / seconds / f64::from(KBPS);
    let key_frame = |at: u32| sizes[at as usize] as f64 / budget;
    let ordinary = (sizes.iter().enumerate())
        .filter(|(at, _)| *at != 0 && *at != KEY_AT as usize)
        .map(|(_, size)| *size);
    format!(
        "| {} | {:.1} / {:.1} | {:.1} | {:.1} % | {:.1}x | {:.1}x / {:.1}x | {:.1} / {:.1} dB | {still:.0} kbit/s |",
        row.name,
        at(&mut took, 50),
        at(&mut took, 99),
        at(&mut cpu, 50),
        rate * 100.0,
        ordinary.max().unwrap_or(0) as f64 / budget,
        key_frame(0),
        key_frame(KEY_AT),
        mean(&psnr),
        mean(&settled),
    )
}

fn encode(encoder: &mut dyn Encoder, picture: &Picture, number: u32) -> Vec<u8> {
    let tag = Tag {
        pts_ns: stamp(number),
        capture_ns: stamp(number),
        picture: number,
        ..Tag::default()
    };
    encoder.submit(picture, tag).expect("encodes");
    let unit = encoder.poll().expect("encodes").expect("at once");
    unit.data.to_vec()
}

/// kbit/s of a screen on which a small box moves, after its first second.
fn still_kbps(mut encoder: Box<dyn Encoder>) -> f64 {
    let mut painter = page::pattern("synthetic-fast", (WIDTH, HEIGHT), FPS);
    let mut picture = Picture::default();
    let mut bytes = 0;
    for number in 0..STILL {
        painter.paint(&mut picture, stamp(number));
        let size = encode(encoder.as_mut(), &picture, number).len();
        bytes += if number < FPS { 0 } else { size };
    }
    bytes as f64 * 8.0 / 1000.0 / (f64::from(STILL - FPS) / f64::from(FPS))
}

fn stamp(number: u32) -> u64 {
    u64::from(number) * 1_000_000_000 / u64::from(FPS)
}

fn process_ns() -> u64 {
    let time = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).expect("a clock");
    time.num_nanoseconds() as u64
}

/// What an encoder without loss would show.
struct Reference {
    converter: Converter,
    planes: Planes,
}

impl Reference {
    fn new(settings: &EncoderSettings) -> Self {
        let (width, height) = (WIDTH as usize, HEIGHT as usize);
        Self {
            converter: Converter::new(width, height, settings.colour),
            planes: Planes::new(width, height),
        }
    }

    /// Of luma, in dB.
    fn psnr(&mut self, picture: &Picture, decoded: &Luma) -> f64 {
        self.converter
            .convert(picture, &mut self.planes)
            .expect("converts");
        let mut squares = 0u64;
        for (expected, seen) in self
            .planes
            .y
            .chunks(WIDTH as usize)
            .zip(decoded.bytes.chunks(decoded.stride))
        {
            let line = expected.iter().zip(seen);
            squares += line
                .map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2))
                .sum::<u64>();
        }
        let mean = squares as f64 / f64::from(WIDTH * HEIGHT);
        10.0 * (255.0f64 * 255.0 / mean.max(1e-6)).log10()
    }
}
