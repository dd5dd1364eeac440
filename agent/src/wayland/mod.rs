//! Connections to the session's Wayland compositor, driven from an async runtime.
//!
//! A connection is served until what was promised has come; the outputs of the session are known by name. What is asked
//! of the compositor, each source and capture says.

mod outputs;

pub use outputs::Outputs;

use std::{
    io,
    os::{fd::AsFd, unix::net::UnixStream as StdStream},
    time::{Duration, Instant},
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::{io::Interest, net::UnixStream};
use wayland_client::{
    Connection, Dispatch, DispatchError, EventQueue, QueueHandle,
    backend::WaylandError,
    protocol::wl_callback::{self, WlCallback},
};

use crate::source::detection;

/// How long a compositor may take for its first answer. Busy ones have been seen to take a second.
const ANSWER_LIMIT: Duration = Duration::from_secs(4);

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("no Wayland compositor answers in this session's runtime directory")]
    NoSocket,
    #[error("the compositor takes connections and does not answer within {} s; it hangs or was stopped", .0.as_secs())]
    Silent(Duration),
    #[error(transparent)]
    Ended(#[from] WaylandEnd),
}

/// Connect to the session's compositor. It has answered once when this returns: the client library's own round trips wait
/// without a limit, and a compositor that hangs must hold nobody up.
///
/// # Errors
/// [`ConnectError`].
pub fn connect() -> Result<Connection, ConnectError> {
    #[cfg(test)]
    if let Some(socket) = DOUBLE.with_borrow(|double| double.as_ref().map(|double| double())) {
        return answered(socket, 15 * ANSWER_LIMIT);
    }
    let socket = detection::wayland_socket().ok_or(ConnectError::NoSocket)?;
    answered(socket, ANSWER_LIMIT)
}

#[cfg(test)]
type Double = Box<dyn Fn() -> StdStream>;

#[cfg(test)]
thread_local! {
    /// What a test has put in the place of the session's compositor, for its own thread.
    pub static DOUBLE: std::cell::RefCell<Option<Double>> = const { std::cell::RefCell::new(None) };
}

fn answered(socket: StdStream, limit: Duration) -> Result<Connection, ConnectError> {
    let closed = |error: &dyn std::fmt::Display| WaylandEnd::Closed(error.to_string());
    let connection = Connection::from_socket(socket).map_err(|error| closed(&error))?;
    let mut queue = connection.new_event_queue::<Answer>();
    let mut answer = Answer(false);
    let _callback = connection.display().sync(&queue.handle(), ());
    let end = Instant::now() + limit;
    loop {
        queue
            .dispatch_pending(&mut answer)
            .map_err(WaylandEnd::from)?;
        if answer.0 {
            return Ok(connection);
        }
        connection.flush().map_err(WaylandEnd::from)?;
        let Some(guard) = connection.prepare_read() else {
            continue;
        };
        let left = end.saturating_duration_since(Instant::now());
        let mut fds = [PollFd::new(guard.connection_fd(), PollFlags::POLLIN)];
        // rounded up, so that the last wait is not one of no time
        let wait =
            PollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX);
        match poll(&mut fds, wait) {
            _ if left.is_zero() => return Err(ConnectError::Silent(limit)),
            Ok(0) | Err(nix::errno::Errno::EINTR) => continue,
            Ok(_) => {}
            Err(error) => return Err(WaylandEnd::Wait(error.into()).into()),
        }
        match guard.read() {
            Ok(_) => {}
            Err(WaylandError::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(WaylandEnd::from(error).into()),
        }
    }
}

struct Answer(bool);

impl Dispatch<WlCallback, ()> for Answer {
    fn event(
        answer: &mut Self,
        _: &WlCallback,
        event: wl_callback::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        answer.0 |= matches!(event, wl_callback::Event::Done { .. });
    }
}

/// Why the compositor says nothing any more.
#[derive(Debug, thiserror::Error)]
pub enum WaylandEnd {
    #[error("the compositor closed the connection: {0}")]
    Closed(String),
    #[error("the compositor's connection cannot be waited for: {0}")]
    Wait(#[from] io::Error),
}

impl From<WaylandError> for WaylandEnd {
    fn from(error: WaylandError) -> Self {
        Self::Closed(error.to_string())
    }
}

impl From<DispatchError> for WaylandEnd {
    fn from(error: DispatchError) -> Self {
        Self::Closed(error.to_string())
    }
}

/// A connection with one queue of events.
pub struct Wayland<S> {
    /// A second descriptor of the connection's socket, to wait with.
    socket: UnixStream,
    queue: EventQueue<S>,
    connection: Connection,
}

impl<S: 'static> Wayland<S> {
    /// Take over a connection. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// A descriptor that cannot be waited for.
    pub fn new(connection: Connection, queue: EventQueue<S>) -> io::Result<Self> {
        let socket = StdStream::from(connection.as_fd().try_clone_to_owned()?);
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket: UnixStream::from_std(socket)?,
            queue,
            connection,
        })
    }

    /// Serve the connection until `done` answers something.
    ///
    /// # Errors
    /// [`WaylandEnd`], also for a compositor that ends or that saw an error of ours.
    pub async fn until<T>(
        &mut self,
        state: &mut S,
        mut done: impl FnMut(&mut S) -> Option<T>,
    ) -> Result<T, WaylandEnd> {
        loop {
            self.queue.dispatch_pending(state)?;
            if let Some(answer) = done(state) {
                return Ok(answer);
            }
            match self.connection.flush() {
                Ok(()) => {}
                Err(WaylandError::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
            self.socket.readable().await?;
            // None: events were read meanwhile and wait to be dispatched.
            let Some(guard) = self.connection.prepare_read() else {
                continue;
            };
            let mut end = None;
            // Tells the runtime when the socket is empty; until then it counts as readable.
            self.socket
                .try_io(Interest::READABLE, || match guard.read() {
                    Ok(_) => Ok(()),
                    Err(WaylandError::Io(error)) => Err(error),
                    Err(error) => {
                        end = Some(error);
                        Ok(())
                    }
                })
                .or_else(|error| match error.kind() {
                    io::ErrorKind::WouldBlock => Ok(()),
                    _ => Err(error),
                })?;
            if let Some(end) = end {
                return Err(end.into());
            }
        }
    }

    /// Send what is queued, as far as the socket takes it.
    pub fn flush(&self) {
        let _ = self.connection.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compositor_that_never_answers_holds_nobody_up() {
        let (ours, _theirs) = StdStream::pair().unwrap();
        let error = answered(ours, Duration::from_millis(50)).unwrap_err();
        assert!(matches!(error, ConnectError::Silent(_)), "{error}");
    }

    #[test]
    fn a_compositor_that_is_gone_is_told_from_one_that_hangs() {
        let (ours, theirs) = StdStream::pair().unwrap();
        drop(theirs);
        let error = answered(ours, Duration::from_secs(60)).unwrap_err();
        assert!(matches!(error, ConnectError::Ended(_)), "{error}");
    }
}
