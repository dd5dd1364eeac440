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
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

/// Where a picture begins in its memory, and what lies between its lines.
const OFFSET: usize = 4096;
const PADDING: usize = 192;

/// Buffers that are lent in turns.
pub struct Pool {
    buffers: Vec<(Arc<DmabufBuffer>, File)>,
    next: usize,
    back: Arc<AtomicUsize>,
}

/// What the driver's books say of a count now.
pub fn counted(name: &str) -> usize {
    let books = std::env::var_os("VAAPI_DOUBLE_BOOKS").expect("the driver's books");
    let text = std::fs::read_to_string(std::path::Path::new(&books).join("vaapi")).unwrap();
    let value = text.lines().find_map(|line| line.strip_prefix(name));
    let value = value.and_then(|value| value.strip_prefix('='));
    value.expect("a count").parse().unwrap()
}

impl Pool {
    pub fn new(count: usize, (width, height): (u32, u32), format: DmabufFormat) -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let stride = width as usize * 4 + PADDING;
        let buffer = |_| {
            let memory = File::from(memfd_create(c"lent", MFdFlags::MFD_CLOEXEC).unwrap());
            memory
                .set_len((OFFSET + stride * height as usize) as u64)
                .unwrap();
            let plane = Plane {
                fd: memory.try_clone().unwrap().into(),
                offset: OFFSET as u32,
                stride: stride as u32,
            };
            let buffer = DmabufBuffer {
                id: LAST.fetch_add(1, Ordering::Relaxed),
                width,
                height,
                format,
                planes: vec![plane],
            };
            (Arc::new(buffer), memory)
        };
        Self {
            buffers: (0..count).map(buffer).collect(),
            next: 0,
            back: Arc::default(),
        }
    }

    /// Buffers that came back.
    pub fn back(&self) -> usize {
        self.back.load(Ordering::Relaxed)
    }

    /// The picture, drawn into the next buffer. When that comes back, the card must have read it.
    pub fn lend(&mut self, picture: &Picture) -> Picture {
        let (buffer, memory) = &self.buffers[self.next];
        self.next = (self.next + 1) % self.buffers.len();
        assert_eq!(
            (picture.width, picture.height),
            (buffer.width, buffer.height)
        );
        let swapped = [DmabufFormat::XBGR8888, DmabufFormat::ABGR8888];
        let swapped = swapped.contains(&buffer.format.fourcc);
        let line = picture.width as usize * 4;
        for (number, bytes) in picture.data.chunks(picture.stride).enumerate() {
            let mut bytes = bytes[..line].to_vec();
            for pixel in bytes.chunks_exact_mut(4).filter(|_| swapped) {
                pixel.swap(0, 2);
            }
            let at = OFFSET + number * (line + PADDING);
            memory.write_all_at(&bytes, at as u64).unwrap();
        }
        let (back, number) = (Arc::clone(&self.back), buffer.id);
        let give_back = move |id| {
            assert_eq!(id, number);
            assert_eq!(counted("unfinished"), 0, "given back while the card reads");
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
