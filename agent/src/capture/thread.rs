//! The capture thread: connects, links (again, if need be), and copies each picture out.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use pipewire::{
    channel::{Receiver, Sender},
    context::ContextRc,
    core::CoreRc,
    keys,
    loop_::Timeout,
    main_loop::MainLoopRc,
    properties::properties,
    spa::{param::ParamType, pod::Pod, utils::Direction},
    stream::{Stream, StreamBox, StreamFlags, StreamListener, StreamState},
};

use super::{
    CaptureError, CaptureRequest, Remote,
    consumer::{Answer, Consumer, Wanted},
    format::{self, Limit, Negotiated},
};
use crate::source::{DmabufFormat, Importable, PictureSlot};

/// How often linking is tried, and how long each try may take to agree on a format.
const TRIES: u32 = 4;
const TRY_LIMIT: Duration = Duration::from_secs(4);
/// A pause before the next try: the session manager may be busy starting.
const PAUSE: Duration = Duration::from_millis(300);

type Started = mpsc::Sender<Result<(u32, u32), CaptureError>>;

/// How long the loop sleeps when there is nothing to do.
const IDLE: Duration = Duration::from_millis(250);

/// What other threads tell this one.
pub enum Note {
    /// Look whether to stop.
    Wake,
    /// The GPU memory with this number is no longer used.
    Returned(u64),
    /// Whether pictures are wanted.
    Active(bool),
}

/// What the callbacks tell the loop.
#[derive(Default)]
struct Shared {
    agreed: Cell<Option<Negotiated>>,
    /// Another word on whether pictures are wanted.
    active: Cell<Option<bool>>,
    /// Numbers of GPU memory that came back.
    returned: RefCell<Vec<u64>>,
    /// The stream failed; it cannot be used again.
    stream_error: RefCell<Option<String>>,
    /// Nothing can be done any more.
    fatal: RefCell<Option<CaptureError>>,
}

/// The body of the thread. Sends exactly one answer into `started`; what happens later goes into the slot.
pub fn run(
    request: CaptureRequest,
    slot: &Arc<PictureSlot>,
    stop: &AtomicBool,
    notes: (Sender<Note>, Receiver<Note>),
    started: &Started,
) {
    let mut announced = false;
    let result = capture(request, slot, stop, notes, &mut |size| {
        announced = true;
        let _ = started.send(Ok(size));
    });
    if let Err(error) = result {
        if announced {
            tracing::warn!(%error, "capture ended");
            slot.fail(error.to_string());
        } else {
            let _ = started.send(Err(error));
        }
    }
}

