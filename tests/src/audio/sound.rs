//! Opus to samples, the figures of the audio plane, and the pitch of what was heard.

use crate::announce::AudioLayout;
use anyhow::Result;
use std::{collections::VecDeque, f32::consts::PI};

const RATE: u32 = 48_000;
/// Samples kept per channel: two thirds of a second, a power of two for the transform.
const KEPT: usize = 32_768;

/// Running totals of the audio plane.
#[derive(Debug, Clone, Default)]
pub struct Statistics {
    pub packets: u64,
    pub bytes: u64,
    pub injected_loss: u64,
    pub repaired: u64,
    pub lost: u64,
    pub late: u64,
    pub duplicates: u64,
    pub decoded: u64,
    /// Thrown away at the start, as clients do with the first half second.
    pub discarded: u64,
    pub decode_failures: u64,
    pub verified_blocks: u64,
    /// Bytes of an Opus packet.
    pub packet_bytes: usize,
}

/// Decodes one stream and remembers the last samples of every channel.
pub struct Sound {
    decoder: opus::MSDecoder,
    channels: usize,
    frame_samples: usize,
    kept: Vec<VecDeque<f32>>,
}

impl Sound {
    pub fn new(layout: &AudioLayout, packet_ms: u8) -> Result<Self> {
        let channels = usize::from(layout.channels);
        let decoder = opus::MSDecoder::new(RATE, layout.streams, layout.coupled, &layout.mapping)?;
        Ok(Self {
            decoder,
            channels,
            frame_samples: 48 * usize::from(packet_ms),
            kept: vec![VecDeque::with_capacity(KEPT); channels],
        })
    }

    /// Decode one packet. False when it does not decode to exactly one frame.
    pub fn decode(&mut self, opus: &[u8]) -> bool {
        if opus.is_empty() {
            // libopus would conceal a loss here.
            return false;
        }
        let mut samples = vec![0.0; self.frame_samples * self.channels];
        let decoded = self.decoder.decode_float(opus, &mut samples, false);
        if decoded.ok() != Some(self.frame_samples) {
            return false;
        }
        for frame in samples.chunks(self.channels) {
            for (kept, sample) in self.kept.iter_mut().zip(frame) {
                if kept.len() == KEPT {
                    kept.pop_front();
                }
                kept.push_back(*sample);
            }
        }
        true
    }

    /// What each channel sounds like.
    pub fn heard(&self) -> Heard {
        let channels: Vec<Vec<f32>> = self
            .kept
            .iter()
            .map(|kept| kept.iter().copied().collect())
            .collect();
        let tones_hz: Vec<Option<f32>> = channels.iter().map(|kept| tone(kept.clone())).collect();
        let separation_db = (0..channels.len())
            .map(|at| separation(&channels[at], at, &tones_hz))
            .collect();
        Heard {
            tones_hz,
            separation_db,
        }
    }
}

/// What the channels sounded like over the last two thirds of a second.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Heard {
    /// The strongest frequency of each in Hz; `None` while too little was heard or all is silence.
    pub tones_hz: Vec<Option<f32>>,
    /// By how many dB its own tone is louder in each channel than the loudest tone of another one; `None` without tones.
    pub separation_db: Vec<Option<f32>>,
}

fn separation(kept: &[f32], own: usize, tones: &[Option<f32>]) -> Option<f32> {
    let ours = level(kept, (*tones.get(own)?)?);
    let others = tones.iter().enumerate().filter(|(at, _)| *at != own);
    let leaked = others
        .filter_map(|(_, tone)| tone.map(|tone| level(kept, tone)))
        .fold(f32::MIN_POSITIVE, f32::max);
    Some(20.0 * (ours / leaked).log10())
}

/// How loud one frequency is, after Goertzel, with a window that keeps its neighbours out.
fn level(samples: &[f32], frequency: f32) -> f32 {
    let step = 2.0 * std::f64::consts::PI * f64::from(frequency) / f64::from(RATE);
    let turn = 2.0 * std::f64::consts::PI / samples.len() as f64;
    let (mut before, mut last) = (0.0f64, 0.0f64);
    for (at, sample) in samples.iter().enumerate() {
        let window = 0.5 - 0.5 * (turn * at as f64).cos();
        let next = f64::from(*sample) * window + 2.0 * step.cos() * last - before;
        (before, last) = (last, next);
    }
    let power = last * last + before * before - 2.0 * step.cos() * last * before;
    (power.max(0.0).sqrt() * 4.0 / samples.len() as f64) as f32
}

