//! Access unit in, datagrams out.
mod parts;

use super::access_unit::Pieces;
use super::header::{
    self, EOF, FIELDS_LEN, FRAME_HEADER_LEN, FrameKind, HEADER_LEN, MULTI_FEC, PIC, RTP_LEN, SOF,
};
use super::payload::Payload;
use super::plan::{self, Block, Wishes};
use super::seal::{PacketSeal, SEAL_LEN};
use crate::fec::{CodeCache, Layout};
use crate::{Error, Result, crypto::Key};
pub use parts::Begun;
use std::io::{self, IoSliceMut};

/// Places that are given to a reader at a time.
const PLACES: usize = 128;

/// One access unit to send.
pub struct AccessUnit<'a> {
    /// Its bytes, or those in front; `bytes.into()` for a slice.
    pub data: Pieces<'a>,
    /// Bytes behind `data` that [`Packetizer::packetize_reading`] has put into their places; 0 for [`Packetizer::packetize`].
    pub unread: usize,
    pub kind: FrameKind,
    /// 90 kHz capture time.
    pub timestamp_90k: u32,
    /// Host processing latency in 0.1 ms, 0 = unknown.
    pub latency_100us: u16,
}

impl AccessUnit<'_> {
    /// Bytes of the whole unit.
    pub(super) fn len(&self) -> usize {
        self.data.len().saturating_add(self.unread)
    }
}

/// Settings of a [`Packetizer`].
#[derive(Debug, Clone)]
pub struct PacketizerConfig {
    /// P of the wire: a datagram is P + 16 bytes, 32 more when sealed; 64..=65 000.
    pub packet_size: usize,
    /// Parity in percent of the data packets of a block, 0 = data only.
    pub fec_percent: u8,
    /// Fewest parity packets of a block, whenever `fec_percent` is not 0.
    pub min_parity: u8,
    /// Most data packets of a block as long as the frame fits into four such blocks.
    pub max_data_per_block: usize,
    /// Seals every datagram. Two packetisers must never seal with the same key and the same counters: see [`Carried`].
    pub seal: Option<Key>,
}

/// The counters of a stream, for a packetiser that goes on where another one ended: the client sees no seam, and no IV comes
/// twice under one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Carried {
    next_frame: u32,
    packets: u32,
    seal_counter: u64,
}

/// Cuts access units into datagrams. Counters run for the life of the stream; buffers are reused.
#[derive(Debug)]
pub struct Packetizer {
    payload: usize,
    stride: usize,
    /// Bytes in front of the packet within a stride: 0, or the room for the seal.
    offset: usize,
    wishes: Wishes,
    seal: Option<PacketSeal>,
    codes: CodeCache,
    buffer: Vec<u8>,
    next_frame: u32,
    /// Packets so far; its low 16 bits are the RTP sequence number, its low 24 bits the stream packet index.
    packets: u32,
}

/// The datagrams of one frame, or of a part of one: `bytes` is `count()` datagrams of `stride` bytes each, in sending order.
#[derive(Debug, Clone, Copy)]
pub struct Datagrams<'a> {
    pub bytes: &'a [u8],
    pub stride: usize,
    /// Data packets among them.
    pub data: usize,
    /// Parity packets among them.
    pub parity: usize,
    /// FEC blocks that they make up.
    pub blocks: usize,
    /// So many at the end may stay unsent, and what they protect is whole all the same.
    pub spare: usize,
    pub frame_index: u32,
}

impl<'a> Datagrams<'a> {
    /// Datagrams of the frame.
    pub fn count(&self) -> usize {
        self.data.saturating_add(self.parity)
    }

    /// The datagrams one by one.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &'a [u8]> + use<'a> {
        self.bytes.chunks_exact(self.stride.max(1))
    }
}

