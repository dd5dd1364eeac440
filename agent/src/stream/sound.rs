//! The sound thread: one packet's worth of samples, one Opus packet, one message; again.

use super::{Shared, StreamError};
use crate::{
    audio::{self, opus::OpusEncoder},
    source::AudioOrigin,
};
use punktfunk_dbus::{channel::ToService, open_stream::OpenStream};
use std::sync::Arc;

pub struct Sound {
    encoder: OpusEncoder,
    origin: AudioOrigin,
    channels: u32,
    packet_ms: u32,
    play_on_host: bool,
    shared: Arc<Shared>,
}

impl Sound {
    /// # Errors
    /// Channels, packet length or rate that the protocol does not know.
    pub fn new(
        options: &OpenStream,
        origin: AudioOrigin,
        shared: Arc<Shared>,
    ) -> Result<Self, StreamError> {
        let (channels, packet_ms) = (options.audio_channels, options.audio_packet_ms);
        Ok(Self {
            encoder: OpusEncoder::new(
                channels,
                packet_ms,
                options.audio_bitrate_kbps,
                options.audio_high_quality,
            )?,
            origin,
            channels,
            packet_ms,
            play_on_host: options.play_on_host,
            shared,
        })
    }

    /// Until the stream stops or its peer is gone.
    pub fn run(mut self) {
        let (channels, packet_ms) = (self.channels, self.packet_ms);
        let mut source = audio::open(self.origin, channels, packet_ms, self.play_on_host);
        let mut samples = vec![0.0; self.encoder.samples()];
        let mut seq = 0;
        while !self.shared.orders.stopped() {
            if let Err(why) = source.read(&mut samples) {
                tracing::warn!(why, "no more sound");
                return;
            }
            let opus = match self.encoder.encode(&samples) {
                Ok(opus) => opus.to_vec(),
                Err(error) => {
                    tracing::warn!("no more sound: {error}");
                    return;
                }
            };
            match self
                .shared
                .endpoint
                .send_to_service(&ToService::Audio { seq, opus })
            {
                Ok(true) => seq += 1,
                // drop rule: a packet that finds the socket full is left out
                Ok(false) => {}
                Err(_) => return,
            }
        }
    }
}
