//! What a stream is made of, worked out from the launch and the negotiated parameters.
use super::{adaptation::Settings, sharing::Budget};
use crate::{config::Config, store::PERMISSION_UNLOCK, stream::StreamSetup};
use punktfunk_core::{
    audio::AudioSeal,
    control::Iv,
    sdp::{AudioParams, StreamParams},
    video::{PacketizerConfig, max_frame_len},
};
use punktfunk_dbus::{
    applications::DESKTOP,
    channel::{Geometry, consumer::Limits},
    open_stream::{OpenStream, OpenedStream},
};

/// Frames that may be on their way through the ring.
const SLOTS: u16 = 3;
const MIN_SLOT: u64 = 1 << 20;
/// Bits of `encryptionEnabled`.
const ENCRYPT_VIDEO: u32 = 2;
/// The largest block that a percentage leaves room for: data and parity together are at most 255.
const MAX_SHARDS: u32 = 255;
/// Interactive video and telephony of RFC 4594: what Wi-Fi maps to its video and voice classes.
const CLASS_VIDEO: u8 = 34 << 2;
const CLASS_AUDIO: u8 = 46 << 2;

/// What the client's user lets the stream use.
pub(super) fn budget(params: &StreamParams, config: &Config) -> Budget {
    Budget::new(
        params.configured_bitrate_kbps,
        audio_bitrate_kbps(&params.audio),
        config.fec_percent,
    )
}

/// The largest Opus packet that fits a datagram, sealed or not.
const MAX_OPUS: usize = punktfunk_core::audio::MAX_PAYLOAD.saturating_sub(16);

/// What Opus encoders of other hosts use, by channels and quality; less where packets of that length would not fit a
/// datagram, which is so for surround sound of high quality in packets of 10 ms.
pub(super) fn audio_bitrate_kbps(audio: &AudioParams) -> u32 {
    let bits = u32::try_from(MAX_OPUS)
        .unwrap_or(u32::MAX)
        .saturating_mul(8);
    let most = bits
        .checked_div(u32::from(audio.packet_ms))
        .unwrap_or(u32::MAX);
    usual_audio_bitrate_kbps(audio).min(most)
}

fn usual_audio_bitrate_kbps(audio: &AudioParams) -> u32 {
    match (audio.channels, audio.high_quality) {
        (0..=2, false) => 96,
        (0..=2, true) => 512,
        (3..=6, false) => 256,
        (3..=6, true) => 1536,
        (_, false) => 450,
        (_, true) => 2048,
    }
}

/// Room for the largest picture that the wire carries, within reason: half an uncompressed picture.
pub(super) fn geometry(params: &StreamParams) -> Geometry {
    let half_picture = u64::from(params.width)
        .saturating_mul(u64::from(params.height))
        .saturating_mul(3)
        / 4;
    let wire = u64::try_from(max_frame_len(params.packet_size)).unwrap_or(u64::MAX);
    let size = half_picture.max(MIN_SLOT).min(wire).next_multiple_of(4096);
    Geometry {
        slots: SLOTS,
        slot_size: u32::try_from(size).unwrap_or(u32::MAX),
    }
}

pub(super) fn limits(params: &StreamParams, geometry: Geometry) -> Limits {
    Limits {
        geometry,
        // An encoder that catches up after a stall is no liar.
        max_frame_rate: params.fps.saturating_add(params.fps / 2).saturating_add(10),
        max_audio_bytes: MAX_OPUS,
    }
}

pub(super) fn packetizer(setup: &StreamSetup, config: &Config) -> PacketizerConfig {
    let params = &setup.params;
    let whole = u32::from(config.fec_percent).saturating_add(100);
    let most = MAX_SHARDS
        .saturating_mul(100)
        .checked_div(whole)
        .unwrap_or(1);
    PacketizerConfig {
        packet_size: params.packet_size,
        fec_percent: config.fec_percent,
        min_parity: params.min_fec_packets,
        max_data_per_block: usize::try_from(most).unwrap_or(1),
        seal: (params.encryption & ENCRYPT_VIDEO != 0).then(|| setup.launch.key.clone()),
    }
}

