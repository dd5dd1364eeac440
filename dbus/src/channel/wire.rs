//! Messages as bytes. Little-endian throughout: `version u16, kind u16`, then the fields in the order of the
//! type, then (audio, text, input) the rest of the datagram. A datagram that is one byte too long or too short
//! is refused: there is one encoding for each message.
use super::message::{
    AgentStats, FramePart, FrameReady, Held, MAX_AUDIO, MAX_MESSAGE, MAX_REASON, SourceState,
    ToAgent, ToService,
};
use punktfunk_core::control::HdrMetadata;

/// The version of this layout; both sides come from one package, so there is only one.
pub const VERSION: u16 = 4;

const FRAME_READY: u16 = 1;
const AUDIO: u16 = 2;
const STATE: u16 = 3;
const FAILED: u16 = 4;
const STATS: u16 = 5;
const HDR: u16 = 6;
const FRAME_PART: u16 = 7;
const FRAME_ABANDONED: u16 = 8;
const SLOT_FREE: u16 = 0x101;
const IDR: u16 = 0x102;
const INVALIDATE_REFS: u16 = 0x103;
const BITRATE: u16 = 0x104;
const INPUT: u16 = 0x105;
const RELEASE_ALL: u16 = 0x106;
const STOP: u16 = 0x107;
const RELEASE: u16 = 0x108;
const LOCK_SCREEN: u16 = 0x109;
/// Bits of [`Held`].
const HELD_POINTER: u8 = 1;
const HELD_KEYBOARD: u8 = 2;

/// Why a datagram is no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    #[error("the datagram is longer than {MAX_MESSAGE} bytes")]
    Oversize,
    #[error(
        "layout version {0} instead of {VERSION}: service and agent come from different packages"
    )]
    Version(u16),
    #[error("unknown kind of message {0:#06x}")]
    Kind(u16),
    #[error("the length does not fit the kind of message")]
    Length,
    #[error("a field has a value that does not exist")]
    Value,
    #[error("the text is no UTF-8, too long or contains control characters")]
    Text,
    #[error("the input event cannot be read")]
    Input,
}

/// Why a message cannot be sent: it is the sender's own mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    #[error("the message is longer than {MAX_MESSAGE} bytes")]
    TooLong,
    #[error("an audio packet has 1 to {MAX_AUDIO} bytes")]
    AudioLength,
}

/// An encoded message, on the stack: sending allocates nothing.
pub struct Datagram {
    bytes: [u8; MAX_MESSAGE],
    len: usize,
}

impl Datagram {
    fn new(kind: u16) -> Self {
        let mut datagram = Self {
            bytes: [0; MAX_MESSAGE],
            len: 0,
        };
        // Four bytes always fit.
        let _ = datagram.put(&VERSION.to_le_bytes());
        let _ = datagram.put(&kind.to_le_bytes());
        datagram
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        let end = self
            .len
            .checked_add(bytes.len())
            .ok_or(EncodeError::TooLong)?;
        self.bytes
            .get_mut(self.len..end)
            .ok_or(EncodeError::TooLong)?
            .copy_from_slice(bytes);
        self.len = end;
        Ok(())
    }

    fn put_u64s<const N: usize>(&mut self, values: [u64; N]) -> Result<(), EncodeError> {
        values
            .iter()
            .try_for_each(|value| self.put(&value.to_le_bytes()))
    }

    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// What is left to read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (head, rest) = self.0.split_first_chunk().ok_or(DecodeError::Length)?;
        self.0 = rest;
        Ok(*head)
    }
    fn u16(&mut self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_le_bytes)
    }
    fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_le_bytes)
    }
    fn u64(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_le_bytes)
    }
    fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }
    /// The rest, as a line for a person.
    fn text(&mut self) -> Result<String, DecodeError> {
        let text = std::str::from_utf8(self.rest()).map_err(|_| DecodeError::Text)?;
        if text.len() > MAX_REASON || text.chars().any(char::is_control) {
            return Err(DecodeError::Text);
        }
        Ok(text.to_owned())
    }
    fn end<T>(self, value: T) -> Result<T, DecodeError> {
        if self.0.is_empty() {
            Ok(value)
        } else {
            Err(DecodeError::Length)
        }
    }
    /// Reads the header and answers the kind.
    fn open(bytes: &'a [u8]) -> Result<(Self, u16), DecodeError> {
        if bytes.len() > MAX_MESSAGE {
            return Err(DecodeError::Oversize);
        }
        let mut reader = Self(bytes);
        match reader.u16()? {
            VERSION => {}
            other => return Err(DecodeError::Version(other)),
        }
        let kind = reader.u16()?;
        Ok((reader, kind))
    }
}

