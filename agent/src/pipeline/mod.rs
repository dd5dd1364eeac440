//! One tick after the other: take a picture, encode it, hand the access unit on.
//!
//! The rules of the encode thread live here, apart from threads, clocks and sockets: encode only when there is room for
//! the result (a frame that was never encoded breaks no reference), the newest picture or else the last one again, and
//! after a lost access unit a key frame.

mod feed;
mod orders;
mod references;
#[cfg(test)]
mod tests;

pub use feed::{Feed, Next, Pictures, announce};
pub use orders::{Orders, OrdersHandle, Wake};

use crate::{
    cadence::Cadence,
    clock,
    encode::{AccessUnit, EncodeError, Encoder, Parts, Tag},
};
use references::References;

/// How long a source may take to its first picture.
const FIRST_PICTURE_NS: u64 = 10_000_000_000;
/// Smallest step of presentation times: one of the wire's 90 kHz.
const PTS_STEP_NS: u64 = 11_112;
/// How often in a row an access unit may be too large before the stream is given up.
const MAX_TOO_LARGE: u32 = 6;

/// What became of an access unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivered {
    /// It is on its way.
    Taken,
    /// It could not be handed over; the next one must not refer to it.
    Lost,
    /// It is larger than what fits, which is so many bytes.
    TooLarge { limit: usize },
}

/// Where access units go.
pub trait Sink {
    /// Whether there is room for another one now. If not, the tick is skipped.
    fn ready(&mut self) -> bool;

    /// Hand one over.
    ///
    /// # Errors
    /// Text for a person, when nothing can be handed over any more.
    fn deliver(&mut self, unit: &AccessUnit<'_>) -> Result<Delivered, String>;

    /// Take what is final of one that will be delivered next, as for [`Parts::part`], or leave it.
    fn part(&mut self, _unit: &AccessUnit<'_>, _parts: u8) {}

    /// The one of which parts were taken is not delivered. Whether there was one: then it counts as a frame all the same.
    fn void(&mut self) -> bool {
        false
    }
}

/// The way of parts from encoder to sink.
struct Early<'a> {
    sink: &'a mut dyn Sink,
    references: &'a mut References,
    picture: u32,
}

impl Parts for Early<'_> {
    fn part(&mut self, unit: &AccessUnit<'_>, parts: u8) {
        if unit.key {
            self.references.restarted();
        }
        let mut unit = AccessUnit { ..*unit };
        unit.tag.after_invalidation = self.references.spared(self.picture);
        self.sink.part(&unit, parts);
    }

    fn void(&mut self) {
        if self.sink.void() {
            self.references.voided(self.picture);
        }
    }
}

/// Running totals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Pictures that the source made.
    pub captured: u64,
    /// Those of another size than the stream's, which were fitted into it.
    pub scaled: u64,
    /// Those that a newer one took the place of before they were encoded.
    pub replaced: u64,
    /// Pictures given to the encoder.
    pub submitted: u64,
    /// Access units that came out and were taken.
    pub encoded: u64,
    pub keyframes: u64,
    pub bytes: u64,
    /// Of the submitted ones, those that were the last picture again.
    pub repeated: u64,
    /// Ticks without room for the result.
    pub skipped_no_slot: u64,
    /// Ticks that passed while an earlier one was being served.
    pub missed_ticks: u64,
    /// Time spent converting, encoding and handing over.
    pub busy_ns: u64,
}

/// Why a pipeline ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PipelineError {
    #[error("the source ended: {0}")]
    Source(String),
    #[error(
        "the source has not given a picture within 10 s; is the screen off or the session locked?"
    )]
    NoPicture,
    #[error(transparent)]
    Encode(#[from] EncodeError),
    #[error("a frame stays larger than the {0} bytes that can be handed over")]
    TooLarge(usize),
    #[error("{0}")]
    Sink(String),
}

/// Pictures, encoder and clock of one stream.
pub struct Pipeline {
    feed: Box<dyn Pictures>,
    encoder: Box<dyn Encoder>,
    cadence: Cadence,
    started_ns: u64,
    bitrate_kbps: u32,
    last_pts_ns: Option<u64>,
    /// When the picture came that the next tick shows.
    arrived_ns: Option<u64>,
    /// Access units in a row that were too large; the rate is halved that often.
    too_large: u32,
    /// Number of the next picture submitted.
    next_picture: u32,
    references: References,
    totals: Totals,
}

