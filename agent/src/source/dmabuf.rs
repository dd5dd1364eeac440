//! Pictures that stay in the memory of the GPU: a buffer lent by the compositor, imported by the encoder, never copied.
//!
//! Which layouts an encoder imports is known before a format is negotiated ([`Importable`]); nothing else is ever offered
//! to the compositor as GPU memory. A buffer is the compositor's again as soon as the last [`Dmabuf`] on it is dropped. An
//! encoder that cannot import one after all has the pipeline refuse it: from then on the source hands over shared memory.

use std::{
    fmt,
    os::fd::OwnedFd,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// Most planes that a picture in GPU memory has, those for compression included.
pub const MAX_PLANES: usize = 4;

/// A layout of pixels: DRM's four-character code and format modifier.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct DmabufFormat {
    pub fourcc: u32,
    pub modifier: u64,
}

impl DmabufFormat {
    /// B, G, R, anything in memory, and the same with alpha.
    pub const XRGB8888: u32 = code(*b"XR24");
    pub const ARGB8888: u32 = code(*b"AR24");
    /// R, G, B, anything in memory, and the same with alpha.
    pub const XBGR8888: u32 = code(*b"XB24");
    pub const ABGR8888: u32 = code(*b"AB24");
    /// Line after line.
    pub const LINEAR: u64 = 0;
    /// Whatever the driver does where nothing is said.
    pub const IMPLICIT: u64 = 0x00ff_ffff_ffff_ffff;
}

const fn code(name: [u8; 4]) -> u32 {
    u32::from_le_bytes(name)
}

impl fmt::Debug for DmabufFormat {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.fourcc.to_le_bytes();
        write!(out, "{}:{:#x}", name.escape_ascii(), self.modifier)
    }
}

/// What the encoder of a stream imports. Shared by the encoder's side and every source that the stream opens.
#[derive(Debug, Clone, Default)]
pub struct Importable(Option<Arc<Imports>>);

#[derive(Debug)]
struct Imports {
    formats: Vec<DmabufFormat>,
    refused: AtomicBool,
}

impl Importable {
    /// Shared memory only.
    pub const NOTHING: Self = Self(None);

    pub fn new(formats: Vec<DmabufFormat>) -> Self {
        Self((!formats.is_empty()).then(|| {
            Arc::new(Imports {
                formats,
                refused: AtomicBool::new(false),
            })
        }))
    }

    /// Best first; none once an import was refused.
    pub fn formats(&self) -> &[DmabufFormat] {
        match &self.0 {
            Some(imports) if !imports.refused.load(Ordering::Acquire) => &imports.formats,
            _ => &[],
        }
    }

    fn refuse(&self) {
        if let Some(imports) = &self.0 {
            imports.refused.store(true, Ordering::Release);
        }
    }
}

/// A part of a picture's memory. Offset and distance of lines are the compositor's words: an importer has its driver check
/// them.
#[derive(Debug)]
pub struct Plane {
    pub fd: OwnedFd,
    pub offset: u32,
    /// Bytes from one line to the next.
    pub stride: u32,
}

/// One buffer of a compositor's pool. The compositor draws into the same few buffers again and again: an encoder imports
/// each once, remembers it by its `id`, and forgets it when nobody else holds it any more (a `Weak` tells).
#[derive(Debug)]
pub struct DmabufBuffer {
    /// Never used twice in a process.
    pub id: u64,
    pub width: u32,
    pub height: u32,
    pub format: DmabufFormat,
    /// One to [`MAX_PLANES`].
    pub planes: Vec<Plane>,
}

/// What is called with a buffer's id when it is no longer used here.
pub type GiveBack = dyn Fn(u64) + Send + Sync;

/// A picture in GPU memory, drawn completely: whatever the GPU still had to do to it has been waited for. Its buffer is lent
/// until this is dropped.
pub struct Dmabuf {
    buffer: Arc<DmabufBuffer>,
    importable: Importable,
    give_back: Arc<GiveBack>,
}

impl Dmabuf {
    pub fn new(
        buffer: Arc<DmabufBuffer>,
        importable: Importable,
        give_back: Arc<GiveBack>,
    ) -> Self {
        Self {
            buffer,
            importable,
            give_back,
        }
    }

    pub fn buffer(&self) -> &Arc<DmabufBuffer> {
        &self.buffer
    }

    /// It cannot be imported: no source of this stream is to hand over GPU memory any more.
    pub fn refuse(&self) {
        self.importable.refuse();
    }
}

impl fmt::Debug for Dmabuf {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.buffer.fmt(out)
    }
}

impl Drop for Dmabuf {
    fn drop(&mut self) {
        (self.give_back)(self.buffer.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn a_buffer_goes_back_once_and_a_refusal_holds_for_the_whole_stream() {
        let format = DmabufFormat {
            fourcc: DmabufFormat::XRGB8888,
            modifier: 0x0300_0000_0060_6010,
        };
        assert_eq!(format!("{format:?}"), "XR24:0x300000000606010");
        let importable = Importable::new(vec![format]);
        let another_source = importable.clone();
        let back = Arc::<Mutex<Vec<u64>>>::default();
        let given = Arc::clone(&back);
        let buffer = Arc::new(DmabufBuffer {
            id: 7,
            width: 64,
            height: 64,
            format,
            planes: Vec::new(),
        });
        let lent = Arc::new(Dmabuf::new(
            buffer,
            importable,
            Arc::new(move |id| given.lock().unwrap().push(id)),
        ));
        let second = Arc::clone(&lent);
        lent.refuse();
        assert!(another_source.formats().is_empty());
        drop(lent);
        assert!(back.lock().unwrap().is_empty());
        drop(second);
        assert_eq!(*back.lock().unwrap(), [7]);
        assert!(Importable::new(Vec::new()).formats().is_empty());
    }
}
