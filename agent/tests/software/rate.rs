//! The rate as a network sees it: sizes of access units, one after another. The encoder has no clock and one thread, so that
//! the same pictures make the same sizes everywhere.

use crate::{
    desktop::{self, Desktop},
    page::{self, Page},
};
use openh264::{decoder::Decoder, formats::YUVSource};
use punktfunk_agent::{
    convert::{Converter, Planes},
    encode::{Encoder, EncoderSettings, Kind, Tag},
    source::{Painter, Picture},
};

const FPS: u32 = 60;

/// An encoder with pictures in front of it.
struct Stream {
    encoder: Box<dyn Encoder>,
    painter: Box<dyn Painter>,
    picture: Picture,
    settings: EncoderSettings,
    submitted: u32,
}

/// What came out for one picture.
struct Unit {
    data: Vec<u8>,
    key: bool,
}

impl Stream {
    fn open(size: (u32, u32), kbps: u32) -> Self {
        Self::of(page::pattern("synthetic", size, FPS), size, kbps)
    }

    fn of(painter: Box<dyn Painter>, (width, height): (u32, u32), kbps: u32) -> Self {
        let settings = EncoderSettings {
            width,
            height,
            fps: FPS,
            bitrate_kbps: kbps,
            ..EncoderSettings::default()
        };
        Self {
            encoder: Kind::OpenH264.open("h264", &settings).unwrap(),
            painter,
            picture: Picture::default(),
            settings,
            submitted: 0,
        }
    }

    fn tag(&mut self) -> Tag {
        let picture = self.submitted;
        self.submitted += 1;
        Tag {
            picture,
            pts_ns: u64::from(picture) * 16_666_667,
            ..Tag::default()
        }
    }

    fn unit(&mut self) -> Unit {
        let unit = self.encoder.poll().unwrap().expect("an access unit");
        let (data, key) = (unit.data.to_vec(), unit.key);
        Unit { data, key }
    }

    fn next(&mut self) -> Unit {
        let tag = self.tag();
        self.painter.paint(&mut self.picture, tag.pts_ns);
        self.encoder.submit(&self.picture, tag).unwrap();
        self.unit()
    }

    /// A desktop that shows nothing yet.
    fn blank(&mut self) -> Unit {
        let tag = self.tag();
        let (width, height) = (self.settings.width, self.settings.height);
        let picture = Picture {
            width,
            height,
            stride: width as usize * 4,
            data: vec![40; width as usize * height as usize * 4],
            ..Picture::default()
        };
        self.encoder.submit(&picture, tag).unwrap();
        self.unit()
    }

    /// The last picture once more: a screen on which nothing moves.
    fn still(&mut self) -> Unit {
        let tag = self.tag();
        self.encoder.submit_again(tag).unwrap();
        self.unit()
    }

    /// Bytes of one picture at this rate.
    fn budget(&self, kbps: u32) -> f64 {
        f64::from(kbps) * 125.0 / f64::from(self.settings.fps)
    }
}

/// The peak signal-to-noise ratio of luma, in dB.
fn psnr(stream: &Stream, decoded: &[u8], stride: usize) -> f64 {
    let (width, height) = (
        stream.settings.width as usize,
        stream.settings.height as usize,
    );
    let mut planes = Planes::new(width, height);
    Converter::new(width, height, stream.settings.colour)
        .convert(&stream.picture, &mut planes)
        .unwrap();
    let lines = planes.y.chunks_exact(width).zip(decoded.chunks(stride));
    let squares: u64 = lines
        .flat_map(|(ours, theirs)| ours.iter().zip(theirs))
        .map(|(ours, theirs)| u64::from(ours.abs_diff(*theirs)).pow(2))
        .sum();
    10.0 * (255.0 * 255.0 * (width * height) as f64 / squares.max(1) as f64).log10()
}

