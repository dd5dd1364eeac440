//! A captured picture, and the one-deep newest-wins slot between a capture thread and the encode thread.
//!
//! The drop rule: a picture that nobody took when the next one arrives is replaced and counted.

use super::Dmabuf;
use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// How many empty buffers a slot keeps for the capture thread.
const SPARE_BUFFERS: usize = 3;

/// What the four bytes of a pixel say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PixelFormat {
    /// Blue, green, red and one that nobody looks at, in memory order; sRGB.
    #[default]
    Bgrx,
    /// A little-endian word with red in the lowest ten bits, then green, then blue: HDR10, which is the primaries of BT.2020 and
    /// the transfer of ST 2084, full range.
    Rgb10Pq,
}

/// One captured picture, `stride` bytes a line. `capture_ns` is CLOCK_MONOTONIC.
///
/// One in GPU memory has no `data`, and a stride of 0.
#[derive(Debug, Clone, Default)]
pub struct Picture {
    pub width: u32,
    pub height: u32,
    pub stride: usize,
    pub data: Vec<u8>,
    pub format: PixelFormat,
    /// Where it stayed in GPU memory; only for an encoder that said that it imports this.
    pub dmabuf: Option<Arc<Dmabuf>>,
    pub capture_ns: u64,
    /// From 1, one more for every picture that the source made.
    pub sequence: u64,
}

/// One deep, newest wins; counts what it replaced. Buffers are recycled through it.
#[derive(Default)]
pub struct PictureSlot {
    inner: Mutex<SlotState>,
    arrived: Condvar,
    listener: Mutex<Option<Listener>>,
}

/// Told of each picture that comes, on the capture thread: it must not block.
type Listener = Arc<dyn Fn() + Send + Sync>;

/// What a slot holds.
#[derive(Default)]
pub struct SlotState {
    pub newest: Option<Picture>,
    pub spare: Vec<Vec<u8>>,
    /// Pictures that nobody took in time.
    pub replaced: u64,
    /// Pictures that arrived.
    pub captured: u64,
    /// Why the source ended; text for a person.
    pub failed: Option<String>,
    /// How long an end is kept to itself: an application's own end is reported by its runner, and as such.
    pub patience: Duration,
    failed_at: Option<Instant>,
}

impl SlotState {
    /// Why the source ended, once that is to be known.
    pub fn over(&self) -> Option<&str> {
        let since = self.failed_at?;
        (since.elapsed() >= self.patience)
            .then_some(self.failed.as_deref())
            .flatten()
    }
}

impl PictureSlot {
    /// The state behind its lock; hold it briefly, the encode thread waits for it.
    pub fn state(&self) -> MutexGuard<'_, SlotState> {
        self.inner
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn listener(&self) -> MutexGuard<'_, Option<Listener>> {
        self.listener.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Have `listener` told of each picture that comes, and at once of one that waits. It takes the place of an earlier one.
    pub fn listen(&self, listener: impl Fn() + Send + Sync + 'static) {
        *self.listener() = Some(Arc::new(listener));
        if self.state().newest.is_some() {
            self.notify();
        }
    }

    /// Wake whoever waits for a picture.
    pub fn notify(&self) {
        self.arrived.notify_all();
        let listener = self.listener().clone();
        if let Some(listener) = listener {
            listener();
        }
    }

    /// Hand in the newest picture; one that was still waiting is replaced and its buffer kept for [`Self::buffer`].
    pub fn put(&self, picture: Picture) {
        let mut state = self.state();
        state.captured += 1;
        if let Some(old) = state.newest.replace(picture) {
            state.replaced += 1;
            keep(&mut state.spare, old.data);
        }
        drop(state);
        self.notify();
    }

    /// So many pictures arrived and were left out, because a newer one was there before they could be handed in.
    pub fn passed_over(&self, pictures: u64) {
        if pictures > 0 {
            let mut state = self.state();
            state.captured += pictures;
            state.replaced += pictures;
        }
    }

