//! The test tone: one pure note for each channel at -20 dB, or nothing at all, paced by the clock.

use super::RATE;
use crate::{clock, source::AudioSource};
use std::{f64::consts::TAU, time::Duration};

/// -20 dB of full scale.
const LEVEL: f32 = 0.1;
/// The left channel's note in Hz; each further channel is half of it higher (440, 660, 880, …).
const NOTE_HZ: u32 = 440;
/// When so far behind, the past is left alone.
const MAX_LAG_NS: u64 = 100_000_000;

pub struct Tone {
    level: f32,
    channels: usize,
    packet_ns: u64,
    /// Samples already played, modulo one second: every note repeats in it.
    played: u32,
    /// When the next packet has been heard; None before the first.
    due_ns: Option<u64>,
}

impl Tone {
    pub fn new(channels: u32, packet_ms: u32) -> Self {
        Self {
            level: LEVEL,
            channels: channels.max(1) as usize,
            packet_ns: u64::from(packet_ms) * 1_000_000,
            played: 0,
            due_ns: None,
        }
    }

    /// The same, without a sound.
    pub fn silence(channels: u32, packet_ms: u32) -> Self {
        Self {
            level: 0.0,
            ..Self::new(channels, packet_ms)
        }
    }

    fn wait(&mut self) {
        let now = clock::now_ns();
        let due = match self.due_ns {
            Some(due) if now < due + MAX_LAG_NS => due,
            _ => now,
        };
        std::thread::sleep(Duration::from_nanos(due.saturating_sub(now)));
        self.due_ns = Some(due + self.packet_ns);
    }
}

impl AudioSource for Tone {
    fn read(&mut self, samples: &mut [f32]) -> Result<(), String> {
        self.wait();
        for frame in samples.chunks_mut(self.channels) {
            for (channel, sample) in (0u32..).zip(frame) {
                let note = f64::from(NOTE_HZ + channel * NOTE_HZ / 2);
                let phase = note * f64::from(self.played) / f64::from(RATE);
                *sample = self.level * (phase.fract() * TAU).sin() as f32;
            }
            self.played = (self.played + 1) % RATE;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_channel_has_its_own_note_without_a_break_between_packets() {
        let mut tone = Tone::new(2, 5);
        let mut second = Vec::new();
        for _ in 0..40 {
            let mut samples = [0.0f32; 480];
            tone.read(&mut samples).unwrap();
            second.extend_from_slice(&samples);
        }
        for (channel, note) in [(0, 440.0), (1, 660.0)] {
            let heard: Vec<f32> = second.iter().skip(channel).step_by(2).copied().collect();
            let rises = heard
                .windows(2)
                .filter(|w| w[0] < 0.0 && w[1] >= 0.0)
                .count() as f64;
            // 200 ms of it
            assert!(
                (rises - note / 5.0).abs() <= 1.0,
                "{rises} periods of {note} Hz"
            );
            let step = heard
                .windows(2)
                .fold(0.0f32, |a, w| a.max((w[1] - w[0]).abs()));
            assert!(step < 0.01, "a jump of {step}");
        }
    }

    #[test]
    fn silence_is_silent() {
        let mut samples = [1.0f32; 480];
        Tone::silence(2, 5).read(&mut samples).unwrap();
        assert_eq!(samples, [0.0; 480]);
    }
}