fn capture(
    request: CaptureRequest,
    slot: &Arc<PictureSlot>,
    stop: &AtomicBool,
    (noting, notes): (Sender<Note>, Receiver<Note>),
    announce: &mut dyn FnMut((u32, u32)),
) -> Result<(), CaptureError> {
    let unanswered = |error: pipewire::Error| CaptureError::NoPipeWire(error.to_string());
    pipewire::init();
    let main_loop = MainLoopRc::new(None).map_err(unanswered)?;
    let context = ContextRc::new(&main_loop, None).map_err(unanswered)?;
    let CaptureRequest {
        remote,
        node,
        width,
        height,
        fps,
        settled,
        importable,
        pointer_apart,
        rate_from_limit,
    } = request;
    let core = match remote {
        Remote::Daemon => context.connect_rc(None),
        Remote::Portal(fd) => context.connect_fd_rc(fd, None),
    }
    .map_err(unanswered)?;
    let shared = Rc::new(Shared::default());
    let told = Rc::clone(&shared);
    let _notes = notes.attach(main_loop.loop_(), move |note| match note {
        Note::Wake => {}
        Note::Returned(memory) => told.returned.borrow_mut().push(memory),
        Note::Active(active) => told.active.set(Some(active)),
    });
    // a pointer that is drawn here is drawn with the processor
    let importable = match pointer_apart {
        true => Importable::NOTHING,
        false => importable,
    };
    let offers = |lifted: bool, importable: &[DmabufFormat]| -> Vec<Vec<u8>> {
        let limits: &[Limit] = match (rate_from_limit, lifted) {
            (false, _) => &[Limit::of_client(fps)],
            (true, false) => &[Limit::Exactly(fps), Limit::UpTo(fps)],
            (true, true) => &[Limit::Exactly(fps.saturating_mul(2)), Limit::UpTo(fps)],
        };
        let offers = limits.iter();
        offers
            .flat_map(|limit| format::offers(width, height, *limit, importable))
            .collect()
    };
    let give_back = Arc::new(move |memory| {
        let _ = noting.send(Note::Returned(memory));
    });

    let lost = Rc::clone(&shared);
    let _core_listener = core
        .add_listener_local()
        .error(move |id, _seq, _res, message| {
            // Errors of other objects reach the stream itself.
            if id == pipewire::core::PW_ID_CORE {
                lost.fatal
                    .replace(Some(CaptureError::ConnectionLost(message.to_owned())));
            }
        })
        .register();

    // The session manager ends a stream whose node is gone, if it is not busy: seen not to, on a loaded machine.
    let registry = core.get_registry_rc().map_err(unanswered)?;
    let left = Rc::clone(&shared);
    let _registry_listener = registry
        .add_listener_local()
        .global_remove(move |id| {
            if id == node {
                left.node_is_gone();
            }
        })
        .register();

    let mut why = String::from("no answer");
    for attempt in 1..=TRIES {
        // What the last try left behind (letting go of a stream reports it as gone) is not this one's.
        shared.stream_error.take();
        shared.agreed.set(None);
        let mut offered = importable.formats();
        let consumer = Consumer::new(Wanted {
            slot: Arc::clone(slot),
            importable: importable.clone(),
            give_back: give_back.clone(),
            fps,
            settled,
            cursor: pointer_apart,
        });
        let link = link(&core, node, &offers(false, offered), consumer, &shared)?;
        let since = Instant::now();
        let mut announced_size = None;
        while !stop.load(Ordering::Acquire) {
            let due = (link.consumer.borrow().due_in()).map_or(IDLE, |due| due.min(IDLE));
            // in whole milliseconds, and not before it is due
            let wait = Duration::from_millis(due.as_nanos().div_ceil(1_000_000) as u64);
            main_loop.loop_().iterate(Timeout::Finite(wait));
            if let Some(active) = shared.active.take() {
                if active {
                    link.consumer.borrow_mut().wants_all();
                }
                if let Err(error) = link.stream.set_active(active) {
                    tracing::warn!(%error, active, "the stream's state cannot be changed");
                }
            }
            link.advance(&mut shared.returned.borrow_mut());
            if !offered.is_empty() && importable.formats().is_empty() {
                tracing::info!(node, "asking the compositor for shared memory");
                offered = &[];
                link.offer(&offers(announced_size.is_some(), offered), &shared);
            }
            if let Some(error) = shared.fatal.take() {
                return Err(error);
            }
            if let Some(error) = shared.stream_error.take() {
                if announced_size.is_some() {
                    return Err(CaptureError::Ended(error));
                }
                why = error;
                break;
            }
            match shared.agreed.get() {
                Some(agreed) if announced_size.is_none() => {
                    announced_size = Some((agreed.width, agreed.height));
                    announce((agreed.width, agreed.height));
                    if rate_from_limit {
                        link.offer(&offers(true, offered), &shared);
                    }
                }
                None if announced_size.is_none() && since.elapsed() > TRY_LIMIT => break,
                _ => {}
            }
        }
        drop(link);
        if stop.load(Ordering::Acquire) {
            return Ok(());
        }
        tracing::debug!(attempt, why, node, "no link to the node yet, again");
        std::thread::sleep(PAUSE);
    }
    Err(if why == "no answer" {
        CaptureError::NoFormat(node)
    } else {
        CaptureError::NotLinked { node, why }
    })
}

/// A stream and its callbacks; the listener goes before the stream.
struct Link<'core> {
    consumer: Rc<RefCell<Consumer>>,
    _listener: StreamListener<()>,
    stream: StreamBox<'core>,
}

