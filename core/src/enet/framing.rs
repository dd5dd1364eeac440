//! The bytes of ENet datagrams: a header, then commands. All fields are big-endian.
//!
//! A datagram is taken as a whole or not at all: every command must be one that the protocol knows, and lie within the
//! datagram with its data. This module keeps no state.
use super::{MAX_FRAGMENTS, MAX_MESSAGE};

/// The peer number of a sender that has no connection yet.
pub const NO_PEER: u16 = 0x0FFF;
/// The channel number of commands about the connection itself.
pub const CONNECTION: u8 = 0xFF;
/// Commands in one datagram; ENet itself packs at most 32.
pub const MAX_COMMANDS: usize = 64;

const COMPRESSED: u16 = 0x4000;
const SENT_TIME: u16 = 0x8000;
const ACKNOWLEDGE: u8 = 0x80;
const UNSEQUENCED: u8 = 0x40;

/// The front of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The receiver's number for the sender, or [`NO_PEER`].
    pub peer: u16,
    /// Two bits that change when a number is given out again.
    pub session: u8,
    /// The sender's clock in milliseconds; needed where an acknowledgement is wanted.
    pub sent_time: Option<u16>,
}

/// One command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Command<'a> {
    /// The sender wants an acknowledgement.
    pub acknowledge: bool,
    pub channel: u8,
    /// The reliable sequence number of the channel.
    pub sequence: u16,
    pub body: Body<'a>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body<'a> {
    Acknowledge {
        sequence: u16,
        /// The clock of the header that is acknowledged.
        sent_time: u16,
    },
    Connect(Connect),
    /// The answer to a CONNECT; its `data` is not on the wire.
    VerifyConnect(Connect),
    Disconnect {
        data: u32,
    },
    Ping,
    Reliable(&'a [u8]),
    Unreliable {
        sequence: u16,
        payload: &'a [u8],
    },
    Fragment(Fragment<'a>),
    UnreliableFragment(Fragment<'a>),
    Unsequenced {
        group: u16,
        payload: &'a [u8],
    },
    BandwidthLimit {
        incoming: u32,
        outgoing: u32,
    },
    ThrottleConfigure {
        interval: u32,
        acceleration: u32,
        deceleration: u32,
    },
}

/// What the two sides tell each other when they connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Connect {
    /// The number that the sender gave its peer: what it wants to see in headers.
    pub peer: u16,
    pub incoming_session: u8,
    pub outgoing_session: u8,
    pub mtu: u32,
    pub window: u32,
    pub channels: u32,
    pub incoming_bandwidth: u32,
    pub outgoing_bandwidth: u32,
    pub throttle_interval: u32,
    pub throttle_acceleration: u32,
    pub throttle_deceleration: u32,
    pub connect_id: u32,
    pub data: u32,
}

/// A part of a message. Within bounds: `number < count`, `offset + payload <= total`, `total <= MAX_MESSAGE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fragment<'a> {
    pub start: u16,
    pub count: u32,
    pub number: u32,
    pub total: u32,
    pub offset: u32,
    pub payload: &'a [u8],
}

/// A datagram that was found whole.
#[derive(Debug, Clone, Copy)]
pub struct Datagram<'a> {
    pub header: Header,
    commands: &'a [u8],
}

impl<'a> Datagram<'a> {
    /// `None` for anything that is no datagram of a client: compressed, cut off, too long, or with commands that do not
    /// exist.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let head = reader.u16()?;
        if head & COMPRESSED != 0 {
            return None;
        }
        let sent_time = match head & SENT_TIME {
            0 => None,
            _ => Some(reader.u16()?),
        };
        let [_, session] = ((head >> 12) & 3).to_be_bytes();
        let header = Header {
            peer: head & NO_PEER,
            session,
            sent_time,
        };
        let commands = reader.0;
        for _ in 0..MAX_COMMANDS {
            if reader.0.is_empty() {
                return Some(Self { header, commands });
            }
            Command::read(&mut reader)?;
        }
        reader.0.is_empty().then_some(Self { header, commands })
    }

    /// The commands, in their order.
    pub fn commands(&self) -> impl Iterator<Item = Command<'a>> + use<'a> {
        let mut reader = Reader(self.commands);
        std::iter::from_fn(move || Command::read(&mut reader))
    }
}

impl Header {
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut head = self.peer & NO_PEER | (u16::from(self.session) & 3) << 12;
        if self.sent_time.is_some() {
            head |= SENT_TIME;
        }
        out.extend_from_slice(&head.to_be_bytes());
        if let Some(time) = self.sent_time {
            out.extend_from_slice(&time.to_be_bytes());
        }
    }
}

