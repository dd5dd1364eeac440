//! Try the session's sound by hand: `sound_probe SECONDS [host] [CHANNELS]...` opens a stream for each, or one in stereo, reads 5 ms packets, as a stream does, and prints for each
//! two lines: packets, how many had sound, the loudest sample, the first channel's pitch, the slowest packet and how long
//! it took; with `PROBE_LOUD` it ends at so many packets with sound, and SECONDS is the most that it waits for them; then the pitch of every channel in GameStream's order, 0 for silence. `sound_probe back` gives
//! the default sink back as an agent does that starts after one was killed.

use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use punktfunk_agent::{audio, source::AudioOrigin};

/// A packet this loud is sound.
const LOUD: f32 = 0.01;

/// Measures the periods of what one channel plays.
#[derive(Default, Clone)]
struct Pitch {
    /// In samples, between one rise through zero and the next.
    periods: Vec<f32>,
    /// Samples since the last rise.
    since: f32,
    last: f32,
}

impl Pitch {
    fn hear(&mut self, sample: f32) {
        self.since += 1.0;
        if self.last <= 0.0 && sample > 0.0 && sample - self.last > 1e-4 {
            // The rise was between the two samples.
            let after = sample / (sample - self.last);
            self.periods.push(self.since - after);
            self.since = after;
        }
        self.last = sample;
    }

    /// The usual period's: gaps, which a busy machine has, make a few longer ones.
    fn hertz(&mut self) -> f32 {
        self.periods.sort_by(f32::total_cmp);
        self.periods
            .get(self.periods.len() / 2)
            .map_or(0.0, |period| 48_000.0 / period)
    }
}

fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .init();
    let mut arguments = std::env::args().skip(1);
    let first = arguments.next().context("SECONDS")?;
    if first == "back" {
        audio::put_back_after_crash();
        return Ok(());
    }
    let seconds: u64 = first.parse()?;
    let rest: Vec<String> = arguments.collect();
    let host = rest.iter().any(|word| word == "host");
    let mut streams: Vec<u32> = rest.iter().filter_map(|word| word.parse().ok()).collect();
    if streams.is_empty() {
        streams.push(2);
    }
    let streams: Vec<_> = streams
        .into_iter()
        .map(|channels| std::thread::spawn(move || listen(seconds, host, channels)))
        .collect();
    for stream in streams {
        println!(
            "{}",
            stream.join().map_err(|_| anyhow!("a stream panicked"))??
        );
    }
    Ok(())
}

/// What one stream hears.
fn listen(seconds: u64, host: bool, channels: u32) -> anyhow::Result<String> {
    let mut sound = audio::open(AudioOrigin::PipeWire, channels, 5, host);
    let (began, mut packets, mut loud, mut peak) = (Instant::now(), 0, 0, 0.0_f32);
    let mut pitches = vec![Pitch::default(); channels as usize];
    let mut slowest = Duration::ZERO;
    let mut packet = vec![0.0; 240 * channels as usize];
    let enough = std::env::var("PROBE_LOUD").map_or(Ok(u32::MAX), |n| n.parse())?;
    while began.elapsed() < Duration::from_secs(seconds) && loud < enough {
        let asked = Instant::now();
        sound.read(&mut packet).map_err(|e| anyhow!(e))?;
        slowest = slowest.max(asked.elapsed());
        packets += 1;
        let heard = packet.iter().fold(0.0_f32, |m, s| m.max(s.abs()));
        peak = peak.max(heard);
        loud += u32::from(heard > LOUD);
        for (channel, pitch) in pitches.iter_mut().enumerate() {
            let samples = packet.iter().skip(channel).step_by(channels as usize);
            samples.for_each(|sample| pitch.hear(*sample));
        }
    }
    let notes: Vec<f32> = pitches.iter_mut().map(Pitch::hertz).collect();
    let figures = format!(
        "packets {packets} loud {loud} peak {peak:.3} pitch {:.0} Hz slowest {} ms wall {:.2} s",
        notes.first().unwrap_or(&0.0),
        slowest.as_millis(),
        began.elapsed().as_secs_f64()
    );
    let notes: Vec<String> = notes.iter().map(|note| format!("{note:.0}")).collect();
    Ok(format!("{figures}\nnotes {}", notes.join(" ")))
}
