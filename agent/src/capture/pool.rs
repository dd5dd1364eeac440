//! The buffers that a producer shares with this stream: the only place where PipeWire's pointers are followed.
//!
//! A buffer's pointers are good between the callbacks that add and remove it; everything else here knows it by a number and
//! looks it up. What a pointer leads to may be written by the producer at any time, so it is copied before it is believed.

#![expect(
    unsafe_code,
    reason = "buffers are C structures that PipeWire lends to its callbacks"
)]

use std::{
    os::fd::{AsFd, BorrowedFd},
    ptr::NonNull,
    slice,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use pipewire::{spa::sys as spa, stream::Stream, sys::pw_buffer};

use super::{
    buffer::{BadBuffer, Chunk},
    memory::{Bytes, Mapped, Shared, number},
};
use crate::source::{
    DmabufFormat,
    dmabuf::{DmabufBuffer, MAX_PLANES, Plane},
};

/// Numbers of buffers, never used twice.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// Lines of GPU memory are not longer.
const MAX_STRIDE: u32 = 1 << 20;

fn next() -> u64 {
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A buffer that is here and not with the producer. To be given back through [`Pool::give_back`].
#[derive(Debug, PartialEq, Eq)]
pub struct Here(u64);

struct Entry {
    id: u64,
    raw: NonNull<pw_buffer>,
    /// The same memory, kept open for whoever imports it.
    gpu: Option<Arc<DmabufBuffer>>,
    /// Dequeued, and not queued again.
    here: bool,
}

/// All buffers of one stream.
#[derive(Default)]
pub struct Pool {
    entries: Vec<Entry>,
}

impl Pool {
    /// From the callback that adds a buffer.
    pub fn added(&mut self, raw: *mut pw_buffer) {
        if let Some(raw) = NonNull::new(raw) {
            self.entries.push(Entry {
                id: next(),
                raw,
                gpu: None,
                here: false,
            });
        }
    }

    /// From the callback that removes a buffer: it is gone, wherever it was.
    pub fn removed(&mut self, raw: *mut pw_buffer) {
        self.entries.retain(|entry| entry.raw.as_ptr() != raw);
    }

    /// The next buffer that the producer has filled.
    pub fn dequeue(&mut self, stream: &Stream) -> Option<Here> {
        // SAFETY: a plain call on a live stream; the pointer is only compared here.
        let raw = unsafe { stream.dequeue_raw_buffer() };
        let entry = self
            .entries
            .iter_mut()
            .find(|entry| entry.raw.as_ptr() == raw)?;
        entry.here = true;
        Some(Here(entry.id))
    }

    /// The producer may draw into it again.
    pub fn give_back(&mut self, stream: &Stream, buffer: Here) {
        let of_pool = self.entries.iter_mut().find(|entry| entry.id == buffer.0);
        if let Some(entry) = of_pool
            && entry.here
        {
            entry.here = false;
            // SAFETY: dequeued from this stream, which has not removed it, and not queued since.
            unsafe { stream.queue_raw_buffer(entry.raw.as_ptr()) };
        }
    }

    /// Whoever borrowed the memory under this number no longer needs it.
    pub fn returned(&mut self, stream: &Stream, gpu: u64) {
        let lent = |entry: &&Entry| entry.gpu.as_ref().is_some_and(|gpu_of| gpu_of.id == gpu);
        if let Some(id) = self.entries.iter().find(lent).map(|entry| entry.id) {
            self.give_back(stream, Here(id));
        }
    }

    /// What is in a buffer.
    pub fn look(&self, buffer: &Here) -> Option<Look<'_>> {
        let entry = self.entries.iter().find(|entry| entry.id == buffer.0)?;
        // SAFETY: in the pool, so not removed; PipeWire changes neither structure while the stream has the buffer, and the
        // producer cannot: both are this process's own.
        let buffer = unsafe { entry.raw.as_ref().buffer.as_ref() }?;
        Some(Look { buffer })
    }

    /// The GPU memory of a buffer as others can hold it: the same object as long as its description stays the same.
    ///
    /// # Errors
    /// Numbers that make no sense, or memory of another kind.
    pub fn gpu(
        &mut self,
        buffer: &Here,
        (width, height): (u32, u32),
        format: DmabufFormat,
    ) -> Result<Arc<DmabufBuffer>, BadBuffer> {
        let known = self.entries.iter().find(|entry| entry.id == buffer.0);
        let known = known.and_then(|entry| entry.gpu.as_ref());
        let planes = self.look(buffer).ok_or(BadBuffer::Kind)?.planes()?;
        let same = |known: &&Arc<DmabufBuffer>| {
            (known.width, known.height, known.format) == (width, height, format)
                && known.planes.len() == planes.len()
                && (known.planes.iter().zip(&planes))
                    .all(|(a, b)| (a.offset, a.stride) == (b.offset, b.stride))
        };
        if let Some(known) = known.filter(same) {
            return Ok(Arc::clone(known));
        }
        let planes = planes.into_iter().map(|plane| {
            Ok(Plane {
                fd: plane.fd.try_clone_to_owned()?,
                offset: plane.offset,
                stride: plane.stride,
            })
        });
        let fresh = Arc::new(DmabufBuffer {
            id: next(),
            width,
            height,
            format,
            planes: planes
                .collect::<std::io::Result<_>>()
                .map_err(|_| BadBuffer::Unreadable)?,
        });
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.id == buffer.0) {
            entry.gpu = Some(Arc::clone(&fresh));
        }
        Ok(fresh)
    }
}

