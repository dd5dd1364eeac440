//! What the host offers in DESCRIBE, what the client makes of it, and the ANNOUNCE body that says so.

use crate::{client::Options, video::VideoCodec};
use std::net::SocketAddr;

/// Encryption bits of the session.
pub const ENCRYPT_CONTROL: u32 = 1;
pub const ENCRYPT_VIDEO: u32 = 2;
pub const ENCRYPT_AUDIO: u32 = 4;

/// The DESCRIBE answer, searched the way clients do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Offer {
    pub hevc: bool,
    pub av1: bool,
    pub reference_invalidation: bool,
    pub feature_flags: u32,
    pub encryption_supported: u32,
    pub encryption_requested: u32,
    /// The values of `surround-params`, in order.
    pub surround: Vec<String>,
}

impl Offer {
    pub fn parse(sdp: &str) -> Self {
        Self {
            hevc: sdp.contains("sprop-parameter-sets=AAAAAU"),
            av1: sdp.contains("AV1/90000"),
            reference_invalidation: sdp.contains("x-nv-video[0].refPicInvalidation"),
            feature_flags: number(sdp, "x-ss-general.featureFlags"),
            encryption_supported: number(sdp, "x-ss-general.encryptionSupported"),
            encryption_requested: number(sdp, "x-ss-general.encryptionRequested"),
            surround: sdp
                .split("a=fmtp:97 surround-params=")
                .skip(1)
                .map(|rest| {
                    rest.split(|c: char| !c.is_ascii_digit())
                        .next()
                        .unwrap_or_default()
                        .to_owned()
                })
                .collect(),
        }
    }
}

/// The number after the first `:` after `name`, decimal or 0x-hex; 0 when absent.
fn number(text: &str, name: &str) -> u32 {
    let Some((_, value)) = text
        .split_once(name)
        .and_then(|(_, rest)| rest.split_once(':'))
    else {
        return 0;
    };
    let value = value.trim_start();
    match value
        .strip_prefix("0x")
        .or_else(|| value.strip_prefix("0X"))
    {
        Some(hex) => u32::from_str_radix(
            hex.split(|c: char| !c.is_ascii_hexdigit())
                .next()
                .unwrap_or_default(),
            16,
        )
        .unwrap_or(0),
        None => value
            .split(|c: char| !c.is_ascii_digit())
            .next()
            .unwrap_or_default()
            .parse()
            .unwrap_or(0),
    }
}

/// How sound is decoded: streams, coupled streams and the mapping of the channel order FL FR C LFE RL RR SL SR.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioLayout {
    pub channels: u8,
    pub streams: u8,
    pub coupled: u8,
    pub mapping: Vec<u8>,
    pub high_quality: bool,
}

impl AudioLayout {
    /// The configuration for this many channels: the second matching line is the high-quality one. `None` = the client refuses.
    pub fn choose(offer: &Offer, channels: u8, want_high_quality: bool) -> Option<Self> {
        if channels == 2 {
            return Some(Self {
                channels,
                streams: 1,
                coupled: 1,
                mapping: vec![0, 1],
                high_quality: want_high_quality,
            });
        }
        let matching: Vec<Vec<u8>> = offer
            .surround
            .iter()
            .map(|line| line.bytes().map(|digit| digit - b'0').collect::<Vec<u8>>())
            .filter(|digits| {
                digits.len() == 3 + usize::from(channels) && digits.first() == Some(&channels)
            })
            .collect();
        match matching.as_slice() {
            [_, high, ..] if want_high_quality => Some(Self {
                channels,
                streams: high[1],
                coupled: high[2],
                mapping: high[3..].to_vec(),
                high_quality: true,
            }),
            [normal, ..] => {
                // The last digit of a normal-quality line is the LFE, which belongs at position 3.
                let mut mapping = normal[3..].to_vec();
                let lfe = mapping.pop()?;
                mapping.insert(3, lfe);
                Some(Self {
                    channels,
                    streams: normal[1],
                    coupled: normal[2],
                    mapping,
                    high_quality: false,
                })
            }
            [] if channels == 6 => Some(Self {
                channels,
                streams: 4,
                coupled: 2,
                mapping: vec![0, 4, 1, 5, 2, 3],
                high_quality: false,
            }),
            [] => None,
        }
    }

