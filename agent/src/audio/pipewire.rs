//! Sound from a PipeWire sink of the session, shared by all streams of this process.
//!
//! Normally a sink of our own (a null sink) that is the default one while anybody streams, recorded at its monitor: what the
//! session plays goes to the client and is not heard in the room; it also works on a machine without any sound device. With
//! `play_on_host` the default sink's monitor is recorded instead. A microphone is never recorded.
//!
//! Programs play into one sink, so there is one for streams of different channels too: the widest, and PipeWire mixes it down
//! for those who want fewer. They hold it, so that it outlives the stream that brought it.

use std::{
    cell::Cell,
    rc::Rc,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use pipewire::{
    channel::{Receiver, Sender},
    context::ContextRc,
    keys,
    loop_::Timeout,
    main_loop::MainLoopRc,
    properties::{PropertiesBox, properties},
    spa::{
        self,
        param::{
            ParamType,
            audio::{AudioFormat, AudioInfoRaw},
        },
        pod::{Object, Pod, Value, serialize::PodSerializer},
        utils::{Direction, SpaTypes},
    },
    stream::{Stream, StreamBox, StreamFlags, StreamState},
};

use super::{
    default_sink::DefaultSink,
    null_sink::{self, NullSink},
    sound_queue::{Packets, RATE, SoundQueue},
};
use crate::source::AudioSource;

/// Name of the stream that records, as `pw-top` shows it.
const LISTENER: &str = "punktfunk-listener";

/// How long PipeWire may take to accept the connection.
const START_LIMIT: Duration = Duration::from_secs(5);

/// How long the session manager may take to link to our sink. WirePlumber 0.4 sometimes never does where nodes went just
/// before; a sink made anew then is linked.
const LINK_LIMIT: Duration = Duration::from_secs(2);

/// The sinks of this process that are in use, by channels and whether the host hears the sound too.
static OPEN: Mutex<Vec<(Kind, Weak<Hub>)>> = Mutex::new(Vec::new());

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Kind {
    channels: u32,
    from: Which,
}

/// Whose monitor is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    /// A sink of ours, made for it.
    Own,
    /// The sink of ours with so many channels, which another hub has made.
    Wider(u32),
    /// The default one's, whichever that is.
    Default,
}

impl Kind {
    /// Whether a sink of ours with so many channels takes over from it.
    fn is_narrower(self, than: u32) -> bool {
        match self.from {
            Which::Own => self.channels < than,
            Which::Wider(channels) => channels < than,
            Which::Default => false,
        }
    }
}

/// Make (or share) the session's streaming sink and record its monitor: `channels` interleaved at 48 kHz. With
/// `play_on_host` the sound is heard on the host as well. Dropping the answer ends it.
///
/// # Errors
/// Text for a person: what is missing and what to do.
pub fn open(channels: u32, play_on_host: bool) -> Result<Box<dyn AudioSource>, String> {
    let mut sinks = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    sinks.retain(|(_, hub)| hub.strong_count() > 0);
    let owner = sinks
        .iter()
        .filter(|(open, _)| !play_on_host && open.from == Which::Own && open.channels > channels)
        .find_map(|(open, hub)| {
            let hub = hub.upgrade().filter(|hub| !hub.ears.ended())?;
            Some((open.channels, hub))
        });
    let from = match &owner {
        _ if play_on_host => Which::Default,
        Some((channels, _)) => Which::Wider(*channels),
        None => Which::Own,
    };
    let kind = Kind { channels, from };
    let shared = sinks
        .iter()
        .filter(|(open, _)| *open == kind)
        .find_map(|(_, hub)| hub.upgrade().filter(|hub| !hub.ears.ended()));
    let hub = match shared {
        Some(hub) => hub,
        None => {
            let hub = Arc::new(Hub::start(kind, owner.map(|(_, hub)| hub))?);
            sinks.push((kind, Arc::downgrade(&hub)));
            hub
        }
    };
    let queue = Arc::new(SoundQueue::default());
    hub.ears.add(&queue)?;
    Ok(Box::new(Sound {
        queue,
        packets: Packets::new(channels),
        _hub: hub,
    }))
}

/// One stream's sound.
struct Sound {
    queue: Arc<SoundQueue>,
    packets: Packets,
    _hub: Arc<Hub>,
}

impl AudioSource for Sound {
    fn read(&mut self, samples: &mut [f32]) -> Result<(), String> {
        self.packets.read(&self.queue, samples)
    }
}

/// Who listens to one sink.
#[derive(Default)]
struct Ears(Mutex<Listeners>);

#[derive(Default)]
struct Listeners {
    queues: Vec<Weak<SoundQueue>>,
    ended: Option<String>,
}