#[test]
fn only_key_frames_exceed_their_budget_and_those_are_bounded() {
    for (size, kbps, wanted_db) in [((1280, 720), 8000, 31.0), ((1920, 1080), 20_000, 38.0)] {
        let mut stream = Stream::open(size, kbps);
        let mut decoder = Decoder::new().unwrap();
        let budget = stream.budget(kbps);
        for number in 0..90 {
            if number == 45 {
                stream.encoder.request_keyframe();
            }
            let unit = stream.next();
            assert_eq!(unit.key, number % 45 == 0, "picture {number}");
            let used = unit.data.len() as f64 / budget;
            let most = if unit.key { 14.0 } else { 1.6 };
            assert!(used <= most, "picture {number} of {size:?}: {used:.2}");
            let decoded = decoder.decode(&unit.data).unwrap().expect("a picture");
            if number == 44 {
                let quality = psnr(&stream, decoded.y(), decoded.strides().0);
                println!("{size:?}: {quality:.1} dB");
                assert!(quality >= wanted_db, "{size:?}: {quality:.1} dB");
            }
        }
    }
}

#[test]
fn a_rate_beyond_the_highest_level_is_held_to_what_there_is() {
    let mut stream = Stream::open((640, 368), 500_000);
    assert!((0..5).all(|_| !stream.next().data.is_empty()));
    stream.encoder.set_bitrate(2_000_000).unwrap();
    assert!((0..5).all(|_| !stream.next().data.is_empty()));
}

#[test]
fn the_rate_holds_within_2_percent_over_ten_seconds() {
    for (size, kbps) in [((640, 360), 3000), ((1920, 1080), 20_000)] {
        let mut stream = Stream::open(size, kbps);
        let bytes: usize = (0..600).map(|_| stream.next().data.len()).sum();
        let part = bytes as f64 / (600.0 * stream.budget(kbps));
        println!("{size:?}: {part:.3} of the rate");
        assert!((0.98..=1.02).contains(&part), "{size:?}: {part:.3}");
    }
}

/// A client that loses something every second: each key frame is made up for before the next one comes, and somewhat more than that.
#[test]
fn with_a_key_frame_every_second_no_second_exceeds_the_rate() {
    let (size, kbps) = ((1280, 720), 8000);
    let mut stream = Stream::open(size, kbps);
    let budget = stream.budget(kbps);
    let mut used = Vec::new();
    for number in 0..600 {
        if number % 60 == 0 {
            stream.encoder.request_keyframe();
        }
        let unit = stream.next();
        assert_eq!(unit.key, number % 60 == 0, "picture {number}");
        let part = unit.data.len() as f64 / budget;
        let most = if unit.key { 14.0 } else { 1.6 };
        assert!(part <= most, "picture {number}: {part:.2}");
        used.push(part);
    }
    let seconds: Vec<f64> = (used
        .chunks(60)
        .map(|second| second.iter().sum::<f64>() / 60.0))
    .collect();
    let rate = used.iter().sum::<f64>() / 600.0;
    println!("{rate:.3} of the rate; second by second {seconds:.2?}");
    let most = seconds.iter().copied().fold(0.0, f64::max);
    assert!(most <= 1.02 && rate >= 0.9, "{rate:.3}, at most {most:.3}");
}

