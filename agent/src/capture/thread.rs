//! The capture thread: connects, links (again, if need be), and copies each picture out.

use std::{
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
    loop_::Timeout,
    main_loop::MainLoopRc,
};

use super::{
    CaptureError, CaptureRequest, Remote,
    consumer::{Consumer, Wanted},
    format::{self, Limit},
    link::{By, Shared, link},
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
    // A portal's connection may make no links.
    let by_turns = match remote {
        Remote::Daemon => [By::SessionManager, By::Us],
        Remote::Portal(_) => [By::SessionManager; 2],
    };
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
    for (attempt, by) in (1..=TRIES).zip(by_turns.into_iter().cycle()) {
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
        let link = link(
            &core,
            (node, by),
            &offers(false, offered),
            consumer,
            &shared,
        );
        let mut link = link?;
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
            link.make()?;
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
                    if by == By::Us {
                        tracing::warn!(
                            "the session manager (wireplumber) links nothing: linked without it"
                        );
                    }
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
        tracing::debug!(attempt, why, node, ?by, "no link to the node yet, again");
        std::thread::sleep(PAUSE);
    }
    Err(if why == "no answer" {
        CaptureError::NoFormat(node)
    } else {
        CaptureError::NotLinked { node, why }
    })
}