impl Ears {
    fn add(&self, queue: &Arc<SoundQueue>) -> Result<(), String> {
        let mut ears = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reason) = &ears.ended {
            return Err(reason.clone());
        }
        ears.queues.push(Arc::downgrade(queue));
        Ok(())
    }

    fn ended(&self) -> bool {
        let ears = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ears.ended.is_some()
    }

    fn push(&self, samples: &[u8], channels: u32) {
        let now = Instant::now();
        let mut ears = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ears.queues.retain(|queue| {
            queue.upgrade().is_some_and(|queue| {
                let samples = samples
                    .chunks_exact(4)
                    .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
                queue.push(samples, channels, now);
                true
            })
        });
    }

    fn end(&self, reason: &str) {
        let mut ears = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ears.ended.get_or_insert(reason.to_owned());
        for queue in ears.queues.iter().filter_map(Weak::upgrade) {
            queue.end(reason);
        }
    }
}

/// The thread that owns a sink; dropping it removes the sink.
struct Hub {
    ears: Arc<Ears>,
    stop: Arc<AtomicBool>,
    wake: Sender<()>,
    thread: Option<JoinHandle<()>>,
    /// Who made the sink that is recorded, kept for as long.
    _owner: Option<Arc<Self>>,
}

impl Hub {
    fn start(kind: Kind, owner: Option<Arc<Self>>) -> Result<Self, String> {
        let ears = Arc::new(Ears::default());
        let stop = Arc::new(AtomicBool::new(false));
        let (wake, woken) = pipewire::channel::channel();
        let (started, answer) = mpsc::channel();
        let thread = {
            let (ears, stop) = (Arc::clone(&ears), Arc::clone(&stop));
            std::thread::Builder::new()
                .name("pf-sound".into())
                .spawn(move || {
                    if let Err(why) = listen(kind, &ears, &stop, woken, &started) {
                        let why = format!("sound: {why}");
                        let _ = started.send(Err(why.clone()));
                        ears.end(&why);
                    }
                })
                .map_err(|error| format!("sound: no thread: {error}"))?
        };
        let hub = Self {
            ears,
            stop,
            wake,
            thread: Some(thread),
            _owner: owner,
        };
        answer
            .recv_timeout(START_LIMIT)
            .unwrap_or_else(|_| Err("sound: PipeWire gave no answer in time".to_owned()))?;
        Ok(hub)
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        let _ = self.wake.send(());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the sound thread panicked");
        }
    }
}

/// Have those who listen to a sink with fewer channels come to this one. False: not now.
fn supersede(channels: u32) -> bool {
    // whoever holds it may be waiting for the thread that asks
    let Ok(sinks) = OPEN.try_lock() else {
        return false;
    };
    let narrower = sinks.iter().filter(|(kind, _)| kind.is_narrower(channels));
    let hubs: Vec<_> = narrower.filter_map(|(_, hub)| hub.upgrade()).collect();
    drop(sinks);
    for hub in hubs {
        hub.ears
            .end("a stream with more channels has begun; its sink is listened to");
    }
    true
}

fn listen(
    kind: Kind,
    ears: &Arc<Ears>,
    stop: &AtomicBool,
    woken: Receiver<()>,
    started: &mpsc::Sender<Result<(), String>>,
) -> Result<(), String> {
    let absent = |error: pipewire::Error| {
        format!(
            "PipeWire does not answer ({error}); is it running in this session? \
             (systemctl --user start pipewire wireplumber)"
        )
    };
    pipewire::init();
    let main_loop = MainLoopRc::new(None).map_err(absent)?;
    let context = ContextRc::new(&main_loop, None).map_err(absent)?;
    let core = context.connect_rc(None).map_err(absent)?;
    let _woken = woken.attach(main_loop.loop_(), |()| {});
    let failed = Arc::new(Mutex::new(None::<String>));
    let lost = Arc::clone(&failed);
    let _core_listener = core
        .add_listener_local()
        .error(move |id, _, _, message| {
            if id == pipewire::core::PW_ID_CORE {
                *lost.lock().unwrap_or_else(PoisonError::into_inner) =
                    Some(format!("the connection to PipeWire was lost: {message}"));
            }
        })
        .register();

    let sink = match kind.from {
        Which::Own => {
            Some(NullSink::new(&core, positions(kind.channels), &failed).map_err(absent)?)
        }
        Which::Wider(_) | Which::Default => None,
    };
    let recorded = match kind.from {
        Which::Own => Some(null_sink::name(kind.channels as usize)),
        Which::Wider(channels) => Some(null_sink::name(channels as usize)),
        Which::Default => None,
    };
    let name = sink.as_ref().map(NullSink::name);
    let properties = node_properties(recorded.as_deref());
    let stream = StreamBox::new(&core, LISTENER, properties).map_err(absent)?;
    let (heard, broken) = (Arc::clone(ears), Arc::clone(&failed));
    let linked = Rc::new(Cell::new(false));
    let link = Rc::clone(&linked);
    let _listener = stream
        .add_local_listener::<()>()
        .state_changed(move |_, (), old, new| {
            tracing::debug!(?old, ?new, "sound stream");
            link.set(matches!(new, StreamState::Streaming));
            let why = match new {
                StreamState::Error(why) => why,
                // Somebody took the node away.
                StreamState::Unconnected => "the recording was ended from outside".to_owned(),
                _ => return,
            };
            *broken.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
        })
        .process(move |stream, ()| process(stream, kind.channels, &heard))
        .register()
        .map_err(absent)?;
    let format = format(kind.channels);
    let mut pods: Vec<&Pod> = Pod::from_bytes(&format).into_iter().collect();
    let flags = StreamFlags::AUTOCONNECT | StreamFlags::MAP_BUFFERS;
    stream
        .connect(Direction::Input, None, flags, &mut pods)
        .map_err(absent)?;
    let mut default = match name {
        None => None,
        Some(name) => Some(DefaultSink::new(&core, name).map_err(absent)?),
    };
    let _ = started.send(Ok(()));

    let mut unlinked = None::<Instant>;
    let mut alone = false;
    while !stop.load(Ordering::Acquire) {
        main_loop
            .loop_()
            .iterate(Timeout::Finite(Duration::from_millis(500)));
        if let Some(why) = failed.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Err(why);
        }
        let Some(default) = &mut default else {
            continue;
        };
        default.follow(linked.get());
        // not before: until then programs play into the others
        if default.set() && !alone {
            alone = supersede(kind.channels);
        }
        if linked.get() || !default.managed() {
            unlinked = None;
        } else if unlinked.get_or_insert_with(Instant::now).elapsed() > LINK_LIMIT {
            return Err(
                "the session manager does not link to the sink; it is made anew".to_owned(),
            );
        }
    }
    if let Some(default) = default {
        default.restore(&main_loop);
    }
    let _ = stream.disconnect();
    Ok(())
}

