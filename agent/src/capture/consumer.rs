//! What becomes of a producer's buffers: the newest good one is copied, or lent, at the client's pace; the others go back.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use pipewire::{
    spa::{pod::Pod, sys as spa},
    stream::Stream,
};

use super::{
    CaptureError, SETTLE_LIMIT,
    buffer::{self, BadBuffer},
    cursor::Cursor,
    format::{self, Negotiated, Place},
    memory::Bytes,
    pace::Pace,
    pool::{self, Here, Pool},
};
use crate::{
    clock,
    source::{Dmabuf, Importable, Picture, PictureSlot, dmabuf::GiveBack},
};

/// How long the GPU may take to finish a picture that the compositor has handed over.
const FENCE_LIMIT_MS: u16 = 100;
/// More buffers than this are of no producer.
const MAX_BUFFERS: usize = 64;

/// The state of one stream's callbacks, all on the capture thread.
pub struct Consumer {
    slot: Arc<PictureSlot>,
    importable: Importable,
    give_back: Arc<GiveBack>,
    format: Option<Negotiated>,
    pool: Pool,
    pace: Pace,
    /// The newest good picture, until it may be copied.
    waiting: Option<Here>,
    damage: Damage,
    pointer: Option<Pointer>,
    sequence: u64,
    /// The last complaint about a buffer, so that a broken producer does not fill the log.
    complained: Option<BadBuffer>,
    /// The size that is waited for, and until when; None once it came.
    unsettled: Option<((u32, u32), Instant)>,
}

/// Whether anything has changed since the last picture.
struct Damage {
    /// This producer marks damage: metadata that nobody ever wrote say "none" as well.
    told: bool,
    some: bool,
}

/// The pointer that is drawn here, and the picture without it.
#[derive(Default)]
struct Pointer {
    cursor: Cursor,
    under: Option<Picture>,
    moved: bool,
}

/// What a stream's consumer is made of.
pub struct Wanted {
    pub slot: Arc<PictureSlot>,
    pub importable: Importable,
    pub give_back: Arc<GiveBack>,
    pub fps: u32,
    pub settled: Option<(u32, u32)>,
    /// The pointer is drawn here.
    pub cursor: bool,
}

/// What is said to a format that a producer set.
pub struct Answer {
    /// Buffers and metadata.
    pub params: Vec<Vec<u8>>,
    /// The format, once nothing of it is open.
    pub agreed: Option<Negotiated>,
}

impl Consumer {
    pub fn new(wanted: Wanted) -> Self {
        Self {
            slot: wanted.slot,
            importable: wanted.importable,
            give_back: wanted.give_back,
            format: None,
            pool: Pool::default(),
            pace: Pace::new(wanted.fps),
            waiting: None,
            damage: Damage {
                told: false,
                some: true,
            },
            pointer: wanted.cursor.then(Pointer::default),
            sequence: 0,
            complained: None,
            unsettled: (wanted.settled).map(|size| (size, Instant::now() + SETTLE_LIMIT)),
        }
    }

    pub fn pool(&mut self) -> &mut Pool {
        &mut self.pool
    }

    /// Another format was set, or none.
    ///
    /// # Errors
    /// One that cannot be taken.
    pub fn format_changed(
        &mut self,
        stream: &Stream,
        param: Option<&Pod>,
    ) -> Result<Option<Answer>, CaptureError> {
        // Until the next format is agreed no buffer may be read with the old one.
        self.format = None;
        self.damage.some = true;
        if let Some(old) = self.waiting.take() {
            self.pool.give_back(stream, old);
        }
        let Some(param) = param else { return Ok(None) };
        let Some(agreed) = format::negotiated(param).transpose()? else {
            tracing::warn!("the producer set a format that was not offered");
            return Ok(None);
        };
        tracing::info!(?agreed, "capture format");
        if agreed.place != Place::Open {
            self.format = Some(agreed);
        }
        Ok(Some(Answer {
            params: format::buffer_params(agreed.place, self.pointer.is_some()),
            agreed: self.format,
        }))
    }