/// A desktop most of which stands still is as sharp as 44 dB.
#[test]
fn a_page_of_text_with_moving_parts_is_sharp_and_holds_its_rate() {
    let size = (1920, 1080);
    let mut stream = Stream::of(Box::new(Page::new(size, FPS)), size, 20_000);
    let mut decoder = Decoder::new().unwrap();
    let (mut used, mut quality) = (Vec::new(), Vec::new());
    for number in 0..120 {
        let unit = stream.next();
        let decoded = decoder.decode(&unit.data).unwrap().expect("a picture");
        used.push(unit.data.len() as f64 / stream.budget(20_000));
        if number >= 60 && number % 6 == 0 {
            quality.push(psnr(&stream, decoded.y(), decoded.strides().0));
        }
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (quality, rate) = (mean(&quality), mean(&used[60..]));
    let most = used[1..].iter().copied().fold(0.0, f64::max);
    println!("{quality:.1} dB, {rate:.2} of the rate, at most {most:.2} pictures' worth");
    assert!(quality >= 44.0, "{quality:.1} dB");
    assert!(rate <= 1.1, "{rate:.2} of the rate");
}

/// Text that scrolls, a window that is dragged, a video of a ninth of the screen: it is as sharp as 44 dB as well, within the rate.
#[test]
fn a_desktop_at_work_is_sharp_and_holds_its_rate() {
    let mut stream = Stream::of(Box::new(Desktop::new(FPS)), desktop::SIZE, 20_000);
    let mut decoder = Decoder::new().unwrap();
    let (mut used, mut quality) = (Vec::new(), Vec::new());
    for number in 0..300 {
        let unit = stream.next();
        let decoded = decoder.decode(&unit.data).unwrap().expect("a picture");
        used.push(unit.data.len() as f64 / stream.budget(20_000));
        if number % 10 == 0 {
            quality.push(psnr(&stream, decoded.y(), decoded.strides().0));
        }
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (quality, rate) = (mean(&quality), mean(&used));
    let most = used[1..].iter().copied().fold(0.0, f64::max);
    println!("{quality:.1} dB, {rate:.3} of the rate, at most {most:.2} pictures' worth");
    assert!(quality >= 44.0, "{quality:.1} dB");
    assert!(rate <= 1.02, "{rate:.3} of the rate");
}

/// What a still screen has left over is no reason for a burst when something moves again.
#[test]
fn what_moves_after_a_still_screen_is_within_its_budget_after_four_pictures() {
    let mut stream = Stream::open((1280, 720), 8000);
    for _ in 0..60 {
        stream.next();
    }
    for _ in 0..120 {
        stream.still();
    }
    let budget = stream.budget(8000);
    let used: Vec<f64> = (0..60)
        .map(|_| stream.next().data.len() as f64 / budget)
        .collect();
    let most = used.iter().copied().fold(0.0, f64::max);
    let rate = used.iter().sum::<f64>() / 60.0;
    let above = used.iter().filter(|used| **used > 1.6).count();
    println!("{above} pictures above, at most {most:.2} pictures' worth, {rate:.2} of the rate");
    assert!(most <= 3.0 && above <= 4 && rate <= 1.1, "{used:.2?}");
}

/// The library rounds what it is told, and refuses some of it: none of that is an error of the stream.
#[test]
fn no_rate_ends_the_stream() {
    let mut stream = Stream::open((320, 184), 2000);
    let mut kbps = 100;
    while kbps < 300_000 {
        stream.encoder.set_bitrate(kbps).unwrap();
        assert!((0..3).all(|_| !stream.next().data.is_empty()), "{kbps}");
        kbps = kbps * 17 / 16 + 1;
    }
}

#[test]
fn the_key_frame_of_a_desktop_that_was_blank_before_is_bounded_as_well() {
    let mut stream = Stream::open((1920, 1080), 20_000);
    assert!(stream.blank().key);
    for _ in 0..10 {
        let unit = stream.blank();
        assert!(!unit.key && unit.data.len() < 2000, "{}", unit.data.len());
    }
    stream.encoder.request_keyframe();
    let unit = stream.next();
    let used = unit.data.len() as f64 / stream.budget(20_000);
    println!("{used:.1} pictures' worth");
    assert!(unit.key && used < 16.0, "{used:.1}");
}

#[test]
fn a_still_screen_costs_little_once_it_is_sharp() {
    let mut stream = Stream::open((1280, 720), 8000);
    for _ in 0..30 {
        stream.next();
    }
    let budget = stream.budget(8000);
    let sizes: Vec<usize> = (0..120).map(|_| stream.still().data.len()).collect();
    let most = sizes[60..].iter().copied().max().unwrap() as f64;
    println!("{:.0} bytes a picture, {:.0} are allowed", most, budget);
    assert!(most < budget / 10.0, "{most} of {budget}");
}

#[test]
fn a_new_rate_shows_within_two_pictures() {
    for (from, to) in [(12_000, 4000), (4000, 12_000)] {
        let mut stream = Stream::open((1280, 720), from);
        let mean = |sizes: &[f64]| sizes.iter().sum::<f64>() / sizes.len() as f64;
        let before: Vec<f64> = (0..90).map(|_| stream.next().data.len() as f64).collect();
        let before = mean(&before[74..]);
        stream.encoder.set_bitrate(to).unwrap();
        let after: Vec<Unit> = (0..32).map(|_| stream.next()).collect();
        assert!(after.iter().all(|unit| !unit.key), "no key frame for it");
        let after: Vec<f64> = after.iter().map(|unit| unit.data.len() as f64).collect();
        let (second, later) = (after[1] / before, mean(&after[8..]) / stream.budget(to));
        println!("{from} to {to} kbit/s: the second picture has {second:.2} of those before");
        match to < from {
            true => assert!(second < 0.6, "{second}"),
            false => assert!(second > 1.3, "{second}"),
        }
        assert!((0.75..1.25).contains(&later), "{later} of the new budget");
    }
}
