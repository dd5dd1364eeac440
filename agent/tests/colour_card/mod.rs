//! A card of known colours, encoded and decoded by ffmpeg, which is told nothing: it goes by what the stream says of itself.

use punktfunk_agent::{
    convert::Colour,
    encode::{Encoder, EncoderSettings, Tag},
    source::Picture,
};
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Pixels a side of a patch: far more than what chroma is blurred over.
const PATCH: usize = 32;
const ACROSS: usize = 8;
/// Pictures: the first ones may be coarse while the rate settles.
const PICTURES: usize = 8;
/// Steps of 255 that a channel may be off.
const TOLERANCE: u8 = 3;
/// How ffprobe names matrix, primaries and transfer of each space that clients ask for.
const SPACES: [[&str; 3]; 3] = [
    ["smpte170m", "smpte170m", "smpte170m"],
    ["bt709", "bt709", "bt709"],
    ["bt2020nc", "bt2020", "bt2020-10"],
];

/// Red, green, blue: bars at full and three quarters of the signal, primaries among them; greys from black to white; colours of
/// desktops and photographs.
pub fn colours() -> Vec<[u8; 3]> {
    let bits = |bars: u8, level: u8| [4, 2, 1].map(|bit| if bars & bit != 0 { level } else { 0 });
    let full = (0..8).map(|bars| bits(bars, 255));
    let three_quarters = (0..8).map(|bars| bits(bars, 191));
    let greys = (0..8).map(|step| [(step * 255 / 7) as u8; 3]);
    let skin_and_sky = [
        [224, 172, 105],
        [141, 85, 36],
        [135, 206, 235],
        [34, 139, 34],
        [255, 140, 0],
        [75, 0, 130],
        [250, 250, 210],
        [30, 30, 46],
    ];
    let bars = full.chain(three_quarters);
    bars.chain(greys).chain(skin_and_sky).collect()
}

/// The colours as patches of one picture.
pub fn painted(colours: &[[u8; 3]]) -> Picture {
    let (width, height) = (ACROSS * PATCH, colours.len() / ACROSS * PATCH);
    let mut data = Vec::with_capacity(width * height * 4);
    for y in 0..height {
        for x in 0..width {
            let [red, green, blue] = colours[y / PATCH * ACROSS + x / PATCH];
            data.extend([blue, green, red, 255]);
        }
    }
    Picture {
        width: width as u32,
        height: height as u32,
        stride: width * 4,
        data,
        ..Picture::default()
    }
}

/// A stream that decodes to the card, with every description that clients ask for; `form` makes of it what is handed over.
pub fn comes_back_in_every_matrix_and_range(
    open: impl Fn(&EncoderSettings) -> Box<dyn Encoder>,
    form: impl Fn(&dyn Encoder, &Picture) -> Picture,
) {
    let card = painted(&colours());
    for mode in 0..6 {
        let settings = EncoderSettings {
            width: card.width,
            height: card.height,
            fps: 60,
            bitrate_kbps: 20_000,
            colour: Colour::from_csc_mode(mode).expect("a mode"),
            ..EncoderSettings::default()
        };
        let mut encoder = open(&settings);
        let mut stream = Vec::new();
        for number in 0..PICTURES as u32 {
            let tag = Tag {
                picture: number,
                pts_ns: u64::from(number) * 16_666_667,
                ..Tag::default()
            };
            let picture = form(encoder.as_ref(), &card);
            encoder.submit(&picture, tag).expect("encoded");
            let unit = encoder.poll().expect("encoded");
            stream.extend_from_slice(unit.expect("an access unit").data);
        }
        compare(mode, &stream, &card);
    }
}

/// The stream says what it is, and its last picture is the card.
fn compare(mode: u32, stream: &[u8], card: &Picture) {
    let file = Stream::written(stream);
    let probe = [
        "-show_entries",
        "stream=color_range,color_space,color_transfer,color_primaries",
        "-of",
        "default=nw=1",
    ];
    let said = String::from_utf8(run("ffprobe", &probe, &file.0)).expect("text");
    let [matrix, primaries, transfer] = SPACES[mode as usize / 2];
    let range = if mode & 1 == 1 { "pc" } else { "tv" };
    for line in [
        format!("color_range={range}"),
        format!("color_space={matrix}"),
        format!("color_primaries={primaries}"),
        format!("color_transfer={transfer}"),
    ] {
        assert!(
            said.lines().any(|said| said == line),
            "no {line} in:\n{said}"
        );
    }
    let decode = [
        "-sws_flags",
        "accurate_rnd+full_chroma_int+full_chroma_inp",
        "-pix_fmt",
        "rgb24",
        "-f",
        "rawvideo",
        "-",
    ];
    let pictures = run("ffmpeg", &decode, &file.0);
    let (width, size) = (
        card.width as usize,
        card.width as usize * card.height as usize * 3,
    );
    assert_eq!(pictures.len(), PICTURES * size, "colour {mode}");
    let last = &pictures[(PICTURES - 1) * size..];
    let mut worst = 0;
    for (patch, expected) in colours().iter().enumerate() {
        let (x, y) = (
            patch % ACROSS * PATCH + PATCH / 2,
            patch / ACROSS * PATCH + PATCH / 2,
        );
        let seen = &last[(y * width + x) * 3..][..3];
        for (seen_channel, wanted) in seen.iter().zip(expected) {
            let off = seen_channel.abs_diff(*wanted);
            assert!(
                off <= TOLERANCE,
                "colour {mode}: {expected:?} became {seen:?}"
            );
            worst = worst.max(off);
        }
    }
    println!("colour {mode}: at most {worst} of 255 off");
}

/// A stream in a file of its own, which goes with it.
struct Stream(PathBuf);

impl Stream {
    fn written(bytes: &[u8]) -> Self {
        static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let unique = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let name = format!("punktfunk-colours-{}-{unique}.h264", std::process::id());
        let file = std::env::temp_dir().join(name);
        std::fs::write(&file, bytes).expect("temporary directory");
        Self(file)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn run(program: &str, arguments: &[&str], file: &Path) -> Vec<u8> {
    let output = Command::new(program)
        .args(["-v", "error", "-i"])
        .arg(file)
        .args(arguments)
        .stdin(Stdio::null())
        // the machine's own libraries, also where a test has put others in front
        .env_remove("LD_LIBRARY_PATH")
        .output()
        .expect("Debian's ffmpeg");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program}: {said}");
    output.stdout
}