fn tone(samples: Vec<f32>) -> Option<f32> {
    if samples.len() < KEPT || samples.iter().map(|v| v * v).sum::<f32>() / (KEPT as f32) < 1e-8 {
        return None;
    }
    let mut real: Vec<f32> = samples
        .iter()
        .enumerate()
        .map(|(at, v)| v * (0.5 - 0.5 * (2.0 * PI * at as f32 / KEPT as f32).cos()))
        .collect();
    let mut imaginary = vec![0.0; KEPT];
    transform(&mut real, &mut imaginary);
    let power = |at: usize| real[at].hypot(imaginary[at]);
    let peak = (2..KEPT / 2 - 1).max_by(|a, b| power(*a).total_cmp(&power(*b)))?;
    let (before, at, after) = (power(peak - 1), power(peak), power(peak + 1));
    let shift = 0.5 * (before - after) / (before - 2.0 * at + after);
    Some((peak as f32 + shift) * RATE as f32 / KEPT as f32)
}

/// Radix-2 Fourier transform in place; the length is a power of two.
fn transform(real: &mut [f32], imaginary: &mut [f32]) {
    let n = real.len();
    let mut j = 0;
    for i in 1..n {
        let mut bit = n >> 1;
        while j & bit != 0 {
            j ^= bit;
            bit >>= 1;
        }
        j |= bit;
        if i < j {
            real.swap(i, j);
            imaginary.swap(i, j);
        }
    }
    let mut length = 2;
    while length <= n {
        let angle = -2.0 * PI / length as f32;
        for start in (0..n).step_by(length) {
            for k in 0..length / 2 {
                let (sin, cos) = (angle * k as f32).sin_cos();
                let (a, b) = (start + k, start + k + length / 2);
                let (re, im) = (
                    real[b] * cos - imaginary[b] * sin,
                    real[b] * sin + imaginary[b] * cos,
                );
                (real[b], imaginary[b]) = (real[a] - re, imaginary[a] - im);
                real[a] += re;
                imaginary[a] += im;
            }
        }
        length *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sine_is_heard_at_its_frequency_and_silence_as_nothing() {
        for frequency in [220.0, 440.0, 997.0] {
            let samples = (0..KEPT)
                .map(|at| 0.3 * (2.0 * PI * frequency * at as f32 / RATE as f32).sin())
                .collect();
            assert!(
                (tone(samples).unwrap() - frequency).abs() < 1.0,
                "{frequency}"
            );
        }
        assert_eq!(tone(vec![0.0; KEPT]), None);
        assert_eq!(tone(vec![1.0; 10]), None);
    }

    #[test]
    fn a_tone_that_leaks_into_another_channel_is_measured() {
        let sine = |frequency: f32, loud: f32| {
            move |at: usize| loud * (2.0 * PI * frequency * at as f32 / RATE as f32).sin()
        };
        let (left, right, leak) = (sine(440.0, 0.1), sine(660.0, 0.1), sine(660.0, 0.001));
        let tones = [Some(440.0), Some(660.0)];
        let clean: Vec<f32> = (0..KEPT).map(left).collect();
        let leaky: Vec<f32> = (0..KEPT).map(|at| left(at) + leak(at)).collect();
        assert!(separation(&clean, 0, &tones).unwrap() > 80.0);
        let measured = separation(&leaky, 0, &tones).unwrap();
        assert!((measured - 40.0).abs() < 0.5, "{measured}");
        assert!((level(&clean, 440.0) - 0.1).abs() < 0.001);
        let swapped: Vec<f32> = (0..KEPT).map(right).collect();
        assert!(separation(&swapped, 0, &tones).unwrap() < -80.0);
    }

    #[test]
    fn what_a_multistream_encoder_makes_is_decoded_per_channel() {
        let layout = AudioLayout {
            channels: 2,
            streams: 1,
            coupled: 1,
            mapping: vec![0, 1],
            high_quality: true,
        };
        let mut sound = Sound::new(&layout, 5).unwrap();
        let mut encoder =
            opus::Encoder::new(RATE, opus::Channels::Stereo, opus::Application::LowDelay).unwrap();
        encoder.set_vbr(false).unwrap();
        encoder.set_bitrate(opus::Bitrate::Bits(128_000)).unwrap();
        for packet in 0..160 {
            let at = |sample: usize, frequency: f32| {
                0.3 * (2.0 * PI * frequency * (packet * 240 + sample) as f32 / RATE as f32).sin()
            };
            let samples: Vec<f32> = (0..240)
                .flat_map(|sample| [at(sample, 440.0), at(sample, 660.0)])
                .collect();
            assert!(sound.decode(&encoder.encode_vec_float(&samples, 1400).unwrap()));
        }
        let heard = sound.heard();
        let tones = heard.tones_hz;
        assert!(
            (tones[0].unwrap() - 440.0).abs() < 2.0 && (tones[1].unwrap() - 660.0).abs() < 2.0,
            "{tones:?}"
        );
        assert!(!sound.decode(&[]), "an empty packet is no sound");
        let ten_ms = encoder.encode_vec_float(&[0.0; 960], 1400).unwrap();
        assert!(
            !sound.decode(&ten_ms),
            "nor is a packet of another duration"
        );
    }
}