impl<'a> Command<'a> {
    fn read(reader: &mut Reader<'a>) -> Option<Self> {
        let [kind, channel] = reader.array()?;
        let sequence = reader.u16()?;
        let body = match kind & 0x0F {
            1 => Body::Acknowledge {
                sequence: reader.u16()?,
                sent_time: reader.u16()?,
            },
            2 => {
                let mut connect = Connect::read(reader)?;
                connect.data = reader.u32()?;
                Body::Connect(connect)
            }
            3 => Body::VerifyConnect(Connect::read(reader)?),
            4 => Body::Disconnect {
                data: reader.u32()?,
            },
            5 => Body::Ping,
            6 => {
                let len = reader.u16()?;
                Body::Reliable(reader.take(len)?)
            }
            7 => {
                let (sequence, len) = (reader.u16()?, reader.u16()?);
                Body::Unreliable {
                    sequence,
                    payload: reader.take(len)?,
                }
            }
            8 => Body::Fragment(Fragment::read(reader)?),
            9 => {
                let (group, len) = (reader.u16()?, reader.u16()?);
                Body::Unsequenced {
                    group,
                    payload: reader.take(len)?,
                }
            }
            10 => Body::BandwidthLimit {
                incoming: reader.u32()?,
                outgoing: reader.u32()?,
            },
            11 => Body::ThrottleConfigure {
                interval: reader.u32()?,
                acceleration: reader.u32()?,
                deceleration: reader.u32()?,
            },
            12 => Body::UnreliableFragment(Fragment::read(reader)?),
            _ => return None,
        };
        Some(Self {
            acknowledge: kind & ACKNOWLEDGE != 0,
            channel,
            sequence,
            body,
        })
    }

    /// Append the command. Payloads are at most 65535 bytes; longer ones are not written at all.
    pub fn write(&self, out: &mut Vec<u8>) {
        let (kind, payload): (u8, &[u8]) = match self.body {
            Body::Acknowledge { .. } => (1, &[]),
            Body::Connect(_) => (2, &[]),
            Body::VerifyConnect(_) => (3, &[]),
            Body::Disconnect { .. } => (4, &[]),
            Body::Ping => (5, &[]),
            Body::Reliable(payload) => (6, payload),
            Body::Unreliable { payload, .. } => (7, payload),
            Body::Fragment(fragment) => (8, fragment.payload),
            Body::Unsequenced { payload, .. } => (9 | UNSEQUENCED, payload),
            Body::BandwidthLimit { .. } => (10, &[]),
            Body::ThrottleConfigure { .. } => (11, &[]),
            Body::UnreliableFragment(fragment) => (12, fragment.payload),
        };
        let Ok(len) = u16::try_from(payload.len()) else {
            return;
        };
        let wanted = if self.acknowledge { ACKNOWLEDGE } else { 0 };
        out.extend_from_slice(&[kind | wanted, self.channel]);
        out.extend_from_slice(&self.sequence.to_be_bytes());
        let mut halves = |values: &[u16]| {
            values
                .iter()
                .for_each(|value| out.extend_from_slice(&value.to_be_bytes()));
        };
        match self.body {
            Body::Acknowledge {
                sequence,
                sent_time,
            } => halves(&[sequence, sent_time]),
            Body::Reliable(_) => halves(&[len]),
            Body::Unreliable { sequence, .. } => halves(&[sequence, len]),
            Body::Unsequenced { group, .. } => halves(&[group, len]),
            Body::Fragment(fragment) | Body::UnreliableFragment(fragment) => {
                halves(&[fragment.start, len]);
                words(
                    out,
                    &[
                        fragment.count,
                        fragment.number,
                        fragment.total,
                        fragment.offset,
                    ],
                );
            }
            Body::Connect(connect) => {
                connect.write(out);
                words(out, &[connect.data]);
            }
            Body::VerifyConnect(connect) => connect.write(out),
            Body::Disconnect { data } => words(out, &[data]),
            Body::Ping => {}
            Body::BandwidthLimit { incoming, outgoing } => words(out, &[incoming, outgoing]),
            Body::ThrottleConfigure {
                interval,
                acceleration,
                deceleration,
            } => words(out, &[interval, acceleration, deceleration]),
        }
        out.extend_from_slice(payload);
    }
}

impl Connect {
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let peer = reader.u16()?;
        let [incoming_session, outgoing_session] = reader.array()?;
        Some(Self {
            peer,
            incoming_session,
            outgoing_session,
            mtu: reader.u32()?,
            window: reader.u32()?,
            channels: reader.u32()?,
            incoming_bandwidth: reader.u32()?,
            outgoing_bandwidth: reader.u32()?,
            throttle_interval: reader.u32()?,
            throttle_acceleration: reader.u32()?,
            throttle_deceleration: reader.u32()?,
            connect_id: reader.u32()?,
            data: 0,
        })
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.peer.to_be_bytes());
        out.extend_from_slice(&[self.incoming_session, self.outgoing_session]);
        words(
            out,
            &[
                self.mtu,
                self.window,
                self.channels,
                self.incoming_bandwidth,
                self.outgoing_bandwidth,
                self.throttle_interval,
                self.throttle_acceleration,
                self.throttle_deceleration,
                self.connect_id,
            ],
        );
    }
}

impl<'a> Fragment<'a> {
    fn read(reader: &mut Reader<'a>) -> Option<Self> {
        let (start, len) = (reader.u16()?, reader.u16()?);
        let (count, number) = (reader.u32()?, reader.u32()?);
        let (total, offset) = (reader.u32()?, reader.u32()?);
        let payload = reader.take(len)?;
        let end = offset.checked_add(u32::from(len))?;
        let fits = len > 0
            && end <= total
            && number < count
            && count <= MAX_FRAGMENTS
            && usize::try_from(total).is_ok_and(|total| total <= MAX_MESSAGE);
        fits.then_some(Self {
            start,
            count,
            number,
            total,
            offset,
            payload,
        })
    }
}

fn words(out: &mut Vec<u8>, values: &[u32]) {
    for value in values {
        out.extend_from_slice(&value.to_be_bytes());
    }
}

/// What is left to read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*head)
    }
    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }
    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }
    fn take(&mut self, len: u16) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(usize::from(len))?;
        self.0 = rest;
        Some(head)
    }
}