impl Pipeline {
    /// Pictures a second times 100. The first tick is due at `now_ns`; `bitrate_kbps` is what the encoder was opened with.
    pub fn new(
        feed: impl Pictures + 'static,
        encoder: Box<dyn Encoder>,
        fps_x100: u32,
        bitrate_kbps: u32,
        now_ns: u64,
    ) -> Self {
        Self {
            feed: Box::new(feed),
            encoder,
            cadence: Cadence::new(fps_x100, now_ns),
            started_ns: now_ns,
            bitrate_kbps,
            last_pts_ns: None,
            arrived_ns: None,
            too_large: 0,
            next_picture: 0,
            references: References::default(),
            totals: Totals::default(),
        }
    }

    /// Begin now, however long ago the pipeline was made.
    pub fn begin(&mut self, now_ns: u64) {
        self.cadence.restart(now_ns);
        self.started_ns = now_ns;
    }

    pub fn totals(&self) -> Totals {
        Totals {
            captured: self.feed.captured(),
            scaled: self.feed.scaled(),
            replaced: self.feed.replaced(),
            missed_ticks: self.cadence.missed(),
            ..self.totals
        }
    }

    /// When the next tick is due.
    pub fn deadline_ns(&self) -> u64 {
        self.cadence.deadline_ns()
    }

    /// When the next tick is to be served if this is when the newest picture came.
    pub fn due_ns(&self, arrived_ns: Option<u64>) -> u64 {
        self.cadence.due_ns(arrived_ns)
    }

    /// What the peer asked for since the last tick.
    pub fn obey(&mut self, orders: &Orders) -> Result<(), PipelineError> {
        self.arrived_ns = orders.arrived_ns;
        if let Some(kbps) = orders.bitrate_kbps {
            self.bitrate_kbps = kbps;
            self.encoder.set_bitrate(kbps >> self.too_large)?;
        }
        let lost = orders.invalidate.filter(|_| !orders.keyframe);
        let invalidated = lost.is_none_or(|(first, _)| self.invalidate(first));
        if orders.keyframe || !invalidated {
            self.encoder.request_keyframe();
        }
        Ok(())
    }

    /// Leave out the picture of frame `first` and all since: they may depend on it.
    fn invalidate(&mut self, first: u32) -> bool {
        let Some(first) = self.references.picture(first) else {
            return false;
        };
        let latest = self.next_picture.wrapping_sub(1);
        let done = self.encoder.invalidate_refs(first, latest);
        if done {
            self.references.invalidated(self.next_picture);
        }
        done
    }

    /// Serve the tick that is due. `now_ns` is CLOCK_MONOTONIC.
    pub fn tick(&mut self, now_ns: u64, sink: &mut dyn Sink) -> Result<(), PipelineError> {
        self.cadence.serve(now_ns);
        if !sink.ready() {
            self.totals.skipped_no_slot += 1;
            self.feed.skip();
            return Ok(());
        }
        let begun_ns = clock::now_ns();
        let number = self.feed.captured();
        match (self.feed.next(now_ns)).map_err(|why| PipelineError::Source(why.into_owned()))? {
            Next::New { picture, cut } => {
                if cut {
                    self.encoder.request_keyframe();
                }
                let tag = Tag {
                    pts_ns: later(&mut self.last_pts_ns, picture.capture_ns),
                    capture_ns: picture.capture_ns,
                    repeated: false,
                    picture: self.next_picture,
                    after_invalidation: false,
                };
                if let Some(arrived_ns) = self.arrived_ns.take() {
                    self.cadence.follow(arrived_ns, number);
                }
                let mut early = Early {
                    sink: &mut *sink,
                    references: &mut self.references,
                    picture: tag.picture,
                };
                let result = (self.encoder).submit_in_parts(Some(picture), tag, &mut early);
                let refused = match (&result, &picture.dmabuf) {
                    (Err(EncodeError::Import(why)), Some(dmabuf)) => {
                        tracing::warn!("the compositor's pictures are copied from now on: {why}");
                        dmabuf.refuse();
                        true
                    }
                    _ => false,
                };
                self.feed.done();
                if refused {
                    let repeated = true;
                    self.encoder.submit_again(Tag { repeated, ..tag })?;
                    self.totals.repeated += 1;
                } else {
                    result?;
                }
            }
            Next::Same { capture_ns } => {
                let tag = Tag {
                    pts_ns: later(&mut self.last_pts_ns, now_ns),
                    capture_ns,
                    repeated: true,
                    picture: self.next_picture,
                    after_invalidation: false,
                };
                self.cadence.rest();
                let mut early = Early {
                    sink: &mut *sink,
                    references: &mut self.references,
                    picture: tag.picture,
                };
                self.encoder.submit_in_parts(None, tag, &mut early)?;
                self.totals.repeated += 1;
            }
            Next::Nothing if now_ns.saturating_sub(self.started_ns) > FIRST_PICTURE_NS => {
                return Err(PipelineError::NoPicture);
            }
            Next::Nothing => return Ok(()),
        }
        let picture = self.next_picture;
        self.totals.submitted += 1;
        self.next_picture = picture.wrapping_add(1);
        let result = self.drain(sink);
        // nothing came of it
        self.void(picture, sink);
        self.totals.busy_ns += clock::now_ns().saturating_sub(begun_ns);
        result
    }

