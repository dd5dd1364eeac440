//! Whole frames over datagrams: the wire of the video plane with both its ends behind one small interface.
//!
//! Time stamps travel as 90 kHz ticks modulo 2^32: a frame's `pts_ns` arrives rounded to the nearest tick (11.1 µs), and
//! the receiver undoes the wrap (every 13.25 hours) as long as two frames in a row are less than half a turn apart and the
//! first one is sent within the first turn.
use crate::config::{Config, Role};
use crate::transport::Transport;
use crate::video::{
    AccessUnit, Carried, FrameKind, Outcome, Packetizer, PacketizerConfig, Reassembler,
    ReassemblerConfig, ReceivedFrame, flags, max_frame_len,
};
use crate::{Error, Result};

/// Bytes that P of the wire counts beside the payload.
const FIELDS_LEN: usize = 16;
/// Datagrams that one call reads at most, so that a flood cannot hold it for ever.
const MAX_READ: usize = 1 << 16;
/// Bytes of incomplete and unfetched frames that a client keeps.
const MAX_BYTES_IN_FLIGHT: usize = 256 << 20;

/// A frame that came through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Byte for byte what was submitted.
    pub data: Vec<u8>,
    /// Capture time in nanoseconds, rounded to 1/90000 s.
    pub pts_ns: u64,
    /// The flags that were submitted; `PIC | SOF | EOF` when the host gave none.
    pub flags: u32,
    /// 1 for the first frame of the session, rising by one; a gap is a lost frame.
    pub frame_index: u32,
}

/// Counters of a session since its start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionStats {
    /// Frames submitted (host) or delivered (client).
    pub frames: u64,
    /// Datagrams sent (host) or received (client).
    pub packets: u64,
    /// Data packets among those sent (host).
    pub data_packets: u64,
    /// Data packets rebuilt from parity (client).
    pub repaired_shards: u64,
    /// Frames given up (client).
    pub lost_frames: u64,
    /// Datagrams refused (client).
    pub rejected: u64,
}

/// One end of a stream of frames.
pub struct Session {
    max_frame_bytes: usize,
    transport: Box<dyn Transport>,
    side: Side,
}

enum Side {
    Host {
        packetizer: Packetizer,
        stats: SessionStats,
    },
    Client {
        reassembler: Reassembler,
        clock: Clock,
        buffer: Vec<u8>,
    },
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

impl Session {
    /// A host's session that goes on where an earlier one under the same key ended: indices and IVs count on.
    ///
    /// # Errors
    /// As [`Session::new`]; [`Error::WrongRole`] for a client, which has no counters.
    pub fn resumed(
        config: Config,
        transport: Box<dyn Transport>,
        carried: Carried,
    ) -> Result<Self> {
        let mut session = Self::new(config, transport)?;
        match &mut session.side {
            Side::Host { packetizer, .. } => packetizer.resume(carried),
            Side::Client { .. } => return Err(Error::WrongRole("host")),
        }
        Ok(session)
    }

    /// End this session and take its counters along, for [`Session::resumed`]. `None` on a client.
    #[must_use]
    pub fn carry(self) -> Option<Carried> {
        match self.side {
            Side::Host { packetizer, .. } => Some(packetizer.carry()),
            Side::Client { .. } => None,
        }
    }

    /// A session over `transport`.
    ///
    /// # Errors
    /// [`Error::BadConfig`] naming the field that is out of its range.
    pub fn new(config: Config, transport: Box<dyn Transport>) -> Result<Self> {
        if !(48..=64_984).contains(&config.shard_bytes) {
            return Err(Error::BadConfig("shard_bytes must be 48 to 64984"));
        }
        if !(1..=255).contains(&config.data_shards_per_block) {
            return Err(Error::BadConfig("data_shards_per_block must be 1 to 255"));
        }
        if config.max_frame_bytes == 0 {
            return Err(Error::BadConfig("max_frame_bytes must not be 0"));
        }
        let packet_size = config.shard_bytes.saturating_add(FIELDS_LEN);
        let max_frame_bytes = config.max_frame_bytes.min(max_frame_len(packet_size));
        let side = match config.role {
            Role::Host => Side::Host {
                packetizer: Packetizer::new(PacketizerConfig {
                    packet_size,
                    fec_percent: percent_of_data(config.fec_percent)?,
                    min_parity: config.min_parity,
                    max_data_per_block: config.data_shards_per_block,
                    seal: config.seal,
                })?,
                stats: SessionStats::default(),
            },
            Role::Client => {
                let reassembler = Reassembler::new(ReassemblerConfig {
                    packet_size,
                    max_frame_len: max_frame_bytes,
                    reorder_frames: config.reorder_frames,
                    max_bytes_in_flight: MAX_BYTES_IN_FLIGHT,
                    seal: config.seal,
                })?;
                // One byte more than fits, so that what is too long is seen as such.
                let buffer = vec![0; reassembler.max_datagram_len().saturating_add(1)];
                Side::Client {
                    reassembler,
                    clock: Clock::default(),
                    buffer,
                }
            }
        };
        Ok(Self {
            max_frame_bytes,
            transport,
            side,
        })
    }

