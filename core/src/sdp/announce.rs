//! The ANNOUNCE parser: `a=name:value` lines into checked [`StreamParams`].
use super::{
    AudioParams, Codec, ENCRYPT_AUDIO, ENCRYPT_CONTROL, ENCRYPT_VIDEO, Offer, StreamParams, limits,
};

/// Bytes around P in a datagram: RTP header, and the sealing header when video is sealed.
const RTP: usize = 16;
const SEAL: usize = 32;
/// What fits into one unfragmented IPv4 datagram on Ethernet.
const MAX_DATAGRAM: usize = 1472;
/// Smallest P: room for the 16 bytes of packet header, the frame header and a useful slice.
const MIN_PACKET: usize = 256;
/// Parity packets a client may demand for each FEC block; real ones ask for 2.
const MAX_MIN_FEC: u32 = 16;
const MAX_SLICES: u32 = 32;
/// Reference frames that any of the codecs knows.
const MAX_REFERENCES: u32 = 16;
/// Budgets are moved into this range, in kbit/s.
const BITRATE: std::ops::RangeInclusive<u32> = 500..=1_000_000;
const DEFAULT_BITRATE: u32 = 10_000;

/// Why an ANNOUNCE is refused. The client shows only a number, so the text is for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnnounceError {
    #[error("the ANNOUNCE is not UTF-8")]
    NotText,
    #[error("{0} is missing")]
    Missing(&'static str),
    #[error("{name} = {value:?} is not a number in its range")]
    NotANumber { name: &'static str, value: String },
    #[error("{name} = {value} is out of range")]
    OutOfRange { name: &'static str, value: u32 },
    #[error("{}x{}@{} in {}: {why}", .mode.0, .mode.1, .mode.2, .codec.name())]
    Mode {
        codec: Codec,
        mode: (u32, u32, u32),
        why: &'static str,
    },
    #[error("{} was not offered", .0.name())]
    CodecNotOffered(Codec),
    #[error("{0} was not offered")]
    NotOffered(&'static str),
    #[error("packets of {packet_size} bytes are out of range")]
    PacketSize { packet_size: usize },
    #[error("{0} channels of audio: only 2, 6 and 8 exist")]
    Channels(u32),
    #[error("encryption bits {agreed:#x} do not include the required {required:#x}")]
    EncryptionRequired { agreed: u32, required: u32 },
}

/// Turn an ANNOUNCE body into stream parameters, refusing what was not offered or cannot be carried.
/// `stereo_high_quality` is what the `Host` header of the earlier requests said.
///
/// # Errors
/// The first rule that is broken.
pub fn parse_announce(
    body: &[u8],
    offer: &Offer,
    stereo_high_quality: bool,
) -> Result<StreamParams, AnnounceError> {
    let sdp = Attributes(std::str::from_utf8(body).map_err(|_| AnnounceError::NotText)?);
    let codec = codec(&sdp, offer)?;
    // Colour comes for two by two pixels: of an odd side, as a phone's screen may have it, the last row or column is left out.
    let even = |side: u32| side & !1;
    let (width, height) = (
        even(sdp.required("x-nv-video[0].clientViewportWd")?),
        even(sdp.required("x-nv-video[0].clientViewportHt")?),
    );
    let fps = sdp.required("x-nv-video[0].maxFPS")?;
    if let Some(why) = limits::refusal(codec, width, height, fps) {
        return Err(AnnounceError::Mode {
            codec,
            mode: (width, height, fps),
            why,
        });
    }
    let encryption = encryption(&sdp, offer)?;
    let features = sdp.number("x-ml-general.featureFlags", 0)?;
    // A wish that cannot be met is no reason to refuse the stream: the client is told what it gets, and shows that.
    let hdr_asked = sdp.number("x-nv-video[0].dynamicRangeMode", 0)? != 0;
    let chroma_444 = sdp.flag(
        "x-ss-video[0].chromaSamplingType",
        offer.chroma_444.has(codec),
        "4:4:4 chroma in this codec",
    )?;
    // Some cards have each alone.
    let ten_bit = offer.ten_bit.has(codec) && (!chroma_444 || offer.ten_bit_444.has(codec));
    let params = StreamParams {
        width,
        height,
        fps,
        codec,
        packet_size: packet_size(&sdp, encryption)?,
        configured_bitrate_kbps: bitrate(&sdp)?,
        min_fec_packets: sdp.byte("x-nv-vqos[0].fec.minRequiredFecPackets", 0, MAX_MIN_FEC)?,
        slices: sdp
            .byte("x-nv-video[0].videoEncoderSlicesPerFrame", 1, MAX_SLICES)?
            .max(1),
        chroma_444,
        hdr: hdr_asked && ten_bit,
        hdr_asked,
        max_reference_frames: sdp.byte("x-nv-video[0].maxNumReferenceFrames", 0, MAX_REFERENCES)?,
        refresh_rate_x100: sdp.number("x-nv-video[0].clientRefreshRateX100", 0)?,
        // Rec.601, Rec.709 or Rec.2020, limited or full range.
        csc_mode: sdp.byte("x-nv-video[0].encoderCscMode", 0, 5)?,
        encryption,
        audio: audio(&sdp, offer, encryption, stereo_high_quality)?,
        sends_fec_status: features & 1 != 0,
        uses_ping_payload: features & 2 != 0,
        qos_video: sdp.byte("x-nv-vqos[0].qosTrafficType", 0, 255)?,
        qos_audio: sdp.byte("x-nv-aqos.qosTrafficType", 0, 255)?,
    };
    Ok(params)
}

fn codec(sdp: &Attributes<'_>, offer: &Offer) -> Result<Codec, AnnounceError> {
    const NAME: &str = "x-nv-vqos[0].bitStreamFormat";
    let codec = match sdp.number(NAME, 0)? {
        0 => Codec::H264,
        1 => Codec::Hevc,
        2 => Codec::Av1,
        value => return Err(AnnounceError::OutOfRange { name: NAME, value }),
    };
    if offer.has(codec) {
        Ok(codec)
    } else {
        Err(AnnounceError::CodecNotOffered(codec))
    }
}

fn encryption(sdp: &Attributes<'_>, offer: &Offer) -> Result<u32, AnnounceError> {
    let agreed = sdp.number("x-ss-general.encryptionEnabled", 0)?;
    for (bit, name) in [
        (ENCRYPT_CONTROL, "control encryption v2"),
        (ENCRYPT_VIDEO, "video encryption"),
        (ENCRYPT_AUDIO, "audio encryption"),
    ] {
        if agreed & bit & !offer.encryption_supported != 0 {
            return Err(AnnounceError::NotOffered(name));
        }
    }
    let required = offer.encryption_required;
    if agreed & required != required {
        return Err(AnnounceError::EncryptionRequired { agreed, required });
    }
    Ok(agreed & offer.encryption_supported)
}

fn packet_size(sdp: &Attributes<'_>, encryption: u32) -> Result<usize, AnnounceError> {
    let value = sdp.required("x-nv-video[0].packetSize")?;
    let packet_size = usize::try_from(value).unwrap_or(usize::MAX);
    let around = if encryption & ENCRYPT_VIDEO == 0 {
        RTP
    } else {
        RTP.saturating_add(SEAL)
    };
    if packet_size < MIN_PACKET || packet_size.saturating_add(around) > MAX_DATAGRAM {
        return Err(AnnounceError::PacketSize { packet_size });
    }
    Ok(packet_size)
}

/// The user's own setting where the client tells it; else what the older attributes say, which is 80 % of it.
fn bitrate(sdp: &Attributes<'_>) -> Result<u32, AnnounceError> {
    let kbps = match sdp.number("x-ml-video.configuredBitrateKbps", 0)? {
        0 => match sdp.number("x-nv-vqos[0].bw.maximumBitrateKbps", 0)? {
            0 => sdp.number("x-nv-video[0].initialBitrateKbps", DEFAULT_BITRATE)?,
            kbps => kbps,
        },
        kbps => kbps,
    };
    Ok(kbps.clamp(*BITRATE.start(), *BITRATE.end()))
}

fn audio(
    sdp: &Attributes<'_>,
    offer: &Offer,
    encryption: u32,
    stereo_high_quality: bool,
) -> Result<AudioParams, AnnounceError> {
    const DURATION: &str = "x-nv-aqos.packetDuration";
    let (channels, default_mask) = match sdp.number("x-nv-audio.surround.numChannels", 2)? {
        2 => (2, 0x3),
        6 => (6, 0x3f),
        8 => (8, 0x63f),
        other => return Err(AnnounceError::Channels(other)),
    };
    let packet_ms = match sdp.number(DURATION, 5)? {
        5 => 5,
        10 => 10,
        value => {
            return Err(AnnounceError::OutOfRange {
                name: DURATION,
                value,
            });
        }
    };
    // Desktop clients set this bit whatever was offered: they do decrypt, so audio must be sealed.
    let legacy_bit = sdp.number("x-nv-general.featureFlags", 0)? & 0x20 != 0;
    let encrypted = legacy_bit || encryption & ENCRYPT_AUDIO != 0;
    if offer.encryption_required & ENCRYPT_AUDIO != 0 && !encrypted {
        return Err(AnnounceError::EncryptionRequired {
            agreed: encryption,
            required: ENCRYPT_AUDIO,
        });
    }
    let high_quality = if channels == 2 {
        stereo_high_quality
    } else {
        sdp.number("x-nv-audio.surround.AudioQuality", 0)? == 1
    };
    let channel_mask = match sdp.number("x-nv-audio.surround.channelMask", default_mask)? {
        0 => default_mask,
        mask => mask,
    };
    Ok(AudioParams {
        channels,
        channel_mask,
        high_quality,
        packet_ms,
        encrypted,
    })
}

/// The attribute lines of a body. Looked up by scanning: the body is short and read once.
struct Attributes<'a>(&'a str);

impl<'a> Attributes<'a> {
    /// The last value given wins, as in a map.
    fn text(&self, name: &str) -> Option<&'a str> {
        self.0
            .lines()
            .filter_map(|line| {
                line.trim()
                    .strip_prefix("a=")?
                    .strip_prefix(name)?
                    .strip_prefix(':')
            })
            .map(str::trim)
            .next_back()
    }

    fn parse(name: &'static str, text: &str) -> Result<u32, AnnounceError> {
        text.parse().map_err(|_| AnnounceError::NotANumber {
            name,
            value: text.chars().take(32).collect(),
        })
    }

    fn required(&self, name: &'static str) -> Result<u32, AnnounceError> {
        Self::parse(name, self.text(name).ok_or(AnnounceError::Missing(name))?)
    }

    fn number(&self, name: &'static str, missing: u32) -> Result<u32, AnnounceError> {
        self.text(name)
            .map_or(Ok(missing), |text| Self::parse(name, text))
    }

    fn byte(&self, name: &'static str, missing: u32, max: u32) -> Result<u8, AnnounceError> {
        let value = self.number(name, missing)?;
        u8::try_from(value)
            .ok()
            .filter(|_| value <= max)
            .ok_or(AnnounceError::OutOfRange { name, value })
    }

    /// A wish that may be switched on only if it was offered.
    fn flag(
        &self,
        name: &'static str,
        offered: bool,
        what: &'static str,
    ) -> Result<bool, AnnounceError> {
        match self.number(name, 0)? {
            0 => Ok(false),
            _ if offered => Ok(true),
            _ => Err(AnnounceError::NotOffered(what)),
        }
    }
}