impl Packetizer {
    /// A packetiser whose first frame has index 1 and whose sequence numbers start at 0.
    ///
    /// # Errors
    /// [`Error::BadConfig`] for a packet size or block size out of range.
    pub fn new(config: PacketizerConfig) -> Result<Self> {
        if !(64..=65_000).contains(&config.packet_size) {
            return Err(Error::BadConfig(
                "the packet size must be 64 to 65000 bytes",
            ));
        }
        if config.max_data_per_block == 0 {
            return Err(Error::BadConfig(
                "a FEC block needs at least one data packet",
            ));
        }
        let offset = if config.seal.is_some() { SEAL_LEN } else { 0 };
        Ok(Self {
            payload: config.packet_size.saturating_sub(FIELDS_LEN),
            stride: config
                .packet_size
                .saturating_add(RTP_LEN)
                .saturating_add(offset),
            offset,
            wishes: Wishes {
                percent: config.fec_percent,
                min_parity: config.min_parity,
                max_data: config.max_data_per_block,
            },
            seal: config.seal.as_ref().map(PacketSeal::new),
            codes: CodeCache::default(),
            buffer: Vec::new(),
            next_frame: 1,
            packets: 0,
        })
    }

    /// A packetiser that goes on with the counters of an earlier one of the same stream.
    ///
    /// # Errors
    /// As [`Packetizer::new`].
    pub fn resumed(config: PacketizerConfig, carried: Carried) -> Result<Self> {
        let mut packetizer = Self::new(config)?;
        packetizer.resume(carried);
        Ok(packetizer)
    }

    pub(crate) fn resume(&mut self, carried: Carried) {
        self.next_frame = carried.next_frame;
        self.packets = carried.packets;
        if let Some(seal) = &mut self.seal {
            seal.set_counter(carried.seal_counter);
        }
    }

    /// End this packetiser and take its counters along, for [`Packetizer::resumed`]. Nothing more can be sealed with it.
    #[must_use]
    pub fn carry(self) -> Carried {
        Carried {
            next_frame: self.next_frame,
            packets: self.packets,
            seal_counter: self.seal.as_ref().map_or(0, PacketSeal::counter),
        }
    }

    /// Change the parity percentage from the next frame on (0 = data only).
    pub fn set_fec_percent(&mut self, percent: u8) {
        self.wishes.percent = percent;
    }

    /// The index that the next frame will carry.
    pub fn next_frame_index(&self) -> u32 {
        self.next_frame
    }

    /// Bytes of an access unit that its first packet holds.
    pub fn first_packet_room(&self) -> usize {
        self.payload.saturating_sub(FRAME_HEADER_LEN)
    }

    /// The longest access unit that fits, in bytes.
    pub fn max_frame_len(&self) -> usize {
        plan::max_frame_len(self.payload.saturating_add(FIELDS_LEN))
    }

