//! Messages of a client to the host.
use super::Fields;
use crate::Result;

const REQUEST_IDR: u16 = 0x0302;
const START_B: u16 = 0x0307;
const PING: u16 = 0x0200;
const INVALIDATE: u16 = 0x0301;
const LTR_ACK: u16 = 0x0350;
const FEC_STATUS: u16 = 0x5502;
const INPUT: u16 = 0x0206;

/// One message of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientMessage<'a> {
    /// Start A, and every later wish for a key frame.
    RequestIdr,
    StartB,
    /// Every 100 ms: the client is alive.
    Ping,
    /// Frames `first..=last` are lost or depend on lost ones.
    InvalidateReferences {
        first: u32,
        last: u32,
    },
    /// A long-term reference arrived.
    LtrAck {
        frame: u32,
    },
    FecStatus(FecStatus),
    /// One input packet, to be read by [`crate::input::decode`].
    Input(&'a [u8]),
    /// A type that this version does not know: to be ignored.
    Unknown(u16),
}

/// What became of one FEC block that needed recovery or was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FecStatus {
    pub frame: u32,
    pub highest_received: u16,
    pub next_contiguous: u16,
    pub missing_before_highest: u16,
    pub data: u16,
    pub parity: u16,
    pub received_data: u16,
    pub received_parity: u16,
    pub fec_percent: u8,
    pub block: u8,
    pub blocks: u8,
}

impl FecStatus {
    /// Packets, data and parity, that are known not to have arrived. A block that was rebuilt is reported as soon as it
    /// can be, before its last packets are due: there only gaps count. Of one that was given up all that is missing counts.
    pub fn lost(&self) -> u16 {
        let missing = self
            .data
            .saturating_add(self.parity)
            .saturating_sub(self.received());
        if self.repaired() {
            self.missing_before_highest.min(missing)
        } else {
            missing
        }
    }
    /// Packets that were due when this was said: those that arrived and those that are lost.
    pub fn seen(&self) -> u16 {
        self.received().saturating_add(self.lost())
    }
    fn received(&self) -> u16 {
        self.received_data.saturating_add(self.received_parity)
    }
    /// Whether what arrived suffices to rebuild the block.
    pub fn repaired(&self) -> bool {
        self.received() >= self.data
    }
}

impl<'a> ClientMessage<'a> {
    /// Read the payload of a message of type `kind`. Bytes after the known fields are ignored, as clients pad freely.
    pub fn parse(kind: u16, payload: &'a [u8]) -> Result<Self> {
        Ok(match kind {
            REQUEST_IDR => Self::RequestIdr,
            START_B => Self::StartB,
            PING => Self::Ping,
            INVALIDATE => {
                let mut fields = Fields::new(payload, "reference invalidation");
                let first = fields.u32()?;
                fields.u32()?;
                Self::InvalidateReferences {
                    first,
                    last: fields.u32()?,
                }
            }
            LTR_ACK => Self::LtrAck {
                frame: Fields::new(payload, "LTR ack").u32()?,
            },
            FEC_STATUS => Self::FecStatus(Self::fec_status(payload)?),
            INPUT => Self::Input(payload),
            other => Self::Unknown(other),
        })
    }

    fn fec_status(payload: &[u8]) -> Result<FecStatus> {
        let mut fields = Fields::new(payload, "FEC status");
        Ok(FecStatus {
            frame: fields.u32_be()?,
            highest_received: fields.u16_be()?,
            next_contiguous: fields.u16_be()?,
            missing_before_highest: fields.u16_be()?,
            data: fields.u16_be()?,
            parity: fields.u16_be()?,
            received_data: fields.u16_be()?,
            received_parity: fields.u16_be()?,
            fec_percent: fields.u8()?,
            block: fields.u8()?,
            blocks: fields.u8()?,
        })
    }

    /// Type and payload as a client sends them.
    pub fn encode(&self) -> (u16, Vec<u8>) {
        match *self {
            Self::RequestIdr => (REQUEST_IDR, vec![0, 0]),
            Self::StartB => (START_B, vec![0]),
            Self::Ping => (PING, vec![4, 0, 0, 0, 0, 0, 0, 0]),
            Self::InvalidateReferences { first, last } => {
                let mut payload = Vec::with_capacity(24);
                payload.extend_from_slice(&first.to_le_bytes());
                payload.extend_from_slice(&[0; 4]);
                payload.extend_from_slice(&last.to_le_bytes());
                payload.extend_from_slice(&[0; 12]);
                (INVALIDATE, payload)
            }
            Self::LtrAck { frame } => (LTR_ACK, [frame.to_le_bytes(), [0; 4]].concat()),
            Self::FecStatus(status) => (FEC_STATUS, status.encode()),
            Self::Input(packet) => (INPUT, packet.to_vec()),
            Self::Unknown(kind) => (kind, Vec::new()),
        }
    }
}

impl FecStatus {
    fn encode(&self) -> Vec<u8> {
        let mut payload = self.frame.to_be_bytes().to_vec();
        for field in [
            self.highest_received,
            self.next_contiguous,
            self.missing_before_highest,
            self.data,
            self.parity,
            self.received_data,
            self.received_parity,
        ] {
            payload.extend_from_slice(&field.to_be_bytes());
        }
        payload.extend_from_slice(&[self.fec_percent, self.block, self.blocks]);
        payload
    }
}