    fn mask(&self) -> u32 {
        match self.channels {
            6 => 0x3f,
            8 => 0x63f,
            _ => 3,
        }
    }
}

/// `surroundAudioInfo` of the launch.
pub fn surround_audio_info(channels: u8) -> u32 {
    match channels {
        6 => 0x3f_0006,
        8 => 0x63f_0008,
        _ => 0x3_0002,
    }
}

/// What client and host agreed on, as far as the client's side of the wire needs it.
#[derive(Debug, Clone)]
pub struct Agreement {
    /// Encryption bits announced.
    pub encryption: u32,
    /// P, reduced by 32 when video is sealed.
    pub packet_size: usize,
    /// Sound is CBC-sealed (by the old flag or the new bit).
    pub audio_sealed: bool,
    /// Lost frames are reported, not answered with a request for a key frame.
    pub reference_invalidation: bool,
    pub layout: AudioLayout,
}

impl Agreement {
    /// The client's decision; `None` when there is no audio layout to decode with.
    pub fn decide(offer: &Offer, options: &Options) -> Option<Self> {
        let control = if options.legacy_control {
            0
        } else {
            offer.encryption_supported & ENCRYPT_CONTROL
        };
        let requested = if options.ignore_requested_encryption {
            0
        } else {
            offer.encryption_requested
        };
        let media = ((offer.encryption_supported & options.encryption) | requested)
            & (ENCRYPT_VIDEO | ENCRYPT_AUDIO);
        let encryption = control | media;
        let reduction = if encryption & ENCRYPT_VIDEO != 0 {
            32
        } else {
            0
        };
        Some(Self {
            encryption,
            packet_size: options.packet_size - reduction,
            audio_sealed: options.audio_encryption_flag || encryption & ENCRYPT_AUDIO != 0,
            reference_invalidation: offer.reference_invalidation && options.reference_invalidation,
            layout: AudioLayout::choose(offer, options.audio_channels, options.wants_good_sound())?,
        })
    }