    /// Packetise, protect and (when configured) seal one access unit.
    ///
    /// # Errors
    /// [`Error::EmptyFrame`] and [`Error::FrameTooLarge`]; neither uses up a frame index.
    pub fn packetize(&mut self, unit: &AccessUnit<'_>) -> Result<Datagrams<'_>> {
        self.packetize_marked(unit, 0)
    }

    /// As [`Packetizer::packetize`], with the unit's last `unread` bytes copied once: `read` is given the places of the next ones,
    /// in order, and fills all of them.
    ///
    /// # Errors
    /// As there; [`Error::Transport`] with what `read` said, after which nothing of the frame may be sent.
    pub fn packetize_reading(
        &mut self,
        unit: &AccessUnit<'_>,
        read: impl FnMut(&mut [IoSliceMut<'_>]) -> io::Result<()>,
    ) -> Result<Datagrams<'_>> {
        self.make(unit, 0, read)
    }

    /// As [`Packetizer::packetize`], with a value for the two bytes of the frame header that clients skip.
    pub(crate) fn packetize_marked(
        &mut self,
        unit: &AccessUnit<'_>,
        mark: u16,
    ) -> Result<Datagrams<'_>> {
        self.make(unit, mark, |_| Err(io::ErrorKind::UnexpectedEof.into()))
    }

    fn make(
        &mut self,
        unit: &AccessUnit<'_>,
        mark: u16,
        mut read: impl FnMut(&mut [IoSliceMut<'_>]) -> io::Result<()>,
    ) -> Result<Datagrams<'_>> {
        let len = unit.len();
        if len == 0 {
            return Err(Error::EmptyFrame);
        }
        let max = self.max_frame_len();
        if len > max {
            return Err(Error::FrameTooLarge { len, max });
        }
        let packets = len.saturating_add(FRAME_HEADER_LEN).div_ceil(self.payload);
        let mut blocks = [Block {
            data: 0,
            parity: 0,
            percent: 0,
        }; plan::MAX_BLOCKS];
        let mut count = 0usize;
        for (place, block) in blocks.iter_mut().zip(plan::blocks(packets, self.wishes)) {
            *place = block;
            count = count.saturating_add(1);
        }
        let frame_index = self.next_frame;
        self.next_frame = self.next_frame.wrapping_add(1);
        let run = Run {
            blocks: blocks.get(..count).unwrap_or_default(),
            number: 0,
            last: u8::try_from(count.saturating_sub(1)).unwrap_or(0),
            frame_index,
            timestamp_90k: unit.timestamp_90k,
        };
        let mut payload = Payload::of(unit, self.payload, mark);
        self.write(&run, &mut payload, &mut read)
    }

    /// The datagrams of some blocks of a frame, from the beginning of the buffer on.
    fn write(
        &mut self,
        run: &Run<'_>,
        payload: &mut Payload<'_>,
        read: &mut impl FnMut(&mut [IoSliceMut<'_>]) -> io::Result<()>,
    ) -> Result<Datagrams<'_>> {
        let total: usize = run.blocks.iter().map(|b| b.total()).sum();
        let data: usize = run.blocks.iter().map(|b| b.data).sum();
        let need = total.saturating_mul(self.stride);
        if self.buffer.len() < need {
            self.buffer.resize(need, 0);
        }
        let mut room = self.buffer.get_mut(..need).unwrap_or_default();
        for (number, block) in (run.number..).zip(run.blocks) {
            let (bytes, rest) = room.split_at_mut(block.total().saturating_mul(self.stride));
            room = rest;
            let first = self.packets;
            self.packets = self
                .packets
                .wrapping_add(u32::try_from(block.total()).unwrap_or(0));
            let packets = bytes
                .chunks_exact_mut(self.stride)
                .filter_map(|d| d.get_mut(self.offset..));
            let packets = packets.take(block.data);
            fill_data(packets, payload, first, run.frame_index, read)?;
            if block.parity > 0 {
                let layout = Layout {
                    stride: self.stride,
                    offset: self.offset,
                    len: self.stride.saturating_sub(self.offset),
                };
                self.codes
                    .get(block.data, block.parity)?
                    .encode(bytes, layout)?;
            }
            let stamp = Stamp {
                first,
                timestamp: run.timestamp_90k,
                frame_index: run.frame_index,
                block: number,
                last: run.last,
                shape: *block,
            };
            for (k, datagram) in (0u32..).zip(bytes.chunks_exact_mut(self.stride)) {
                stamp.put(k, datagram.get_mut(self.offset..).unwrap_or_default());
                if let Some(seal) = &mut self.seal {
                    seal.seal(datagram, run.frame_index);
                }
            }
        }
        Ok(Datagrams {
            bytes: self.buffer.get(..need).unwrap_or_default(),
            stride: self.stride,
            data,
            parity: total.saturating_sub(data),
            blocks: run.blocks.len(),
            spare: run.blocks.last().map_or(0, |block| block.parity),
            frame_index: run.frame_index,
        })
    }
}

/// Blocks that follow each other in one frame.
struct Run<'a> {
    blocks: &'a [Block],
    /// Of the first of them, and of the frame's last one.
    number: u8,
    last: u8,
    frame_index: u32,
    timestamp_90k: u32,
}

/// Writes the data packets as the parity covers them: everything that [`Stamp`] fills in later is zero.
fn fill_data<'a>(
    packets: impl Iterator<Item = &'a mut [u8]>,
    payload: &mut Payload<'_>,
    first: u32,
    frame_index: u32,
    read: &mut impl FnMut(&mut [IoSliceMut<'_>]) -> io::Result<()>,
) -> io::Result<()> {
    let mut packets = (0u32..).zip(packets).peekable();
    let mut places = Places::new();
    while let Some((k, packet)) = packets.next() {
        let Some((head, body)) = packet.split_first_chunk_mut::<HEADER_LEN>() else {
            continue;
        };
        let mut flags = PIC;
        if k == 0 {
            flags |= SOF;
        }
        if packets.peek().is_none() {
            flags |= EOF;
        }
        *head = [0; HEADER_LEN];
        put(
            head,
            16,
            (first.wrapping_add(k) & 0x00FF_FFFF)
                .wrapping_shl(8)
                .to_le_bytes(),
        );
        put(head, 20, frame_index.to_le_bytes());
        put(head, 24, [flags, 0, MULTI_FEC, 0]);
        let unread = payload.fill(body);
        if !unread.is_empty() {
            places.push(unread, read)?;
        }
    }
    places.read(read)
}

/// Where bytes are to be read to, so many at a time.
struct Places<'a> {
    slices: [IoSliceMut<'a>; PLACES],
    count: usize,
}

impl<'a> Places<'a> {
    fn new() -> Self {
        Self {
            slices: std::array::from_fn(|_| IoSliceMut::new(&mut [])),
            count: 0,
        }
    }

    fn push(
        &mut self,
        place: &'a mut [u8],
        read: &mut impl FnMut(&mut [IoSliceMut<'_>]) -> io::Result<()>,
    ) -> io::Result<()> {
        if self.count == PLACES {
            self.read(read)?;
        }
        if let Some(free) = self.slices.get_mut(self.count) {
            *free = IoSliceMut::new(place);
            self.count = self.count.saturating_add(1);
        }
        Ok(())
    }

    fn read(
        &mut self,
        read: &mut impl FnMut(&mut [IoSliceMut<'_>]) -> io::Result<()>,
    ) -> io::Result<()> {
        let count = std::mem::take(&mut self.count);
        match self.slices.get_mut(..count) {
            Some(slices) if count > 0 => read(slices),
            _ => Ok(()),
        }
    }
}

/// The fields that every packet of a block gets after encoding, parity included.
struct Stamp {
    first: u32,
    timestamp: u32,
    frame_index: u32,
    block: u8,
    last: u8,
    shape: Block,
}

impl Stamp {
    fn put(&self, k: u32, packet: &mut [u8]) {
        let Some(head) = packet.first_chunk_mut::<HEADER_LEN>() else {
            return;
        };
        let [_, _, high, low] = self.first.wrapping_add(k).to_be_bytes();
        put(head, 0, [header::RTP_BYTE, 0, high, low]);
        put(head, 4, self.timestamp.to_be_bytes());
        put(head, 20, self.frame_index.to_le_bytes());
        put(
            head,
            27,
            [self.last.wrapping_shl(6) | self.block.wrapping_shl(4)],
        );
        let data = u32::try_from(self.shape.data).unwrap_or(0);
        put(
            head,
            28,
            header::fec_info(data, k, self.shape.percent).to_le_bytes(),
        );
    }
}

/// Writes `bytes` at `at`.
fn put<const N: usize>(head: &mut [u8; HEADER_LEN], at: usize, bytes: [u8; N]) {
    if let Some(place) = head
        .get_mut(at..)
        .and_then(|rest| rest.first_chunk_mut::<N>())
    {
        *place = bytes;
    }
}
