//! Pictures as a compositor lends them. Its memory is a memfd where a desktop's is the GPU's: what is imported is read all the
//! same.

use nix::sys::memfd::{MFdFlags, memfd_create};
use punktfunk_agent::source::{
    Dmabuf, DmabufFormat, Importable, Picture,
    dmabuf::{DmabufBuffer, Plane},
};
use std::{
    fs::File,
    os::unix::fs::FileExt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

/// The simulated card's own layout: squares of 16 by 16 pixels one after the other.
pub const TILED: u64 = 0x0300_0000_0060_6010;
const SIDE: usize = 16;
const PIXEL: usize = 4;
/// Where a picture begins in its memory, and what lies between its lines where they are lines.
const OFFSET: usize = 4096;
const PADDING: usize = 192;

struct Lendable {
    buffer: Arc<DmabufBuffer>,
    memory: File,
    /// How far apart the lines really are.
    stride: usize,
}

/// Buffers that are lent in turns.
pub struct Pool {
    buffers: Vec<Lendable>,
    next: usize,
    back: Arc<AtomicUsize>,
    /// No other stream's drawing is under way.
    alone: bool,
}

/// What the books of EGL's double say of a count now.
pub fn counted(name: &str) -> usize {
    let books = std::env::var_os("EGL_DOUBLE_BOOKS").expect("the books");
    let text = std::fs::read_to_string(Path::new(&books).join("egl")).unwrap();
    let value = text.lines().find_map(|line| line.strip_prefix(name));
    let value = value.and_then(|value| value.strip_prefix('='));
    value.expect("a count").parse().unwrap()
}

impl Pool {
    pub fn new(count: usize, size: (u32, u32), format: DmabufFormat) -> Self {
        Self::of(count, size, format, None)
    }

    /// One buffer that is said to have lines of another length and to begin elsewhere.
    pub fn claiming(size: (u32, u32), format: DmabufFormat, claim: (u32, u32)) -> Self {
        Self::of(1, size, format, Some(claim))
    }

    fn of(
        count: usize,
        (width, height): (u32, u32),
        format: DmabufFormat,
        claim: Option<(u32, u32)>,
    ) -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let line = width as usize * PIXEL;
        let (stride, lines) = match format.modifier {
            TILED => (
                line.next_multiple_of(SIDE * PIXEL),
                (height as usize).next_multiple_of(SIDE),
            ),
            _ => (line + PADDING, height as usize),
        };
        let buffer = |_| {
            let memory = File::from(memfd_create(c"lent", MFdFlags::MFD_CLOEXEC).unwrap());
            memory.set_len((OFFSET + stride * lines) as u64).unwrap();
            let (said_stride, offset) = claim.unwrap_or((stride as u32, OFFSET as u32));
            let plane = Plane {
                fd: memory.try_clone().unwrap().into(),
                offset,
                stride: said_stride,
            };
            let buffer = DmabufBuffer {
                id: LAST.fetch_add(1, Ordering::Relaxed),
                width,
                height,
                format,
                planes: vec![plane],
            };
            Lendable {
                buffer: Arc::new(buffer),
                memory,
                stride,
            }
        };
        Self {
            buffers: (0..count).map(buffer).collect(),
            next: 0,
            back: Arc::default(),
            alone: true,
        }
    }

    /// Of one of several streams.
    pub fn beside_others(self) -> Self {
        Self {
            alone: false,
            ..self
        }
    }

    /// Buffers that came back.
    pub fn back(&self) -> usize {
        self.back.load(Ordering::Relaxed)
    }

    /// The picture, drawn into the next buffer. When that comes back, the card must have read it.
    pub fn lend(&mut self, picture: &Picture) -> Picture {
        let lendable = &self.buffers[self.next];
        let buffer = &lendable.buffer;
        self.next = (self.next + 1) % self.buffers.len();
        let size = (buffer.width, buffer.height);
        assert_eq!((picture.width, picture.height), size);
        lendable.draw(picture);
        let (back, number, alone) = (Arc::clone(&self.back), buffer.id, self.alone);
        let give_back = move |id| {
            assert_eq!(id, number);
            let unfinished = if alone { counted("unfinished") } else { 0 };
            assert_eq!(unfinished, 0, "given back while the card reads");
            back.fetch_add(1, Ordering::Relaxed);
        };
        let importable = Importable::new(vec![buffer.format]);
        let lent = Dmabuf::new(Arc::clone(buffer), importable, Arc::new(give_back));
        Picture {
            stride: 0,
            data: Vec::new(),
            dmabuf: Some(Arc::new(lent)),
            ..*picture
        }
    }
}

impl Lendable {
    fn draw(&self, picture: &Picture) {
        let (format, stride) = (self.buffer.format, self.stride);
        let swapped = [DmabufFormat::XBGR8888, DmabufFormat::ABGR8888];
        let swapped = swapped.contains(&format.fourcc);
        let tiled = format.modifier == TILED;
        let lines = if tiled {
            picture.height.next_multiple_of(SIDE as u32)
        } else {
            picture.height
        };
        let mut bytes = vec![0xc3; stride * lines as usize];
        for y in 0..picture.height as usize {
            for x in 0..picture.width as usize {
                let mut pixel = [0; PIXEL];
                pixel.copy_from_slice(&picture.data[y * picture.stride + x * PIXEL..][..PIXEL]);
                if swapped {
                    pixel.swap(0, 2);
                }
                let at = match tiled {
                    true => {
                        let tile = y / SIDE * (stride / (SIDE * PIXEL)) + x / SIDE;
                        (tile * SIDE * SIDE + y % SIDE * SIDE + x % SIDE) * PIXEL
                    }
                    false => y * stride + x * PIXEL,
                };
                bytes[at..at + PIXEL].copy_from_slice(&pixel);
            }
        }
        self.memory.write_all_at(&bytes, OFFSET as u64).unwrap();
    }
}