impl ToService {
    pub fn encode(&self) -> Result<Datagram, EncodeError> {
        match self {
            Self::FrameReady(frame) => {
                let mut out = Datagram::new(FRAME_READY);
                out.put(&frame.slot.to_le_bytes())?;
                out.put_u64s([frame.seq])?;
                out.put(&frame.len.to_le_bytes())?;
                out.put(&frame.flags.to_le_bytes())?;
                out.put_u64s([frame.pts_ns, frame.capture_ns, frame.encoded_ns])?;
                Ok(out)
            }
            Self::FramePart(part) => {
                let mut out = Datagram::new(FRAME_PART);
                out.put(&part.slot.to_le_bytes())?;
                out.put_u64s([part.seq])?;
                out.put(&part.len.to_le_bytes())?;
                out.put(&[part.parts])?;
                out.put(&part.flags.to_le_bytes())?;
                out.put_u64s([part.pts_ns, part.capture_ns])?;
                Ok(out)
            }
            Self::FrameAbandoned { seq } => {
                let mut out = Datagram::new(FRAME_ABANDONED);
                out.put_u64s([*seq])?;
                Ok(out)
            }
            Self::Audio { seq, opus } => {
                if opus.is_empty() || opus.len() > MAX_AUDIO {
                    return Err(EncodeError::AudioLength);
                }
                let mut out = Datagram::new(AUDIO);
                out.put_u64s([*seq])?;
                out.put(opus)?;
                Ok(out)
            }
            Self::State { state, reason } => {
                let mut out = Datagram::new(STATE);
                out.put(&[match state {
                    SourceState::Starting => 0,
                    SourceState::Capturing => 1,
                    SourceState::Locked => 2,
                    SourceState::NoOutput => 3,
                    SourceState::Paused => 4,
                    SourceState::Suspended => 5,
                }])?;
                out.put(one_line(reason).as_bytes())?;
                Ok(out)
            }
            Self::Failed { reason } => {
                let mut out = Datagram::new(FAILED);
                out.put(one_line(reason).as_bytes())?;
                Ok(out)
            }
            Self::Stats(stats) => {
                let mut out = Datagram::new(STATS);
                out.put_u64s([
                    stats.captured,
                    stats.encoded,
                    stats.repeated,
                    stats.skipped_no_slot,
                    stats.missed_ticks,
                    stats.scaled,
                    stats.replaced,
                ])?;
                Ok(out)
            }
            Self::Hdr { enabled, metadata } => {
                let mut out = Datagram::new(HDR);
                out.put(&[u8::from(*enabled)])?;
                for word in metadata.words() {
                    out.put(&word.to_le_bytes())?;
                }
                Ok(out)
            }
        }
    }

    /// Shape only: whether a well-formed message keeps the contract is [`super::Consumer`]'s to judge.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let (mut reader, kind) = Reader::open(bytes)?;
        match kind {
            FRAME_READY => {
                let frame = FrameReady {
                    slot: reader.u16()?,
                    seq: reader.u64()?,
                    len: reader.u32()?,
                    flags: reader.u32()?,
                    pts_ns: reader.u64()?,
                    capture_ns: reader.u64()?,
                    encoded_ns: reader.u64()?,
                };
                reader.end(Self::FrameReady(frame))
            }
            FRAME_PART => {
                let part = FramePart {
                    slot: reader.u16()?,
                    seq: reader.u64()?,
                    len: reader.u32()?,
                    parts: {
                        let [parts] = reader.array()?;
                        parts
                    },
                    flags: reader.u32()?,
                    pts_ns: reader.u64()?,
                    capture_ns: reader.u64()?,
                };
                reader.end(Self::FramePart(part))
            }
            FRAME_ABANDONED => {
                let seq = reader.u64()?;
                reader.end(Self::FrameAbandoned { seq })
            }
            AUDIO => {
                let seq = reader.u64()?;
                match reader.rest() {
                    [] => Err(DecodeError::Length),
                    opus => Ok(Self::Audio {
                        seq,
                        opus: opus.to_vec(),
                    }),
                }
            }
            STATE => {
                let state = match reader.array::<1>()? {
                    [0] => SourceState::Starting,
                    [1] => SourceState::Capturing,
                    [2] => SourceState::Locked,
                    [3] => SourceState::NoOutput,
                    [4] => SourceState::Paused,
                    [5] => SourceState::Suspended,
                    _ => return Err(DecodeError::Value),
                };
                let reason = reader.text()?;
                reader.end(Self::State { state, reason })
            }
            FAILED => {
                let reason = reader.text()?;
                reader.end(Self::Failed { reason })
            }
            STATS => {
                let stats = AgentStats {
                    captured: reader.u64()?,
                    encoded: reader.u64()?,
                    repeated: reader.u64()?,
                    skipped_no_slot: reader.u64()?,
                    missed_ticks: reader.u64()?,
                    scaled: reader.u64()?,
                    replaced: reader.u64()?,
                };
                reader.end(Self::Stats(stats))
            }
            HDR => {
                let enabled = match reader.array::<1>()? {
                    [0] => false,
                    [1] => true,
                    _ => return Err(DecodeError::Value),
                };
                let mut words = [0; 13];
                for word in &mut words {
                    *word = reader.u16()?;
                }
                let metadata = HdrMetadata::from_words(words);
                reader.end(Self::Hdr { enabled, metadata })
            }
            other => Err(DecodeError::Kind(other)),
        }
    }
}

