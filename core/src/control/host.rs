//! Messages of the host to a client.
use super::Fields;
use crate::{Error, Result};

const RUMBLE: u16 = 0x010B;
const TRIGGER_RUMBLE: u16 = 0x5500;
const MOTION: u16 = 0x5501;
const RGB_LED: u16 = 0x5502;
const ADAPTIVE_TRIGGERS: u16 = 0x5503;
const HDR: u16 = 0x010E;
const TERMINATION: u16 = 0x0109;

/// Reasons of a termination that clients know.
pub mod termination {
    /// The stream ended as it should; the client shows nothing.
    pub const NORMAL: u32 = 0x8003_0023;
    /// The content may not be captured.
    pub const PROTECTED_CONTENT: u32 = 0x800E_9302;
    /// The host could not make pictures.
    pub const FRAME_CONVERSION: u32 = 0x800E_9403;
}

/// One message of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum HostMessage {
    /// Motor strengths 0..=65535; they persist until changed.
    Rumble {
        controller: u16,
        low: u16,
        high: u16,
    },
    TriggerRumble {
        controller: u16,
        left: u16,
        right: u16,
    },
    /// Ask for motion events at `rate_hz` (0 = stop); kind 1 accelerometer, 2 gyroscope.
    MotionEvents {
        controller: u16,
        rate_hz: u16,
        kind: u8,
    },
    RgbLed {
        controller: u16,
        red: u8,
        green: u8,
        blue: u8,
    },
    /// `flags`: 0x04 right, 0x08 left trigger.
    AdaptiveTriggers {
        controller: u16,
        flags: u8,
        left_kind: u8,
        right_kind: u8,
        left: [u8; 10],
        right: [u8; 10],
    },
    Hdr {
        enabled: bool,
        metadata: HdrMetadata,
    },
    /// See [`termination`].
    Termination { reason: u32 },
}

/// Mastering metadata. Chromaticities in 1/50000, maximum luminances in nits, the minimum in 1/10000 nit; 0 = unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HdrMetadata {
    pub red: (u16, u16),
    pub green: (u16, u16),
    pub blue: (u16, u16),
    pub white: (u16, u16),
    pub max_display: u16,
    pub min_display: u16,
    pub max_content: u16,
    pub max_frame_average: u16,
    pub max_full_frame: u16,
}

impl HostMessage {
    /// Type and payload as they go on the wire.
    pub fn encode(&self) -> (u16, Vec<u8>) {
        let words = |values: &[u16]| {
            values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect::<Vec<u8>>()
        };
        match *self {
            // The four leading bytes are skipped by clients, but must be there.
            Self::Rumble {
                controller,
                low,
                high,
            } => (RUMBLE, words(&[0, 0, controller, low, high])),
            Self::TriggerRumble {
                controller,
                left,
                right,
            } => (TRIGGER_RUMBLE, words(&[controller, left, right])),
            Self::MotionEvents {
                controller,
                rate_hz,
                kind,
            } => {
                let mut payload = words(&[controller, rate_hz]);
                payload.push(kind);
                (MOTION, payload)
            }
            Self::RgbLed {
                controller,
                red,
                green,
                blue,
            } => {
                let mut payload = words(&[controller]);
                payload.extend_from_slice(&[red, green, blue]);
                (RGB_LED, payload)
            }
            Self::AdaptiveTriggers {
                controller,
                flags,
                left_kind,
                right_kind,
                left,
                right,
            } => {
                let mut payload = words(&[controller]);
                payload.extend_from_slice(&[flags, left_kind, right_kind]);
                payload.extend_from_slice(&left);
                payload.extend_from_slice(&right);
                (ADAPTIVE_TRIGGERS, payload)
            }
            Self::Hdr { enabled, metadata } => {
                let mut payload = vec![u8::from(enabled)];
                payload.extend_from_slice(&words(&metadata.words()));
                (HDR, payload)
            }
            Self::Termination { reason } => (TERMINATION, reason.to_be_bytes().to_vec()),
        }
    }

    /// Read a message of type `kind`, as a client does.
    ///
    /// # Errors
    /// `Malformed` for a short payload or an unknown type.
    pub fn parse(kind: u16, payload: &[u8]) -> Result<Self> {
        let mut fields = Fields::new(payload, "host message");
        Ok(match kind {
            RUMBLE => {
                fields.u32()?;
                Self::Rumble {
                    controller: fields.u16()?,
                    low: fields.u16()?,
                    high: fields.u16()?,
                }
            }
            TRIGGER_RUMBLE => Self::TriggerRumble {
                controller: fields.u16()?,
                left: fields.u16()?,
                right: fields.u16()?,
            },
            MOTION => Self::MotionEvents {
                controller: fields.u16()?,
                rate_hz: fields.u16()?,
                kind: fields.u8()?,
            },
            RGB_LED => {
                let controller = fields.u16()?;
                Self::RgbLed {
                    controller,
                    red: fields.u8()?,
                    green: fields.u8()?,
                    blue: fields.u8()?,
                }
            }
            ADAPTIVE_TRIGGERS => Self::AdaptiveTriggers {
                controller: fields.u16()?,
                flags: fields.u8()?,
                left_kind: fields.u8()?,
                right_kind: fields.u8()?,
                left: fields.array()?,
                right: fields.array()?,
            },
            HDR => Self::Hdr {
                enabled: fields.u8()? != 0,
                metadata: HdrMetadata::parse(&mut fields)?,
            },
            TERMINATION => Self::Termination {
                reason: fields.u32_be()?,
            },
            _ => {
                return Err(Error::Malformed {
                    what: "host message",
                    why: "unknown type",
                });
            }
        })
    }
}

impl HdrMetadata {
    /// The fields in the order of the wire.
    pub fn words(&self) -> [u16; 13] {
        [
            self.red.0,
            self.red.1,
            self.green.0,
            self.green.1,
            self.blue.0,
            self.blue.1,
            self.white.0,
            self.white.1,
            self.max_display,
            self.min_display,
            self.max_content,
            self.max_frame_average,
            self.max_full_frame,
        ]
    }

    /// From the fields in the order of the wire.
    pub fn from_words(words: [u16; 13]) -> Self {
        let [
            red_x,
            red_y,
            green_x,
            green_y,
            blue_x,
            blue_y,
            white_x,
            white_y,
            max_display,
            min_display,
            max_content,
            max_frame_average,
            max_full_frame,
        ] = words;
        Self {
            red: (red_x, red_y),
            green: (green_x, green_y),
            blue: (blue_x, blue_y),
            white: (white_x, white_y),
            max_display,
            min_display,
            max_content,
            max_frame_average,
            max_full_frame,
        }
    }

    fn parse(fields: &mut Fields<'_>) -> Result<Self> {
        let mut words = [0; 13];
        for word in &mut words {
            *word = fields.u16()?;
        }
        Ok(Self::from_words(words))
    }
}