struct LentPlane<'a> {
    fd: BorrowedFd<'a>,
    offset: u32,
    stride: u32,
}

/// What the producer says of a buffer.
#[derive(Clone, Copy)]
pub struct Look<'a> {
    buffer: &'a spa::spa_buffer,
}

impl<'a> Look<'a> {
    fn datas(self) -> &'a [spa::spa_data] {
        let count = self.buffer.n_datas as usize;
        if self.buffer.datas.is_null() || count > 64 {
            return &[];
        }
        // SAFETY: PipeWire made this array with so many entries, in memory of this process.
        unsafe { slice::from_raw_parts(self.buffer.datas, count) }
    }

    fn meta(self, kind: u32) -> Option<Mapped> {
        let count = self.buffer.n_metas as usize;
        if self.buffer.metas.is_null() || count > 64 {
            return None;
        }
        // SAFETY: as for the datas.
        let metas = unsafe { slice::from_raw_parts(self.buffer.metas, count) };
        let meta = metas.iter().find(|meta| meta.type_ == kind)?;
        Some(Mapped {
            address: meta.data.expose_provenance(),
            size: meta.size as usize,
        })
    }

    /// Flags and time stamp of the header.
    pub fn header(self) -> Option<(u32, i64)> {
        let mut header = [0; 16];
        self.meta(spa::SPA_META_Header)?.read(0, &mut header).ok()?;
        let [a, b, c, d, _, _, _, _, stamp @ ..] = header;
        Some((u32::from_ne_bytes([a, b, c, d]), i64::from_ne_bytes(stamp)))
    }

    /// Whether anything is marked as damaged; None where nothing is said about it.
    pub fn damaged(self) -> Option<bool> {
        let damage = self.meta(spa::SPA_META_VideoDamage)?;
        // the list ends with an empty region: position, then width and height
        let side = |at| number(&damage, at).ok();
        Some(side(8)? > 0 && side(12)? > 0)
    }

    pub fn cursor(self) -> Option<Mapped> {
        self.meta(spa::SPA_META_Cursor)
    }

    /// What is said about the first block.
    ///
    /// # Errors
    /// [`BadBuffer::Corrupted`] where it says so of itself, [`BadBuffer::Empty`] where there is no picture.
    pub fn chunk(self) -> Result<Chunk, BadBuffer> {
        let first = self.datas().first().ok_or(BadBuffer::Empty)?;
        let (chunk, flags) = chunk(first).ok_or(BadBuffer::Empty)?;
        if chunk.size == 0 {
            return Err(BadBuffer::Empty);
        }
        if flags & spa::SPA_CHUNK_FLAG_CORRUPTED != 0 {
            return Err(BadBuffer::Corrupted);
        }
        Ok(chunk)
    }

    /// The shared memory of the first block.
    ///
    /// # Errors
    /// It is something else.
    pub fn memory(self) -> Result<Memory<'a>, BadBuffer> {
        let first = self.datas().first().ok_or(BadBuffer::Empty)?;
        match first.type_ {
            spa::SPA_DATA_MemFd => {
                let fd = lent(self.buffer, first).ok_or(BadBuffer::Kind)?;
                let file = Shared::new(fd, first.mapoffset, first.maxsize);
                Ok(Memory::File(file.map_err(|_| BadBuffer::Unreadable)?))
            }
            spa::SPA_DATA_MemPtr if !first.data.is_null() => Ok(Memory::Mapped(Mapped {
                address: first.data.expose_provenance(),
                size: first.maxsize as usize,
            })),
            _ => Err(BadBuffer::Kind),
        }
    }

    fn planes(self) -> Result<Vec<LentPlane<'a>>, BadBuffer> {
        let datas = self.datas();
        if datas.is_empty() || datas.len() > MAX_PLANES {
            return Err(BadBuffer::Kind);
        }
        let plane = |data: &'a spa::spa_data| {
            if data.type_ != spa::SPA_DATA_DmaBuf {
                return Err(BadBuffer::Kind);
            }
            let (chunk, _) = chunk(data).ok_or(BadBuffer::Empty)?;
            let stride = u32::try_from(chunk.stride)
                .ok()
                .filter(|stride| (1..=MAX_STRIDE).contains(stride))
                .ok_or(BadBuffer::Stride(chunk.stride))?;
            Ok(LentPlane {
                fd: lent(self.buffer, data).ok_or(BadBuffer::Kind)?,
                offset: chunk.offset,
                stride,
            })
        };
        datas.iter().map(plane).collect()
    }
}