/// What parity and rate begin with: the video's budget, and its share of the host's total where that is less.
pub(super) fn adaptation(
    setup: &StreamSetup,
    config: &Config,
    video_kbps: u32,
    limit_kbps: Option<u32>,
) -> Settings {
    Settings {
        percent: config.fec_percent,
        video_kbps,
        limit_kbps,
        min_parity: setup.params.min_fec_packets,
        adaptive_parity: config.adaptive_parity,
        adaptive_bitrate: config.adaptive_bitrate,
        reports: setup.params.sends_fec_status,
    }
}

/// Whether lost references are left out. A decoder that takes one reference only leaves nothing to go on with.
pub(super) fn invalidates(params: &StreamParams, opened: &OpenedStream) -> bool {
    opened.invalidates_refs == Some(true) && params.max_reference_frames != 1
}

pub(super) fn audio_seal(setup: &StreamSetup) -> Option<AudioSeal> {
    setup.params.audio.encrypted.then(|| AudioSeal {
        key: setup.launch.key.clone(),
        key_id: u32::from_ne_bytes(setup.launch.key_id.to_ne_bytes()),
    })
}

pub(super) fn control_iv(params: &StreamParams) -> Iv {
    Iv::agreed(params.encryption)
}

/// Traffic classes of video and audio: none unless the client allows marking.
pub(super) fn classes(params: &StreamParams) -> (Option<u8>, Option<u8>) {
    (
        (params.qos_video != 0).then_some(CLASS_VIDEO),
        (params.qos_audio != 0).then_some(CLASS_AUDIO),
    )
}

/// What the agent starts: nothing for the desktop, which is there already.
fn application(app: u32) -> u32 {
    if app == DESKTOP { 0 } else { app }
}

/// What the agent is asked for.
pub(super) fn request(setup: &StreamSetup, config: &Config) -> OpenStream {
    let params = &setup.params;
    let geometry = geometry(params);
    OpenStream {
        stream: setup.launch.stream.0,
        width: params.width,
        height: params.height,
        fps: params.fps,
        codec: params.codec.name().to_owned(),
        bitrate_kbps: budget(params, config).video_kbps(),
        slots: u32::from(geometry.slots),
        slot_size: geometry.slot_size,
        audio_channels: u32::from(params.audio.channels),
        audio_packet_ms: u32::from(params.audio.packet_ms),
        audio_bitrate_kbps: audio_bitrate_kbps(&params.audio),
        audio_high_quality: params.audio.high_quality,
        source: config.video_source.clone(),
        compositor: config.compositor.clone(),
        play_on_host: setup.launch.play_on_host || config.hears_default_sink(),
        csc_mode: u32::from(params.csc_mode),
        slices: u32::from(params.slices),
        app: application(setup.launch.app),
        fps_x100: params.fps_x100(),
        hdr: params.hdr,
        chroma_444: params.chroma_444,
        max_reference_frames: u32::from(params.max_reference_frames),
        lock_screen: Some(
            (setup.launch.client.permissions)
                .iter()
                .any(|word| word == PERMISSION_UNLOCK),
        ),
        outputs: Some(config.outputs.clone()),
        frame_parts: Some(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_layout_has_its_rate_and_its_packets_fit_a_datagram() {
        for (channels, high_quality, of_5_ms, of_10_ms) in [
            (2, false, 96, 96),
            (2, true, 512, 512),
            (6, false, 256, 256),
            (6, true, 1536, 1088),
            (8, false, 450, 450),
            (8, true, 2048, 1088),
        ] {
            for (packet_ms, expected) in [(5, of_5_ms), (10, of_10_ms)] {
                let audio = AudioParams {
                    channels,
                    channel_mask: 0,
                    high_quality,
                    packet_ms,
                    encrypted: true,
                };
                let kbps = audio_bitrate_kbps(&audio);
                assert_eq!(kbps, expected, "{channels} channels, {packet_ms} ms");
                let bytes = usize::try_from(kbps * u32::from(packet_ms) / 8).unwrap();
                let seal = Some(AudioSeal {
                    key: punktfunk_core::crypto::Key([0; 16]),
                    key_id: 0,
                });
                let mut packetizer = punktfunk_core::audio::AudioPacketizer::new(packet_ms, seal);
                for _ in 0..4 {
                    let datagrams = packetizer.packetize(&vec![0; bytes]).unwrap();
                    assert!(
                        datagrams
                            .iter()
                            .all(|d| d.len() <= punktfunk_core::audio::MAX_DATAGRAM)
                    );
                }
            }
        }
    }
}