    /// Take what the producer has filled: the newest good buffer is kept, all others go back.
    pub fn process(&mut self, stream: &Stream) {
        let mut buffers: Vec<Here> = self.waiting.take().into_iter().collect();
        let known = buffers.len();
        while buffers.len() < MAX_BUFFERS
            && let Some(buffer) = self.pool.dequeue(stream)
        {
            buffers.push(buffer);
        }
        for buffer in &buffers[known..] {
            self.news(buffer);
        }
        while let Some(buffer) = buffers.pop() {
            match self.check(&buffer) {
                Ok(()) => {
                    self.waiting = Some(buffer);
                    break;
                }
                Err(bad) => {
                    self.complain(bad);
                    self.pool.give_back(stream, buffer);
                }
            }
        }
        let mut replaced = 0;
        for buffer in buffers {
            replaced += u64::from(self.check(&buffer).is_ok());
            self.pool.give_back(stream, buffer);
        }
        self.slot.passed_over(replaced);
        self.advance(stream);
    }

    /// Copy or lend what waits, if it is time; the same for a pointer that moved over a still picture.
    pub fn advance(&mut self, stream: &Stream) {
        let now_ns = clock::now_ns();
        let lent = matches!(
            self.format,
            Some(Negotiated {
                place: Place::Gpu(_),
                ..
            })
        );
        if !lent && !self.pace.due(now_ns) {
            return;
        }
        if let Some(buffer) = self.waiting.take() {
            if !self.damage.some {
                self.pool.give_back(stream, buffer);
            } else {
                match self.take(stream, buffer) {
                    Ok(picture) => {
                        self.damage.some = false;
                        self.pace.taken(now_ns);
                        self.put(picture);
                        return;
                    }
                    Err(bad) => self.complain(bad),
                }
            }
        }
        self.redraw(now_ns);
    }

    /// The next picture is wanted, whatever it says of its damage: who is shown it has not seen those before.
    pub fn wants_all(&mut self) {
        self.damage.some = true;
    }

    /// How long until [`Self::advance`] has something to do, if it has.
    pub fn due_in(&self) -> Option<Duration> {
        let moved = (self.pointer.as_ref()).is_some_and(|p| p.moved && p.under.is_some());
        (self.waiting.is_some() || moved).then(|| self.pace.wait(clock::now_ns()))
    }

    /// What a buffer says apart from its picture.
    fn news(&mut self, buffer: &Here) {
        let Some(look) = self.pool.look(buffer) else {
            return;
        };
        let Damage { told, some } = &mut self.damage;
        match look.damaged() {
            Some(true) => (*told, *some) = (true, true),
            Some(false) if *told => {}
            _ => *some = true,
        }
        if let Some(pointer) = &mut self.pointer
            && let Some(meta) = look.cursor()
        {
            match pointer.cursor.follow(&meta) {
                Ok(moved) => pointer.moved |= moved,
                Err(error) => tracing::debug!(%error, "metadata of the pointer that make no sense"),
            }
        }
    }

    /// Whether there is a picture in a buffer that can be used.
    fn check(&mut self, buffer: &Here) -> Result<(), BadBuffer> {
        let format = self.format.ok_or(BadBuffer::Empty)?;
        let size = (format.width, format.height);
        if let Some((settled, until)) = self.unsettled {
            if settled != size && Instant::now() < until {
                return Err(BadBuffer::Empty);
            }
            self.unsettled = None;
        }
        let look = self.pool.look(buffer).ok_or(BadBuffer::Empty)?;
        let corrupted = |(flags, _)| flags & spa::SPA_META_HEADER_FLAG_CORRUPTED != 0;
        if look.header().is_some_and(corrupted) {
            return Err(BadBuffer::Corrupted);
        }
        let chunk = look.chunk()?;
        match format.place {
            Place::Shared(_) => {
                buffer::place(chunk, look.memory()?.size(), size)?;
            }
            Place::Gpu(layout) => {
                self.pool.gpu(buffer, size, layout)?;
            }
            Place::Open => return Err(BadBuffer::Kind),
        }
        Ok(())
    }

