//! Try the session's sound by hand: `sound_probe SECONDS [host]` reads 5 ms packets of stereo and prints one line:
//! packets, how many had sound, the loudest sample, the dominant pitch, and how long it took.

use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};

fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .init();
    let seconds: u64 = std::env::args().nth(1).context("SECONDS")?.parse()?;
    let host = std::env::args().nth(2).is_some();
    let mut sound = punktfunk_agent::audio::pipewire::open(2, host).map_err(|e| anyhow!(e))?;
    let (began, mut packets, mut loud, mut peak) = (Instant::now(), 0, 0, 0.0_f32);
    let (mut crossings, mut last) = (0, 0.0_f32);
    let mut slowest = Duration::ZERO;
    let mut packet = [0.0; 480];
    while began.elapsed() < Duration::from_secs(seconds) {
        let asked = Instant::now();
        sound.read(&mut packet).map_err(|e| anyhow!(e))?;
        slowest = slowest.max(asked.elapsed());
        packets += 1;
        let heard = packet.iter().fold(0.0_f32, |m, s| m.max(s.abs()));
        peak = peak.max(heard);
        if heard > 0.01 {
            loud += 1;
            for left in packet.iter().step_by(2) {
                crossings += u32::from(last <= 0.0 && *left > 0.0);
                last = *left;
            }
        }
    }
    let pitch = f64::from(crossings) / (f64::from(loud) * 0.005).max(0.005);
    println!(
        "packets {packets} loud {loud} peak {peak:.3} pitch {pitch:.0} Hz slowest {} ms wall {:.2} s",
        slowest.as_millis(),
        began.elapsed().as_secs_f64()
    );
    Ok(())
}
