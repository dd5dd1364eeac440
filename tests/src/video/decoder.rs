//! Access units to pictures, on a thread of its own so that decoding never costs packets.

use super::{
    change::ChangeDetector, colour::Matrix, counter, frame::Frame, receiver::monotonic_ns,
    statistics::Statistics,
};
use anyhow::{Context, Result};
use openh264::formats::YUVSource;
use std::{
    fs::File,
    io::{BufWriter, Write},
    path::PathBuf,
    sync::{
        Arc, Condvar, Mutex,
        mpsc::{Receiver, Sender, channel},
    },
    thread::JoinHandle,
};

/// Statistics that several threads update and tests wait on.
#[derive(Clone, Default)]
pub struct Shared(Arc<(Mutex<Statistics>, Condvar)>);

impl Shared {
    pub fn update<R>(&self, change: impl FnOnce(&mut Statistics) -> R) -> R {
        let result = change(
            &mut self
                .0
                .0
                .lock()
                .unwrap_or_else(|poisoned| poisoned.into_inner()),
        );
        self.0.1.notify_all();
        result
    }

    pub fn snapshot(&self) -> Statistics {
        self.0
            .0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .clone()
    }

    /// Wait until `holds` or the time is over; answers whether it held.
    pub fn wait(
        &self,
        timeout: std::time::Duration,
        mut holds: impl FnMut(&Statistics) -> bool,
    ) -> bool {
        let guard = self
            .0
            .0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let (guard, _) = self
            .0
            .1
            .wait_timeout_while(guard, timeout, |statistics| !holds(statistics))
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let mut holds = holds;
        holds(&guard)
    }
}

/// A picture worth keeping: packed RGB.
pub struct Decoded {
    pub width: usize,
    pub height: usize,
    pub rgb: Vec<u8>,
}

impl Decoded {
    pub fn write_png(&self, path: &std::path::Path) -> Result<()> {
        let file =
            File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
        let mut encoder =
            png::Encoder::new(BufWriter::new(file), self.width as u32, self.height as u32);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.write_header()?.write_image_data(&self.rgb)?;
        Ok(())
    }
}

/// The decoder thread. Frames go in; statistics and the last picture come out.
pub struct Decoder {
    frames: Option<Sender<Frame>>,
    thread: Option<JoinHandle<Result<Option<Decoded>>>>,
}

impl Decoder {
    /// `keep_picture`: convert the last picture for a PNG, with this matrix. `decode` false: only write the stream. `clock`: what the
    /// pictures carry for a counter is the time of their painting.
    pub fn start(
        shared: Shared,
        decode: bool,
        clock: bool,
        write: Option<PathBuf>,
        keep_picture: Option<Matrix>,
    ) -> Result<Self> {
        let file = match write {
            Some(path) => {
                Some(BufWriter::new(File::create(&path).with_context(|| {
                    format!("cannot write {}", path.display())
                })?))
            }
            None => None,
        };
        let (frames, queue) = channel();
        let thread = std::thread::Builder::new()
            .name("decode".into())
            .spawn(move || run(queue, shared, decode, clock, file, keep_picture))?;
        Ok(Self {
            frames: Some(frames),
            thread: Some(thread),
        })
    }

    /// Queue a frame; false when the decoder has died.
    pub fn push(&self, frame: Frame) -> bool {
        self.frames
            .as_ref()
            .is_some_and(|frames| frames.send(frame).is_ok())
    }

    /// Decode what is queued and answer the last picture.
    pub fn finish(mut self) -> Result<Option<Decoded>> {
        drop(self.frames.take());
        match self.thread.take() {
            Some(thread) => thread
                .join()
                .unwrap_or_else(|_| Err(anyhow::anyhow!("the decoder thread panicked"))),
            None => Ok(None),
        }
    }
}

fn run(
    queue: Receiver<Frame>,
    shared: Shared,
    decode: bool,
    clock: bool,
    mut file: Option<BufWriter<File>>,
    keep_picture: Option<Matrix>,
) -> Result<Option<Decoded>> {
    let mut decoder = openh264::decoder::Decoder::new()?;
    let mut last = None;
    let mut change = ChangeDetector::default();
    let mut waiting: Option<Frame> = None;
    while let Some(frame) = waiting.take().or_else(|| queue.recv().ok()) {
        if let Some(file) = file.as_mut() {
            file.write_all(&frame.access_unit)?;
        }
        waiting = queue.try_recv().ok();
        if !decode {
            shared.update(|statistics| statistics.frames_decoded += 1);
            continue;
        }
        match decoder.decode(&frame.access_unit) {
            Ok(Some(picture)) => {
                let (width, height) = picture.dimensions();
                let counter = counter::read(picture.y(), picture.strides().0, width, height);
                let changed = change.changed(picture.y(), picture.strides().0, width, height);
                let spent = frame.arrived.elapsed().as_micros() as u32;
                shared.update(|statistics| {
                    statistics.frames_decoded += 1;
                    statistics.distinct_pictures += u64::from(changed);
                    statistics.picture = Some((width, height));
                    if let Some(painted) = counter.filter(|_| clock) {
                        painted_at(painted, &frame, statistics);
                    }
                    statistics.counters.note(counter);
                    statistics.receive_to_decoded_us.push(spent);
                });
                // Converting is dear: only a picture that may be the last of the run is worth it.
                if let Some(matrix) = keep_picture
                    && waiting.is_none()
                {
                    let mut kept: Decoded = last.take().unwrap_or(Decoded {
                        width,
                        height,
                        rgb: Vec::new(),
                    });
                    (kept.width, kept.height) = (width, height);
                    kept.rgb.resize(width * height * 3, 0);
                    matrix.convert(&picture, &mut kept.rgb);
                    last = Some(kept);
                }
            }
            Ok(None) => shared.update(|statistics| statistics.decode_failures += 1),
            Err(_) => shared.update(|statistics| statistics.decode_failures += 1),
        }
    }
    if let Some(mut file) = file {
        file.flush()?;
    }
    Ok(last)
}

/// The first frame that shows the picture that was painted at this time, in 10 µs of CLOCK_MONOTONIC, was decoded just now.
fn painted_at(painted: u32, frame: &Frame, statistics: &mut Statistics) {
    if statistics.counters.last == Some(painted) {
        return;
    }
    // The low 32 bits, as the picture has them: they wrap twice a day.
    let age_us = ((monotonic_ns() / 10_000) as u32)
        .wrapping_sub(painted)
        .saturating_mul(10);
    let decoding_us = frame.whole.elapsed().as_micros() as u32;
    statistics.painted_to_decoded_us.push(age_us);
    statistics
        .painted_to_complete_us
        .push(age_us.saturating_sub(decoding_us));
}