    /// No more pictures: hand on what the encoder still holds.
    pub fn finish(&mut self, sink: &mut dyn Sink) -> Result<(), PipelineError> {
        self.encoder.flush()?;
        self.drain(sink)
    }

    fn void(&mut self, picture: u32, sink: &mut dyn Sink) {
        if sink.void() {
            self.references.voided(picture);
        }
    }

    fn drain(&mut self, sink: &mut dyn Sink) -> Result<(), PipelineError> {
        while let Some(mut unit) = self.encoder.poll()? {
            let (key, bytes, picture) = (unit.key, unit.data.len(), unit.tag.picture);
            if key {
                self.references.restarted();
            }
            unit.tag.after_invalidation = self.references.spared(picture);
            match sink.deliver(&unit).map_err(PipelineError::Sink)? {
                Delivered::Taken => {
                    self.references.announced(picture);
                    self.totals.encoded += 1;
                    self.totals.keyframes += u64::from(key);
                    self.totals.bytes += bytes as u64;
                    if std::mem::take(&mut self.too_large) > 0 {
                        self.encoder.set_bitrate(self.bitrate_kbps)?;
                    }
                }
                Delivered::Lost => self.encoder.request_keyframe(),
                Delivered::TooLarge { limit } => {
                    self.too_large += 1;
                    if self.too_large > MAX_TOO_LARGE {
                        return Err(PipelineError::TooLarge(limit));
                    }
                    tracing::warn!(bytes, limit, "a frame is too large, trying at a lower rate");
                    self.encoder
                        .set_bitrate(self.bitrate_kbps >> self.too_large)?;
                    self.encoder.request_keyframe();
                }
            }
        }
        Ok(())
    }
}

/// Presentation times never stand still and never run backwards, whatever mix of captured and repeated pictures.
fn later(last: &mut Option<u64>, wanted_ns: u64) -> u64 {
    let pts = last.map_or(wanted_ns, |last| wanted_ns.max(last + PTS_STEP_NS));
    *last = Some(pts);
    pts
}

/// Serve ticks at their deadlines, or as their pictures come, until the orders say stop, or `until` says so after a tick.
///
/// # Errors
/// As for [`Pipeline::tick`]; what the encoder holds back is not drained then.
pub fn run(
    pipeline: &mut Pipeline,
    orders: &OrdersHandle,
    sink: &mut dyn Sink,
    mut until: impl FnMut(&Totals) -> bool,
) -> Result<(), PipelineError> {
    pipeline.feed.announce_to(orders);
    loop {
        match orders.wait(|arrived_ns| pipeline.due_ns(arrived_ns)) {
            Wake::Stop => return Ok(()),
            Wake::Tick(orders) => pipeline.obey(&orders)?,
        }
        pipeline.tick(clock::now_ns(), sink)?;
        if until(&pipeline.totals()) {
            return Ok(());
        }
    }
}
