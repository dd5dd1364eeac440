//! Whether a compositor still answers. A stopped one keeps its sockets, and a still screen gives no pictures either; the
//! difference is a question that is not answered.

use crate::source::detection;
use std::time::Duration;
use wayland_client::{
    Connection, Dispatch, EventQueue, QueueHandle,
    backend::WaylandError,
    protocol::wl_callback::{self, WlCallback},
};

/// How long an answer may take before the compositor counts as hung. Busy ones have been seen to take a second.
const PATIENCE: Duration = Duration::from_secs(4);

/// What asking has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beat {
    Alive,
    /// A question has stood for too long.
    Silent,
    /// The connection is closed.
    Closed,
}

/// Asked once a second. Must not block.
pub trait Pulse {
    fn beat(&mut self, now_ns: u64) -> Beat;
}

/// Asks the session's Wayland compositor for a round trip.
pub struct WaylandPulse {
    connection: Connection,
    queue: EventQueue<Answers>,
    answers: Answers,
    asked: u64,
    asked_ns: u64,
}

#[derive(Default)]
struct Answers(u64);

impl Dispatch<WlCallback, ()> for Answers {
    fn event(
        answers: &mut Self,
        _: &WlCallback,
        event: wl_callback::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        if matches!(event, wl_callback::Event::Done { .. }) {
            answers.0 += 1;
        }
    }
}

impl WaylandPulse {
    /// None where no compositor listens, or an X11 one does.
    pub fn of_session() -> Option<Self> {
        let connection = Connection::from_socket(detection::wayland_socket()?).ok()?;
        let queue = connection.new_event_queue();
        Some(Self {
            connection,
            queue,
            answers: Answers::default(),
            asked: 0,
            asked_ns: 0,
        })
    }

    fn exchange(&mut self) -> Result<(), ()> {
        let blocked = |error: &WaylandError| matches!(error, WaylandError::Io(error) if error.kind() == std::io::ErrorKind::WouldBlock);
        match self.connection.flush() {
            Err(error) if !blocked(&error) => return Err(()),
            _ => {}
        }
        if let Some(guard) = self.connection.prepare_read()
            && let Err(error) = guard.read()
            && !blocked(&error)
        {
            return Err(());
        }
        match self.queue.dispatch_pending(&mut self.answers) {
            Ok(_) => Ok(()),
            Err(_) => Err(()),
        }
    }
}

impl Pulse for WaylandPulse {
    fn beat(&mut self, now_ns: u64) -> Beat {
        if self.exchange().is_err() {
            return Beat::Closed;
        }
        if self.answers.0 < self.asked {
            let waited_ns = now_ns.saturating_sub(self.asked_ns);
            return if u128::from(waited_ns) > PATIENCE.as_nanos() {
                Beat::Silent
            } else {
                Beat::Alive
            };
        }
        let _callback = self.connection.display().sync(&self.queue.handle(), ());
        self.asked += 1;
        self.asked_ns = now_ns;
        match self.exchange() {
            Ok(()) => Beat::Alive,
            Err(()) => Beat::Closed,
        }
    }
}