    /// The picture in a buffer that was checked. The buffer goes back, unless it is lent.
    fn take(&mut self, stream: &Stream, buffer: Here) -> Result<Picture, BadBuffer> {
        match self.read(&buffer) {
            Ok(picture) if picture.dmabuf.is_some() => Ok(picture),
            other => {
                self.pool.give_back(stream, buffer);
                other
            }
        }
    }

    fn read(&mut self, buffer: &Here) -> Result<Picture, BadBuffer> {
        let format = self.format.ok_or(BadBuffer::Empty)?;
        let size = (format.width, format.height);
        let look = self.pool.look(buffer).ok_or(BadBuffer::Empty)?;
        let stamp = look.header().map(|(_, stamp)| stamp);
        let mut picture = Picture {
            width: format.width,
            height: format.height,
            capture_ns: buffer::capture_time(stamp, clock::now_ns()),
            ..Picture::default()
        };
        match format.place {
            Place::Shared(order) => {
                let memory = look.memory()?;
                let place = buffer::place(look.chunk()?, memory.size(), size)?;
                picture.data = self.slot.buffer();
                let copied = buffer::copy_picture(&memory, place, order, &mut picture.data);
                match copied {
                    Ok(stride) => picture.stride = stride,
                    Err(bad) => {
                        self.slot.recycle(picture.data);
                        return Err(bad);
                    }
                }
            }
            Place::Gpu(layout) => {
                let memory = self.pool.gpu(buffer, size, layout)?;
                pool::wait_for_fences(&memory, FENCE_LIMIT_MS)?;
                picture.dmabuf = Some(Arc::new(Dmabuf::new(
                    memory,
                    self.importable.clone(),
                    Arc::clone(&self.give_back),
                )));
            }
            Place::Open => return Err(BadBuffer::Kind),
        }
        Ok(picture)
    }

    /// To whoever encodes, with the pointer if that is drawn here.
    fn put(&mut self, mut picture: Picture) {
        self.sequence += 1;
        picture.sequence = self.sequence;
        match &mut self.pointer {
            None => self.slot.put(picture),
            Some(pointer) => {
                if let Some(old) = pointer.under.replace(picture) {
                    self.slot.recycle(old.data);
                }
                pointer.moved = true;
                self.draw();
            }
        }
    }

    /// A pointer that moved over a still picture makes a new one.
    fn redraw(&mut self, now_ns: u64) {
        let Some(pointer) = &mut self.pointer else {
            return;
        };
        if pointer.moved
            && let Some(under) = &mut pointer.under
        {
            self.sequence += 1;
            (under.sequence, under.capture_ns) = (self.sequence, now_ns);
            self.pace.taken(now_ns);
            self.draw();
        }
    }

    fn draw(&mut self) {
        let Some(pointer) = &mut self.pointer else {
            return;
        };
        let Some(under) = &pointer.under else { return };
        pointer.moved = false;
        let mut data = self.slot.buffer();
        data.clear();
        data.extend_from_slice(&under.data);
        pointer
            .cursor
            .draw(&mut data, (under.width, under.height), under.stride);
        self.slot.put(Picture {
            data,
            dmabuf: None,
            ..*under
        });
    }

    fn complain(&mut self, bad: BadBuffer) {
        // A buffer without data carries news of the pointer only, one that says it is corrupted is of a change of size.
        if !matches!(bad, BadBuffer::Empty | BadBuffer::Corrupted) && self.complained != Some(bad) {
            let format = self.format;
            tracing::warn!(%bad, ?format, "unusable buffer from the producer");
            self.complained = Some(bad);
        }
    }
}