fn process(stream: &Stream, channels: u32, ears: &Ears) {
    while let Some(mut buffer) = stream.dequeue_buffer() {
        let Some(data) = buffer.datas_mut().first_mut() else {
            continue;
        };
        if data.as_raw().chunk.is_null() {
            continue;
        }
        let (offset, size) = (data.chunk().offset() as usize, data.chunk().size() as usize);
        // Whole frames only, so that the channels never change places.
        let size = size - size % (4 * channels as usize).max(1);
        if let Some(samples) = data
            .data()
            .and_then(|bytes| bytes.get(offset..offset.checked_add(size)?))
        {
            ears.push(samples, channels);
        }
    }
}

/// Records the monitor of this sink of ours, else of whichever is the default one.
fn node_properties(sink: Option<&str>) -> PropertiesBox {
    let mut properties = properties! {
        *keys::MEDIA_TYPE => "Audio",
        *keys::MEDIA_CATEGORY => "Capture",
        *keys::MEDIA_ROLE => "Game",
        *keys::NODE_NAME => LISTENER,
        *keys::NODE_DESCRIPTION => "Streaming (punktfunk)",
        // 5 ms, one packet: sound should not lag behind the picture.
        *keys::NODE_LATENCY => "240/48000",
        // The monitor of a sink; never a source, which may be a microphone.
        *keys::STREAM_CAPTURE_SINK => "true",
    };
    if let Some(sink) = sink {
        properties.insert(*keys::TARGET_OBJECT, sink);
    }
    properties
}

/// The places of the channels in GameStream's order.
fn positions(channels: u32) -> &'static [u32] {
    use spa::sys::{
        SPA_AUDIO_CHANNEL_FC as FC, SPA_AUDIO_CHANNEL_FL as FL, SPA_AUDIO_CHANNEL_FR as FR,
        SPA_AUDIO_CHANNEL_LFE as LFE, SPA_AUDIO_CHANNEL_RL as RL, SPA_AUDIO_CHANNEL_RR as RR,
        SPA_AUDIO_CHANNEL_SL as SL, SPA_AUDIO_CHANNEL_SR as SR,
    };
    match channels {
        2 => &[FL, FR],
        6 => &[FL, FR, FC, LFE, RL, RR],
        8 => &[FL, FR, FC, LFE, RL, RR, SL, SR],
        _ => &[],
    }
}

fn format(channels: u32) -> Vec<u8> {
    let mut info = AudioInfoRaw::new();
    info.set_format(AudioFormat::F32LE);
    info.set_rate(RATE);
    info.set_channels(channels);
    let mut position = [0; spa::sys::SPA_AUDIO_MAX_CHANNELS as usize];
    let places = positions(channels);
    position[..places.len()].copy_from_slice(places);
    info.set_position(position);
    let object = Object {
        type_: SpaTypes::ObjectParamFormat.as_raw(),
        id: ParamType::EnumFormat.as_raw(),
        properties: info.into(),
    };
    let (cursor, _) =
        PodSerializer::serialize(std::io::Cursor::new(Vec::new()), &Value::Object(object))
            .expect("writing a pod into memory cannot fail");
    cursor.into_inner()
}