impl Link<'_> {
    /// Do what is due, after the numbers of GPU memory in `returned` have come back.
    fn advance(&self, returned: &mut Vec<u64>) {
        let mut consumer = self.consumer.borrow_mut();
        for memory in returned.drain(..) {
            consumer.pool().returned(&self.stream, memory);
        }
        if consumer.due_in().is_some_and(|due| due.is_zero()) {
            consumer.advance(&self.stream);
        }
    }

    /// Offer other formats than before.
    fn offer(&self, offers: &[Vec<u8>], shared: &Shared) {
        update(&self.stream, offers, shared);
    }
}

impl Drop for Link<'_> {
    fn drop(&mut self) {
        let _ = self.stream.disconnect();
    }
}

/// Tell PipeWire other parameters; never while the consumer is borrowed, it may call back.
fn update(stream: &Stream, params: &[Vec<u8>], shared: &Shared) {
    let mut pods: Vec<&Pod> = params.iter().filter_map(|p| Pod::from_bytes(p)).collect();
    if let Err(error) = stream.update_params(&mut pods) {
        shared.stream_error.replace(Some(error.to_string()));
    }
}

fn link<'core>(
    core: &'core CoreRc,
    node: u32,
    offers: &[Vec<u8>],
    consumer: Consumer,
    shared: &Rc<Shared>,
) -> Result<Link<'core>, CaptureError> {
    let refused = |error: pipewire::Error| CaptureError::NotLinked {
        node,
        why: error.to_string(),
    };
    let stream = StreamBox::new(
        core,
        "punktfunk-capture",
        properties! {
            *keys::MEDIA_TYPE => "Video",
            *keys::MEDIA_CATEGORY => "Capture",
            *keys::MEDIA_ROLE => "Screen",
            // Without these the session manager would link whatever else it has, a camera for instance, once the
            // compositor's node is gone.
            *keys::NODE_DONT_RECONNECT => "true",
            "node.dont-fallback" => "true",
        },
    )
    .map_err(refused)?;
    let consumer = Rc::new(RefCell::new(consumer));
    let (changing, adding, removing, processing) = (
        Rc::clone(&consumer),
        Rc::clone(&consumer),
        Rc::clone(&consumer),
        Rc::clone(&consumer),
    );
    let (states, formats) = (Rc::clone(shared), Rc::clone(shared));
    let listener = stream
        .add_local_listener::<()>()
        .state_changed(move |_, (), old, new| states.state_changed(&old, &new))
        .param_changed(move |stream, (), id, param| {
            if id == ParamType::Format.as_raw() {
                let answer = changing.borrow_mut().format_changed(stream, param);
                formats.format_changed(stream, answer);
            }
        })
        .add_buffer(move |_, (), buffer| adding.borrow_mut().pool().added(buffer))
        .remove_buffer(move |_, (), buffer| removing.borrow_mut().pool().removed(buffer))
        .process(move |stream, ()| processing.borrow_mut().process(stream))
        .register()
        .map_err(refused)?;
    let mut pods: Vec<&Pod> = offers.iter().filter_map(|o| Pod::from_bytes(o)).collect();
    // Buffers are not mapped: what the producer does to its memory must not kill this process.
    stream
        .connect(
            Direction::Input,
            Some(node),
            StreamFlags::AUTOCONNECT,
            &mut pods,
        )
        .map_err(refused)?;
    Ok(Link {
        consumer,
        _listener: listener,
        stream,
    })
}

impl Shared {
    fn state_changed(&self, old: &StreamState, new: &StreamState) {
        tracing::debug!(?old, ?new, "capture stream");
        match new {
            StreamState::Error(error) => {
                self.stream_error.replace(Some(error.clone()));
            }
            StreamState::Unconnected => self.node_is_gone(),
            _ => {}
        }
    }

    fn node_is_gone(&self) {
        (self.stream_error.borrow_mut()).get_or_insert_with(|| "the node is gone".to_owned());
    }

    /// Answer a format with the buffers that are wanted.
    fn format_changed(&self, stream: &Stream, answer: Result<Option<Answer>, CaptureError>) {
        match answer {
            Ok(Some(Answer { params, agreed })) => {
                update(stream, &params, self);
                if agreed.is_some() {
                    self.agreed.set(agreed);
                }
            }
            Ok(None) => {}
            Err(error) => {
                self.fatal.replace(Some(error));
            }
        }
    }
}
