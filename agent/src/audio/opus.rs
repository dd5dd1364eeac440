//! Samples become Opus packets as GameStream clients want them: 48 kHz, low delay, hard CBR, so that every packet of a
//! stream has the same size and its parity works.

use super::RATE;
use opus::{Application, Bitrate, MSEncoder};

/// Largest packet that fits a datagram with its headers.
pub const MAX_PACKET: usize = 1_372;

/// Why there is no Opus encoder, or no packet.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpusError {
    #[error("{0} audio channels: only 2, 6 and 8 are known")]
    Channels(u32),
    #[error("Opus packets of {0} ms: only 5 and 10 are known")]
    PacketLength(u32),
    #[error("{kbps} kbit/s in packets of {packet_ms} ms do not fit a datagram")]
    Rate { kbps: u32, packet_ms: u32 },
    #[error("opus: {0}")]
    Library(#[from] opus::Error),
}

/// An encoder for one stream.
pub struct OpusEncoder {
    library: MSEncoder,
    samples: usize,
    packet: Vec<u8>,
}

impl OpusEncoder {
    /// `kbps` is the rate of all channels together. With `high_quality` every channel of surround sound is a stream of
    /// its own; stereo is one coupled stream either way.
    ///
    /// # Errors
    /// Settings outside the protocol's.
    pub fn new(
        channels: u32,
        packet_ms: u32,
        kbps: u32,
        high_quality: bool,
    ) -> Result<Self, OpusError> {
        // streams, of which coupled; the mapping is always the identity, in the client's channel order
        let (streams, coupled) = match (channels, high_quality) {
            (2, _) => (1, 1),
            (6, false) => (4, 2),
            (6, true) => (6, 0),
            (8, false) => (5, 3),
            (8, true) => (8, 0),
            _ => return Err(OpusError::Channels(channels)),
        };
        if packet_ms != 5 && packet_ms != 10 {
            return Err(OpusError::PacketLength(packet_ms));
        }
        let bytes = u64::from(kbps) * u64::from(packet_ms) / 8;
        if bytes == 0 || bytes > MAX_PACKET as u64 {
            return Err(OpusError::Rate { kbps, packet_ms });
        }
        let mapping: Vec<u8> = (0..channels as u8).collect();
        let mut library = MSEncoder::new(RATE, streams, coupled, &mapping, Application::LowDelay)?;
        library.set_bitrate(Bitrate::Bits(kbps as i32 * 1000))?;
        library.set_vbr(false)?;
        Ok(Self {
            library,
            samples: (RATE / 1000 * packet_ms * channels) as usize,
            packet: vec![0; MAX_PACKET],
        })
    }

    /// How many interleaved samples a packet takes.
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// Encode exactly [`Self::samples`] samples.
    ///
    /// # Errors
    /// What the library says, for another number of samples too.
    pub fn encode(&mut self, samples: &[f32]) -> Result<&[u8], OpusError> {
        let len = self.library.encode_float(samples, &mut self.packet)?;
        Ok(&self.packet[..len.min(MAX_PACKET)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{audio::tone::Tone, source::AudioSource};

    /// Every layout: channels, packet length, rate, high quality, and the size that its packets have.
    const LAYOUTS: [(u32, u32, u32, bool, usize); 12] = [
        (2, 5, 96, false, 60),
        (2, 10, 96, false, 120),
        (2, 5, 512, true, 320),
        (2, 10, 512, true, 640),
        (6, 5, 256, false, 160),
        (6, 10, 256, false, 320),
        (6, 5, 1536, true, 960),
        (6, 10, 1088, true, 1360),
        (8, 5, 450, false, 281),
        (8, 10, 450, false, 563),
        (8, 5, 2048, true, 1280),
        (8, 10, 1088, true, 1360),
    ];

    #[test]
    fn every_packet_has_the_same_size_whatever_is_heard() {
        for (channels, packet_ms, kbps, high_quality, expected) in LAYOUTS {
            let mut encoder = OpusEncoder::new(channels, packet_ms, kbps, high_quality).unwrap();
            let mut samples = vec![0.0; encoder.samples()];
            for packet in 0..100usize {
                for (index, sample) in samples.iter_mut().enumerate() {
                    // silence, then a buzz, then noise-like steps
                    *sample = match packet / 33 {
                        0 => 0.0,
                        1 => (index as f32 * 0.1).sin(),
                        _ => ((index * 7919 + packet * 104_729) % 1000) as f32 / 500.0 - 1.0,
                    };
                }
                let len = encoder.encode(&samples).unwrap().len();
                assert_eq!(
                    len, expected,
                    "{channels} channels, {packet_ms} ms, {kbps} kbit/s"
                );
            }
        }
    }

    #[test]
    fn quality_is_told_and_not_guessed_from_the_rate() {
        // The same rate both ways: the first stream of the one is a pair, of the other a single channel (RFC 6716, 3.1).
        for (high_quality, pair) in [(false, true), (true, false)] {
            let mut encoder = OpusEncoder::new(6, 5, 600, high_quality).unwrap();
            let samples = vec![0.1; encoder.samples()];
            let packet = encoder.encode(&samples).unwrap();
            assert_eq!(packet[0] & 4 != 0, pair);
        }
    }

    #[test]
    fn a_stereo_packet_decodes_to_the_tone_that_went_in() {
        let mut encoder = OpusEncoder::new(2, 10, 96, false).unwrap();
        let mut tone = Tone::new(2, 10);
        let mut decoder = opus::Decoder::new(RATE, opus::Channels::Stereo).unwrap();
        let mut samples = vec![0.0; encoder.samples()];
        let mut heard = vec![0.0f32; encoder.samples()];
        let mut loudest = 0.0f32;
        for _ in 0..20 {
            tone.read(&mut samples).unwrap();
            let packet = encoder.encode(&samples).unwrap();
            assert_eq!(
                decoder.decode_float(packet, &mut heard, false).unwrap(),
                480
            );
            loudest = heard.iter().fold(loudest, |a, b| a.max(b.abs()));
        }
        assert!((0.05..0.2).contains(&loudest), "{loudest}");
    }

    #[test]
    fn settings_outside_the_protocol_are_refused() {
        for (channels, packet_ms, kbps) in [(3, 5, 96), (2, 7, 96), (2, 10, 0), (2, 10, 2000)] {
            assert!(OpusEncoder::new(channels, packet_ms, kbps, true).is_err());
        }
    }
}
