//! Connections to the session's Wayland compositor, driven from an async runtime.
//!
//! A connection is served until what was promised has come; the outputs of the session are known by name. What is asked
//! of the compositor, each source and capture says.

mod outputs;

pub use outputs::Outputs;

use std::{
    io,
    os::{fd::AsFd, unix::net::UnixStream as StdStream},
};

use tokio::{io::Interest, net::UnixStream};
use wayland_client::{Connection, DispatchError, EventQueue, backend::WaylandError};

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
