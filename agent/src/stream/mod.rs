//! One stream: the threads between a source and the service's ring and channel.
//!
//! Encode (and, inside the source, capture), sound, the channel and the keeping of the source each have a thread. Whichever
//! of the first three ends first ends the others; the source, and with it its virtual output, goes with the encode thread.
//! A source that ends does not end the stream: see [`crate::life`]. Everything that arrives through the
//! channel comes from the service and is trusted as far as the protocol goes; nothing here opens a socket.

mod channel;
mod ring;
mod sink;
#[cfg(test)]
mod sink_tests;
mod slots;
mod sound;
#[cfg(test)]
mod tests;

use crate::{
    bus::inhibition::Inhibited,
    clock,
    convert::Colour,
    encode::{Choice, EncodeError, Encoder, EncoderSettings},
    life::{Facts, Keeper, Life, Open, Scene},
    pipeline::{self, OrdersHandle, Pipeline, Totals},
    source::{
        self, AudioOrigin, Importable, Outputs, SourceError, SourceRequest, gamescope::Inside,
    },
};
use nix::sys::{
    eventfd::{EfdFlags, EventFd},
    socket::{Shutdown, shutdown},
};
use punktfunk_core::control::HdrMetadata;
use punktfunk_dbus::{
    channel::{Endpoint, Geometry, ToService},
    open_stream::{OpenStream, OpenedStream},
};
use ring::RingWriter;
use sink::RingSink;
use slots::Slots;
use std::{
    os::fd::{AsFd, AsRawFd, OwnedFd},
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicBool, atomic::Ordering},
    thread,
};
use tokio::sync::{oneshot, watch};

/// Longest text of a `Failed` message in bytes.
const MAX_REASON: usize = 512;
/// Ring slots and bytes in one of them that make sense.
const SLOTS: std::ops::RangeInclusive<u32> = 2..=64;
const SLOT_SIZES: std::ops::RangeInclusive<u32> = 64 * 1024..=64 * 1024 * 1024;