/// Either kind of shared memory.
pub enum Memory<'a> {
    File(Shared<'a>),
    Mapped(Mapped),
}

impl Bytes for Memory<'_> {
    fn size(&self) -> usize {
        match self {
            Self::File(file) => file.size(),
            Self::Mapped(mapped) => mapped.size(),
        }
    }

    fn read(&self, at: usize, into: &mut [u8]) -> std::io::Result<()> {
        match self {
            Self::File(file) => file.read(at, into),
            Self::Mapped(mapped) => mapped.read(at, into),
        }
    }
}

/// The descriptor of a block, for as long as its buffer is there.
fn lent<'a>(_buffer: &'a spa::spa_buffer, data: &spa::spa_data) -> Option<BorrowedFd<'a>> {
    let fd = i32::try_from(data.fd).ok().filter(|fd| *fd >= 0)?;
    // SAFETY: PipeWire keeps it open until the buffer is removed.
    Some(unsafe { BorrowedFd::borrow_raw(fd) })
}

/// A block's chunk, from memory that the producer writes to, and its flags.
fn chunk(data: &spa::spa_data) -> Option<(Chunk, u32)> {
    let chunk = Mapped {
        address: data.chunk.expose_provenance(),
        size: size_of::<spa::spa_chunk>(),
    };
    let mut bytes = [0; size_of::<spa::spa_chunk>()];
    chunk.read(0, &mut bytes).ok()?;
    let word = |at: usize| {
        let word = bytes.get(at..at + 4).and_then(|four| four.try_into().ok());
        word.map_or(0, u32::from_ne_bytes)
    };
    let read = Chunk {
        offset: word(0),
        size: word(4),
        stride: word(8).cast_signed(),
    };
    Some((read, word(12)))
}

/// Wait until the GPU has drawn a picture: a DMA-BUF can be read, as `poll` sees it, when the fences of those who write to
/// it have signalled. (`DMA_BUF_IOCTL_EXPORT_SYNC_FILE` would give the same fences as a file of their own, from Linux 6.0 on.)
///
/// # Errors
/// [`BadBuffer::Unfinished`] after `limit_ms`.
pub fn wait_for_fences(buffer: &DmabufBuffer, limit_ms: u16) -> Result<(), BadBuffer> {
    for plane in &buffer.planes {
        let mut fds = [PollFd::new(plane.fd.as_fd(), PollFlags::POLLIN)];
        // what cannot be polled has no fences
        if poll(&mut fds, PollTimeout::from(limit_ms)) == Ok(0) {
            return Err(BadBuffer::Unfinished);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_that_the_gpu_never_finishes_is_not_waited_for_for_ever() {
        // a pipe without data is as a buffer whose fences have not signalled
        let (reader, mut writer) = std::io::pipe().unwrap();
        let buffer = DmabufBuffer {
            id: 1,
            width: 4,
            height: 4,
            format: DmabufFormat {
                fourcc: DmabufFormat::XRGB8888,
                modifier: DmabufFormat::LINEAR,
            },
            planes: vec![Plane {
                fd: reader.into(),
                offset: 0,
                stride: 16,
            }],
        };
        assert_eq!(wait_for_fences(&buffer, 1), Err(BadBuffer::Unfinished));
        std::io::Write::write_all(&mut writer, &[1]).unwrap();
        assert_eq!(wait_for_fences(&buffer, 1), Ok(()));
    }
}