    /// Sends one frame of any bytes. `flags` (see [`flags`]) come out at the other end as they are given here.
    ///
    /// # Errors
    /// [`Error::WrongRole`] on a client, [`Error::EmptyFrame`], [`Error::FrameTooLarge`] above the cap or the wire's
    /// limit, [`Error::BadConfig`] for flags above 16 bits; none of these sends anything. [`Error::Transport`] when a
    /// packet could not be sent: the rest of the frame is not sent either.
    pub fn submit_frame(&mut self, data: &[u8], pts_ns: u64, flags: u32) -> Result<()> {
        let Side::Host { packetizer, stats } = &mut self.side else {
            return Err(Error::WrongRole("host"));
        };
        if data.is_empty() {
            return Err(Error::EmptyFrame);
        }
        if data.len() > self.max_frame_bytes {
            return Err(Error::FrameTooLarge {
                len: data.len(),
                max: self.max_frame_bytes,
            });
        }
        let mark = u16::try_from(flags)
            .map_err(|_| Error::BadConfig("frame flags have at most 16 bits"))?;
        // Sessions carry any bytes and do not look into them; only the first frame is known to stand alone.
        let kind = if packetizer.next_frame_index() == 1 {
            FrameKind::Idr
        } else {
            FrameKind::Predicted
        };
        let unit = AccessUnit {
            data: data.into(),
            unread: 0,
            kind,
            timestamp_90k: ticks(pts_ns),
            latency_100us: 0,
        };
        let datagrams = packetizer.packetize_marked(&unit, mark)?;
        stats.frames = stats.frames.saturating_add(1);
        stats.data_packets = stats
            .data_packets
            .saturating_add(u64::try_from(datagrams.data).unwrap_or(0));
        for datagram in datagrams.iter() {
            self.transport.send(datagram)?;
            stats.packets = stats.packets.saturating_add(1);
        }
        Ok(())
    }

    /// The next frame, if one is complete.
    ///
    /// # Errors
    /// [`Error::NoFrame`] when none is ready, [`Error::WrongRole`] on a host, [`Error::Transport`]. Bad packets are
    /// counted in [`SessionStats::rejected`], not reported here.
    pub fn poll_frame(&mut self) -> Result<Frame> {
        let Side::Client {
            reassembler,
            clock,
            buffer,
        } = &mut self.side
        else {
            return Err(Error::WrongRole("client"));
        };
        for _ in 0..MAX_READ {
            while let Some(outcome) = reassembler.pop() {
                if let Outcome::Frame(frame) = outcome {
                    return Ok(clock.frame(frame));
                }
            }
            let Some(len) = self.transport.recv(buffer)? else {
                return Err(Error::NoFrame);
            };
            // A refused packet is counted by the reassembler and harms nothing else.
            let _ = reassembler.push(buffer.get(..len).unwrap_or_default());
        }
        Err(Error::NoFrame)
    }

    /// Gives up the frames that are incomplete now, so that complete ones behind them can be polled: for the end of a
    /// stream. Does nothing on a host.
    pub fn flush(&mut self) {
        if let Side::Client { reassembler, .. } = &mut self.side {
            reassembler.flush();
        }
    }

    /// Counters since the start.
    pub fn stats(&self) -> SessionStats {
        match &self.side {
            Side::Host { stats, .. } => *stats,
            Side::Client { reassembler, .. } => {
                let stats = reassembler.stats();
                SessionStats {
                    frames: stats.frames,
                    packets: stats.packets,
                    repaired_shards: stats.repaired_shards,
                    lost_frames: stats.lost_frames,
                    rejected: stats.rejected,
                    ..SessionStats::default()
                }
            }
        }
    }
}

/// The wire's percentage (of data packets) for a share of all packets, rounded up.
fn percent_of_data(share: u8) -> Result<u8> {
    if share > 60 {
        return Err(Error::BadConfig("fec_percent must be 0 to 60"));
    }
    let share = u32::from(share);
    let percent = share
        .saturating_mul(100)
        .div_ceil(100u32.saturating_sub(share));
    Ok(u8::try_from(percent).unwrap_or(u8::MAX))
}

/// Nanoseconds to 90 kHz, to the nearest tick, modulo 2^32.
fn ticks(pts_ns: u64) -> u32 {
    let exact = u128::from(pts_ns).saturating_mul(9).saturating_add(50_000) / 100_000;
    u32::try_from(exact & u128::from(u32::MAX)).unwrap_or(0)
}

/// Undoes the wrap of the wire's time stamps.
#[derive(Debug, Default)]
struct Clock {
    last: Option<u64>,
}

impl Clock {
    fn unwrap(&mut self, timestamp_90k: u32) -> u64 {
        let now = match self.last {
            None => u64::from(timestamp_90k),
            Some(last) => {
                let low = u32::try_from(last & u64::from(u32::MAX)).unwrap_or(0);
                let step = timestamp_90k.wrapping_sub(low).cast_signed();
                last.saturating_add_signed(i64::from(step))
            }
        };
        self.last = Some(now);
        now
    }

    fn frame(&mut self, frame: ReceivedFrame) -> Frame {
        let ticks = u128::from(self.unwrap(frame.timestamp_90k));
        let pts_ns = ticks.saturating_mul(100_000).saturating_add(4) / 9;
        Frame {
            data: frame.data,
            pts_ns: u64::try_from(pts_ns).unwrap_or(u64::MAX),
            flags: if frame.mark == 0 {
                flags::PIC | flags::SOF | flags::EOF
            } else {
                u32::from(frame.mark)
            },
            frame_index: frame.frame_index,
        }
    }
}

#[cfg(test)]
mod tests;