/// Why a stream could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// An option that makes no sense; the text names it.
    #[error("{0}")]
    Options(String),
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Encode(#[from] EncodeError),
    #[error(transparent)]
    Sound(#[from] crate::audio::opus::OpusError),
    #[error("the ring cannot be used: {0}")]
    Ring(std::io::Error),
    #[error("no thread for the stream: {0}")]
    Thread(std::io::Error),
}

/// What a stream has of its session.
pub struct Surroundings {
    /// Which encoder it may get.
    pub encoder: Choice,
    pub session: watch::Receiver<Facts>,
    /// Kept until the stream has ended.
    pub inhibited: Option<Arc<Inhibited>>,
}

impl Default for Surroundings {
    /// A session of which nothing is known, as where there is no logind.
    fn default() -> Self {
        Self {
            encoder: Choice::default(),
            session: watch::channel(Facts::default()).1,
            inhibited: None,
        }
    }
}

/// A running stream; dropping it asks it to stop and waits for its threads.
pub struct Stream {
    id: u64,
    shared: Arc<Shared>,
    encode: Option<thread::JoinHandle<()>>,
}

impl Stream {
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Whether it has ended by itself.
    pub fn ended(&self) -> bool {
        self.shared.ended.load(Ordering::Acquire)
    }

    /// Ask it to stop, without waiting.
    pub fn stop(&self) {
        self.shared.stop();
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.stop();
        if let Some(thread) = self.encode.take() {
            let _ = thread.join();
        }
    }
}

/// What the threads of one stream have in common.
struct Shared {
    endpoint: Endpoint,
    orders: OrdersHandle,
    slots: Mutex<Slots>,
    totals: Mutex<Totals>,
    /// Wakes the channel thread.
    wake: Arc<EventFd>,
    life: Arc<Life>,
    ended: AtomicBool,
}

impl Shared {
    fn stop(&self) {
        self.orders.stop();
        let _ = self.wake.write(1);
    }

    /// All threads but the calling one are through: close the channel, though handles to the stream may live on.
    fn end(&self) {
        let _ = shutdown(self.endpoint.as_fd().as_raw_fd(), Shutdown::Both);
        self.ended.store(true, Ordering::Release);
    }

    fn slots(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn totals(&self) -> MutexGuard<'_, Totals> {
        self.totals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tell the service why the stream cannot go on.
    fn fail(&self, reason: &str) {
        let mut end = reason.len().min(MAX_REASON);
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        let reason = reason[..end].to_owned();
        // a full or closed socket: the end of the stream says enough
        let _ = self.endpoint.send_to_service(&ToService::Failed { reason });
    }
}

/// Open a stream: source and encoder on a thread of their own, which answers when both are there and then streams.
///
/// # Errors
/// Options out of range, a ring that does not fit them, or what source and encoder say.
pub async fn open(
    options: OpenStream,
    ring: OwnedFd,
    channel: OwnedFd,
    around: Surroundings,
) -> Result<(Stream, OpenedStream), StreamError> {
    let geometry = geometry(&options)?;
    let Surroundings {
        encoder,
        session,
        inhibited,
    } = around;
    let ring = RingWriter::map(&ring, geometry).map_err(StreamError::Ring)?;
    let wake = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)
        .map_err(|error| StreamError::Thread(error.into()))?;
    let wake = Arc::new(wake);
    let life = Life::new(
        (options.width, options.height),
        options.lock_screen.unwrap_or(false),
        session,
        Arc::clone(&wake),
    );
    let shared = Arc::new(Shared {
        life: Arc::new(life),
        endpoint: Endpoint::new(channel),
        orders: OrdersHandle::default(),
        slots: Mutex::new(Slots::new(geometry.slots)),
        totals: Mutex::default(),
        wake,
        ended: AtomicBool::new(false),
    });
    let (answer, answered) = oneshot::channel();
    let id = options.stream;
    let encode = {
        let shared = Arc::clone(&shared);
        spawn(format!("pf-encode-{id}"), move || {
            encode_thread(encoder, &options, ring, &shared, answer);
            drop(inhibited);
            shared.end();
        })?
    };
    // made before the answer, so that a caller that gives up waiting stops the stream by dropping this; not joined until
    // the source is open, which may take as long as a dialogue
    let mut stream = Stream {
        id,
        shared,
        encode: None,
    };
    match answered.await {
        Ok(Ok(opened)) => {
            stream.encode = Some(encode);
            Ok((stream, opened))
        }
        Ok(Err(error)) => Err(error),
        Err(_) => Err(StreamError::Options(
            "the stream's thread ended without an answer".to_owned(),
        )),
    }
}

fn spawn(
    name: String,
    body: impl FnOnce() + Send + 'static,
) -> Result<thread::JoinHandle<()>, StreamError> {
    thread::Builder::new()
        .name(name)
        .spawn(body)
        .map_err(StreamError::Thread)
}

/// The ring's shape, if the options make sense.
fn geometry(options: &OpenStream) -> Result<Geometry, StreamError> {
    let refuse = |what: &str, value: u32| Err(StreamError::Options(format!("{what}: {value}")));
    if !SLOTS.contains(&options.slots) {
        return refuse("slots out of range", options.slots);
    }
    if !SLOT_SIZES.contains(&options.slot_size) {
        return refuse("slot_size out of range", options.slot_size);
    }
    if options.bitrate_kbps == 0 {
        return refuse("bitrate_kbps out of range", 0);
    }
    if Colour::from_csc_mode(options.csc_mode).is_none() {
        return refuse("csc_mode is unknown", options.csc_mode);
    }
    Ok(Geometry {
        slots: options.slots as u16,
        slot_size: options.slot_size,
    })
}

/// Everything that one stream's main thread does, from opening to the last frame.
fn encode_thread(
    choice: Choice,
    options: &OpenStream,
    ring: RingWriter,
    shared: &Arc<Shared>,
    answer: oneshot::Sender<Result<OpenedStream, StreamError>>,
) {
    // the deadlines of the encode clock are worth a timer of their own precision
    let _ = nix::sys::prctl::set_timerslack(1);
    let Prepared {
        keeper,
        mut pipeline,
        opened,
        audio,
        mastering,
    } = match prepare(choice, options, &shared.life) {
        Ok(prepared) => prepared,
        Err(error) => {
            let _ = answer.send(Err(error));
            return;
        }
    };
    // before the first frame: a client that asked for HDR has to know what it gets
    let told_hdr = options.hdr.then(|| ToService::Hdr {
        enabled: mastering.is_some(),
        metadata: mastering.unwrap_or_default(),
    });
    let side_threads = match side_threads(options, audio, told_hdr, shared) {
        Ok(threads) => threads,
        Err(error) => {
            let _ = answer.send(Err(error));
            return;
        }
    };
    let (encoder, name) = (opened.encoder.clone(), opened.source.clone());
    if answer.send(Ok(opened)).is_ok() {
        tracing::info!(
            stream = options.stream,
            source = name,
            encoder,
            "{}x{} at {} frames a second, {} kbit/s",
            options.width,
            options.height,
            options.fps,
            options.bitrate_kbps
        );
        let mut sink = RingSink::new(ring, Arc::clone(shared));
        // The service asks for the first key frame when the client can receive; nobody could use a picture before.
        shared.orders.wait_for_keyframe();
        pipeline.begin(clock::now_ns());
        let result = pipeline::run(&mut pipeline, &shared.orders, &mut sink, |totals| {
            *shared.totals() = *totals;
            false
        });
        if let Err(error) = result {
            tracing::warn!(stream = options.stream, "the stream ends: {error}");
            shared.fail(&error.to_string());
        }
        let totals = pipeline.totals();
        tracing::info!(stream = options.stream, ?totals, "stream ended");
    }
    shared.stop();
    for thread in side_threads {
        let _ = thread.join();
    }
    drop(keeper);
}

/// A stream that can begin.
struct Prepared {
    keeper: Keeper,
    pipeline: Pipeline,
    opened: OpenedStream,
    audio: AudioOrigin,
    /// The stream is HDR10, mastered for this.
    mastering: Option<HdrMetadata>,
}

/// Source, encoder and clock. A source that cannot be had because of the session's state, a lock for instance, is waited
/// for; the client then sees why.
fn prepare(
    choice: Choice,
    options: &OpenStream,
    life: &Arc<Life>,
) -> Result<Prepared, StreamError> {
    let source_name = source::choose(&options.source, &options.compositor)?;
    let mastering = source::mastering(source_name).filter(|_| options.hdr);
    if options.hdr && mastering.is_none() {
        tracing::info!(
            stream = options.stream,
            source = source_name,
            "the client wants HDR, which this source does not give: it gets SDR in 10 bits"
        );
    }
    let settings = EncoderSettings {
        width: options.width,
        height: options.height,
        fps: options.fps,
        bitrate_kbps: options.bitrate_kbps,
        colour: Colour::from_csc_mode(options.csc_mode).unwrap_or_default(),
        hdr: options.hdr,
        mastering,
        chroma_444: options.chroma_444,
        slices: options.slices,
        parts: options.frame_parts.unwrap_or(false),
        max_reference_frames: options.max_reference_frames,
    };
    // the encoder first: it refuses at once, where a source may ask the user
    let (encoder, mastering) = encoder(choice, &options.codec, settings)?;
    let request = request(
        options,
        Importable::new(encoder.importable()),
        mastering.is_some(),
    );
    let name = source_name.to_owned();
    // now and whenever it has ended: `auto` then takes what is there by that time
    let open: Arc<Open> = Arc::new(move || source::open(&name, &request));
    let source = match open() {
        Err(error @ (SourceError::Refused { .. } | SourceError::Failed { .. }))
            if !life.facts().shows(false) =>
        {
            tracing::info!(%error, "no pictures of this session now");
            Err(error)
        }
        opened => Ok(opened?),
    };
    let named = source.as_ref().map(|source| source.name());
    let opened = OpenedStream {
        encoder: encoder.name().to_owned(),
        source: named.unwrap_or("none yet").to_owned(),
        invalidates_refs: Some(encoder.can_invalidate_refs()),
        hdr: Some(mastering.is_some()),
    };
    let audio = source
        .as_ref()
        .map_or(AudioOrigin::of(&options.source), |source| source.audio());
    let keeper = Keeper::start(Arc::clone(life), source, open).map_err(StreamError::Thread)?;
    let now_ns = clock::now_ns();
    let pipeline = Pipeline::new(
        Scene::new(Arc::clone(life), now_ns),
        encoder,
        options.fps_x100,
        options.bitrate_kbps,
        now_ns,
    );
    Ok(Prepared {
        keeper,
        pipeline,
        opened,
        audio,
        mastering,
    })
}

/// The encoder, and what its stream is mastered for if that is HDR. Where nothing encodes it with 10 bits any more, a client
/// that wanted HDR gets SDR with 8.
fn encoder(
    choice: Choice,
    codec: &str,
    settings: EncoderSettings,
) -> Result<(Box<dyn Encoder>, Option<HdrMetadata>), EncodeError> {
    match choice.open(codec, &settings) {
        Err(error @ (EncodeError::Mode { .. } | EncodeError::NoEncoder { .. })) if settings.hdr => {
            tracing::warn!("no HDR, but SDR in 8 bits: {error}");
            let plain = EncoderSettings {
                hdr: false,
                mastering: None,
                ..settings
            };
            Ok((choice.open(codec, &plain)?, None))
        }
        opened => Ok((opened?, settings.mastering)),
    }
}

/// What the stream's source is asked for.
fn request(options: &OpenStream, importable: Importable, hdr: bool) -> SourceRequest {
    SourceRequest {
        width: options.width,
        height: options.height,
        fps: options.fps,
        cursor: true,
        importable,
        inside: match options.app {
            0 => Inside::Whatever,
            app => Inside::Application(app),
        },
        outputs: options
            .outputs
            .as_deref()
            .and_then(Outputs::parse)
            .unwrap_or_default(),
        monitor: Default::default(),
        hdr,
    }
}

/// The threads for the channel and the sound.
fn side_threads(
    options: &OpenStream,
    audio: AudioOrigin,
    told_hdr: Option<ToService>,
    shared: &Arc<Shared>,
) -> Result<Vec<thread::JoinHandle<()>>, StreamError> {
    let mut threads = Vec::new();
    if options.audio_channels > 0 {
        let sound = sound::Sound::new(options, audio, Arc::clone(shared))?;
        threads.push(spawn(format!("pf-sound-{}", options.stream), move || {
            sound.run();
        })?);
    }
    let channel = channel::Channel::new(Arc::clone(shared), told_hdr);
    threads.push(spawn(format!("pf-chan-{}", options.stream), move || {
        channel.run();
    })?);
    Ok(threads)
}