    /// The ANNOUNCE body.
    pub fn announce(&self, options: &Options, host: SocketAddr, video_port: u16) -> String {
        let capped = (options.bitrate_kbps * 4 / 5).min(100_000);
        let family = if host.is_ipv6() { "IPv6" } else { "IPv4" };
        let mut body = format!(
            "v=0\r\no=android 0 14 IN {family} {}\r\ns=NVIDIA Streaming Client\r\n",
            host.ip()
        );
        let mut attribute = |name: &str, value: &dyn std::fmt::Display| {
            body.push_str(&format!("a={name}:{value} \r\n"))
        };
        attribute("x-ml-general.featureFlags", &3);
        attribute("x-ss-general.encryptionEnabled", &self.encryption);
        attribute(
            "x-ss-video[0].chromaSamplingType",
            &u8::from(options.chroma_444),
        );
        attribute("x-nv-video[0].clientViewportWd", &options.width);
        attribute("x-nv-video[0].clientViewportHt", &options.height);
        attribute("x-nv-video[0].maxFPS", &options.fps);
        attribute("x-nv-video[0].packetSize", &self.packet_size);
        attribute("x-nv-video[0].rateControlMode", &4);
        attribute("x-nv-video[0].timeoutLengthMs", &7000);
        attribute("x-nv-video[0].framesWithInvalidRefThreshold", &0);
        attribute("x-nv-video[0].initialBitrateKbps", &capped);
        attribute("x-nv-video[0].initialPeakBitrateKbps", &capped);
        attribute("x-nv-vqos[0].bw.minimumBitrateKbps", &capped);
        attribute("x-nv-vqos[0].bw.maximumBitrateKbps", &capped);
        attribute("x-ml-video.configuredBitrateKbps", &options.bitrate_kbps);
        attribute("x-nv-vqos[0].fec.enable", &1);
        attribute("x-nv-vqos[0].videoQualityScoreUpdateTime", &5000);
        attribute("x-nv-vqos[0].qosTrafficType", &5);
        attribute("x-nv-aqos.qosTrafficType", &4);
        attribute(
            "x-nv-general.featureFlags",
            &if options.audio_encryption_flag {
                167
            } else {
                135
            },
        );
        attribute("x-nv-general.useReliableUdp", &13);
        attribute("x-nv-vqos[0].fec.minRequiredFecPackets", &2);
        attribute("x-nv-vqos[0].bllFec.enable", &0);
        attribute("x-nv-vqos[0].drc.enable", &0);
        attribute("x-nv-general.enableRecoveryMode", &0);
        attribute("x-nv-video[0].videoEncoderSlicesPerFrame", &options.slices);
        if options.codec != VideoCodec::Av1 {
            attribute(
                "x-nv-clientSupportHevc",
                &u8::from(options.codec == VideoCodec::Hevc),
            );
        }
        attribute("x-nv-vqos[0].bitStreamFormat", &options.codec.format());
        attribute("x-nv-video[0].dynamicRangeMode", &u8::from(options.hdr));
        // A decoder that can go on after lost references leaves their number to the host.
        let references = if options.reference_invalidation {
            0
        } else {
            options.reference_frames
        };
        attribute("x-nv-video[0].maxNumReferenceFrames", &references);
        attribute(
            "x-nv-video[0].clientRefreshRateX100",
            &options.refresh_rate_x100.unwrap_or(options.fps * 100),
        );
        attribute("x-nv-audio.surround.numChannels", &self.layout.channels);
        attribute("x-nv-audio.surround.channelMask", &self.layout.mask());
        attribute(
            "x-nv-audio.surround.enable",
            &u8::from(self.layout.channels > 2),
        );
        attribute(
            "x-nv-audio.surround.AudioQuality",
            &u8::from(self.layout.high_quality && self.layout.channels > 2),
        );
        attribute("x-nv-aqos.packetDuration", &options.audio_packet_ms);
        attribute("x-nv-video[0].encoderCscMode", &options.csc_mode);
        body.push_str(&format!("t=0 0\r\nm=video {video_port}\r\n"));
        body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_offer_is_found_in_any_layout() {
        let offer = Offer::parse(
            "a=x-ss-general.featureFlags:0x3\na=x-ss-general.encryptionSupported: 7\r\na=x-ss-general.encryptionRequested:1\nsprop-parameter-sets=AAAAAU\na=fmtp:97 surround-params=642012453\r\n",
        );
        let expected = Offer {
            hevc: true,
            feature_flags: 3,
            encryption_supported: 7,
            encryption_requested: 1,
            surround: vec!["642012453".into()],
            ..Offer::default()
        };
        assert_eq!(offer, expected);
    }

    #[test]
    fn the_advertised_mappings_of_section_10_3_turn_into_the_true_ones() {
        let surround = ["642012453", "660012345", "85301245673", "88001234567"]
            .map(String::from)
            .to_vec();
        let offer = Offer {
            surround,
            ..Offer::default()
        };
        let choose = |channels, high| {
            AudioLayout::choose(&offer, channels, high)
                .map(|l| (l.streams, l.coupled, l.mapping))
                .unwrap()
        };
        assert_eq!(choose(6, false), (4, 2, vec![0, 1, 2, 3, 4, 5]));
        assert_eq!(choose(6, true), (6, 0, vec![0, 1, 2, 3, 4, 5]));
        assert_eq!(choose(8, false), (5, 3, vec![0, 1, 2, 3, 4, 5, 6, 7]));
        assert_eq!(choose(8, true), (8, 0, vec![0, 1, 2, 3, 4, 5, 6, 7]));
        assert_eq!(
            AudioLayout::choose(&Offer::default(), 6, true)
                .unwrap()
                .mapping,
            [0, 4, 1, 5, 2, 3]
        );
        assert!(AudioLayout::choose(&Offer::default(), 8, true).is_none());
    }

    #[test]
    fn the_host_can_insist_on_video_encryption_and_the_packets_shrink() {
        let offer = Offer {
            encryption_supported: 7,
            encryption_requested: 3,
            ..Offer::default()
        };
        let options = Options {
            encryption: 0,
            audio_encryption_flag: false,
            ..Options::default()
        };
        let agreement = Agreement::decide(&offer, &options).unwrap();
        assert_eq!(
            (
                agreement.encryption,
                agreement.packet_size,
                agreement.audio_sealed
            ),
            (3, 1360, false)
        );
        let body = agreement.announce(&options, "[::1]:1".parse().unwrap(), 47998);
        assert!(
            body.contains("o=android 0 14 IN IPv6 ::1\r\n")
                && body.contains("a=x-nv-video[0].packetSize:1360 \r\n")
        );
    }
}