    /// Take the newest picture, if one has arrived since the last call.
    pub fn take(&self) -> Option<Picture> {
        self.state().newest.take()
    }

    /// A buffer for the next picture: a recycled one (contents and length as they were left) or an empty one.
    pub fn buffer(&self) -> Vec<u8> {
        self.state().spare.pop().unwrap_or_default()
    }

    /// Give a used buffer back.
    pub fn recycle(&self, buffer: Vec<u8>) {
        keep(&mut self.state().spare, buffer);
    }

    /// The source has ended; `reason` is for a person. The first reason stays.
    pub fn fail(&self, reason: impl Into<String>) {
        let reason = reason.into();
        let mut state = self.state();
        state.failed.get_or_insert(reason);
        state.failed_at.get_or_insert_with(Instant::now);
        drop(state);
        self.notify();
    }

    /// As [`Self::fail`], by somebody who knows better: this reason replaces one that was given.
    pub fn explain(&self, reason: impl Into<String>) {
        let mut state = self.state();
        state.failed = Some(reason.into());
        state.failed_at.get_or_insert_with(Instant::now);
        drop(state);
        self.notify();
    }

    /// Wait until a picture is there or the source has failed; false when `limit` has passed without either.
    pub fn wait(&self, limit: Duration) -> bool {
        let state = self.state();
        let (state, _) = self
            .arrived
            .wait_timeout_while(state, limit, |state| {
                state.newest.is_none() && state.failed.is_none()
            })
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        state.newest.is_some() || state.failed.is_some()
    }
}

fn keep(spare: &mut Vec<Vec<u8>>, buffer: Vec<u8>) {
    if spare.len() < SPARE_BUFFERS && buffer.capacity() > 0 {
        spare.push(buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(sequence: u64) -> Picture {
        Picture {
            data: vec![0; 4],
            sequence,
            ..Picture::default()
        }
    }

    #[test]
    fn the_newest_picture_wins_and_the_replaced_one_is_counted() {
        let slot = PictureSlot::default();
        slot.put(picture(1));
        slot.put(picture(2));
        assert_eq!(slot.take().unwrap().sequence, 2);
        assert!(slot.take().is_none());
        let state = slot.state();
        assert_eq!((state.captured, state.replaced), (2, 1));
    }

    #[test]
    fn the_latest_listener_is_told_of_pictures_and_of_one_that_waits() {
        use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
        let counts = [(); 2].map(|()| Arc::new(AtomicU32::new(0)));
        let slot = PictureSlot::default();
        slot.put(picture(1));
        for count in counts.clone() {
            slot.listen(move || {
                count.fetch_add(1, Relaxed);
            });
        }
        slot.put(picture(2));
        assert_eq!(counts.map(|count| count.load(Relaxed)), [1, 2]);
    }

    #[test]
    fn buffers_come_back_and_are_bounded() {
        let slot = PictureSlot::default();
        assert!(slot.buffer().is_empty());
        for _ in 0..10 {
            slot.recycle(vec![7; 16]);
        }
        assert_eq!(slot.state().spare.len(), SPARE_BUFFERS);
        assert_eq!(slot.buffer().len(), 16);
    }

    #[test]
    fn a_failed_source_wakes_the_waiting_thread_and_keeps_its_first_reason() {
        let slot = PictureSlot::default();
        slot.fail("compositor went away");
        slot.fail("second");
        assert!(slot.wait(Duration::from_secs(60)));
        assert_eq!(slot.state().failed.as_deref(), Some("compositor went away"));
        assert_eq!(slot.state().over(), Some("compositor went away"));
    }

    #[test]
    fn an_end_is_kept_quiet_while_there_is_patience_and_may_be_explained() {
        let slot = PictureSlot::default();
        slot.state().patience = Duration::from_secs(3600);
        slot.fail("the node is gone");
        assert_eq!(slot.state().over(), None);
        slot.explain("the program inside gamescope ended");
        slot.state().patience = Duration::ZERO;
        let state = slot.state();
        assert_eq!(state.over(), Some("the program inside gamescope ended"));
    }
}