impl ToAgent {
    pub fn encode(&self) -> Result<Datagram, EncodeError> {
        match self {
            Self::SlotFree { slot } => {
                let mut out = Datagram::new(SLOT_FREE);
                out.put(&slot.to_le_bytes())?;
                Ok(out)
            }
            Self::Idr => Ok(Datagram::new(IDR)),
            Self::InvalidateRefs { first, last } => {
                let mut out = Datagram::new(INVALIDATE_REFS);
                out.put(&first.to_le_bytes())?;
                out.put(&last.to_le_bytes())?;
                Ok(out)
            }
            Self::Bitrate { kbps } => {
                let mut out = Datagram::new(BITRATE);
                out.put(&kbps.to_le_bytes())?;
                Ok(out)
            }
            Self::Input(event) => {
                let mut out = Datagram::new(INPUT);
                out.put(&event.encode())?;
                Ok(out)
            }
            Self::Release(held) => {
                let mut out = Datagram::new(RELEASE);
                let pointer = if held.pointer { HELD_POINTER } else { 0 };
                let keyboard = if held.keyboard { HELD_KEYBOARD } else { 0 };
                out.put(&[pointer | keyboard])?;
                Ok(out)
            }
            Self::LockScreen { visible } => {
                let mut out = Datagram::new(LOCK_SCREEN);
                out.put(&[u8::from(*visible)])?;
                Ok(out)
            }
            Self::ReleaseAll => Ok(Datagram::new(RELEASE_ALL)),
            Self::Stop => Ok(Datagram::new(STOP)),
        }
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let (mut reader, kind) = Reader::open(bytes)?;
        match kind {
            SLOT_FREE => {
                let slot = reader.u16()?;
                reader.end(Self::SlotFree { slot })
            }
            IDR => reader.end(Self::Idr),
            INVALIDATE_REFS => {
                let (first, last) = (reader.u32()?, reader.u32()?);
                reader.end(Self::InvalidateRefs { first, last })
            }
            BITRATE => match reader.u32()? {
                0 => Err(DecodeError::Value),
                kbps => reader.end(Self::Bitrate { kbps }),
            },
            INPUT => punktfunk_core::input::decode(reader.rest())
                .map(Self::Input)
                .map_err(|_| DecodeError::Input),
            RELEASE => {
                let [bits] = reader.array()?;
                let held = Held {
                    pointer: bits & HELD_POINTER != 0,
                    keyboard: bits & HELD_KEYBOARD != 0,
                };
                if bits & !(HELD_POINTER | HELD_KEYBOARD) != 0 || !held.any() {
                    return Err(DecodeError::Value);
                }
                reader.end(Self::Release(held))
            }
            LOCK_SCREEN => {
                let visible = match reader.array::<1>()? {
                    [0] => false,
                    [1] => true,
                    _ => return Err(DecodeError::Value),
                };
                reader.end(Self::LockScreen { visible })
            }
            RELEASE_ALL => reader.end(Self::ReleaseAll),
            STOP => reader.end(Self::Stop),
            other => Err(DecodeError::Kind(other)),
        }
    }
}

/// A text that passes the other side's check: one line, cut at a character's boundary.
fn one_line(text: &str) -> String {
    let mut line = String::new();
    for c in text.chars() {
        let c = if c.is_control() { ' ' } else { c };
        if line.len().saturating_add(c.len_utf8()) > MAX_REASON {
            break;
        }
        line.push(c);
    }
    line
}
