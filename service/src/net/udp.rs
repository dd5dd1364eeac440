//! The wildcard video and audio sockets: they receive first pings and re-bindings, and nothing else is ever read there.
//!
//! A ping that belongs to a stream makes a connected socket for it, which is handed to the stream. Media leave through
//! that one; the wildcard never sends. Pings that come before their stream (clients ping for sound from SETUP on) are remembered.
mod table;

pub use table::{Plane, Waiting};

use super::{
    datagram::{self, Sharing},
    wake::Wake,
};
use crate::{config::Config, ids::StreamId};
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};
use std::{
    io,
    net::{IpAddr, SocketAddr, UdpSocket},
    os::fd::AsFd,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};
use table::Table;

/// Receives the connected socket that a ping led to. Called on the ping thread: it must not block.
pub type Found = Box<dyn Fn(UdpSocket, SocketAddr) + Send + Sync>;

struct Shared {
    video: UdpSocket,
    audio: UdpSocket,
    table: Mutex<Table<Target>>,
    stop: Wake,
}

/// Where a plane's pings lead.
#[derive(Clone)]
struct Target {
    found: Arc<Found>,
    /// The traffic class of the socket.
    class: Option<u8>,
}

/// The ping thread and what it looks for. Dropping it ends the thread.
pub struct Pings {
    shared: Arc<Shared>,
}

/// Pings are looked for as long as this lives.
pub struct Expectation {
    shared: Arc<Shared>,
    stream: StreamId,
}

impl Pings {
    /// Bind the video and audio ports and start the thread.
    pub fn spawn(config: &Config) -> io::Result<Self> {
        let listen = |what: &str, port: u16| {
            datagram::listen(config.bind, port, Sharing::Shared).map_err(|error| {
                let text = format!(
                    "cannot bind UDP port {port} for {what} on {}: {error}",
                    config.bind
                );
                io::Error::new(error.kind(), text)
            })
        };
        let shared = Arc::new(Shared {
            video: listen("video", config.ports.video)?,
            audio: listen("audio", config.ports.audio)?,
            table: Mutex::new(Table::default()),
            stop: Wake::new()?,
        });
        let thread = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("pings".into())
            .spawn(move || thread.run())?;
        Ok(Self { shared })
    }

    /// Look for the pings of a stream. `found` is called for the first ping of each plane and when a client moves.
    pub fn expect(
        &self,
        stream: StreamId,
        waiting: Waiting,
        class: Option<u8>,
        found: Found,
    ) -> Expectation {
        let target = Target {
            found: Arc::new(found),
            class,
        };
        let plane = waiting.plane;
        let now = Instant::now();
        let early = (self.shared.table()).insert(stream, waiting, target.clone(), now);
        if let Some((source, local)) = early {
            self.shared.lead(plane, stream, &target, source, local);
        }
        Expectation {
            shared: Arc::clone(&self.shared),
            stream,
        }
    }

    /// The ports as bound: video, audio.
    pub fn ports(&self) -> io::Result<(u16, u16)> {
        Ok((
            self.shared.video.local_addr()?.port(),
            self.shared.audio.local_addr()?.port(),
        ))
    }
}

impl Drop for Pings {
    fn drop(&mut self) {
        self.shared.stop.ring();
    }
}

impl Drop for Expectation {
    fn drop(&mut self) {
        self.shared.table().remove(self.stream);
    }
}

impl Shared {
    fn table(&self) -> MutexGuard<'_, Table<Target>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        loop {
            let mut fds = [&self.video.as_fd(), &self.audio.as_fd(), &self.stop.as_fd()]
                .map(|fd| PollFd::new(*fd, PollFlags::POLLIN));
            match poll(&mut fds, PollTimeout::NONE) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(error) => {
                    tracing::error!("the ping thread cannot wait for its sockets: {error}");
                    return;
                }
            }
            let [video, audio, stop] = fds.map(|fd| fd.any().unwrap_or(false));
            if stop {
                return;
            }
            if video {
                self.drain(Plane::Video, &self.video);
            }
            if audio {
                self.drain(Plane::Audio, &self.audio);
            }
        }
    }

    fn drain(&self, plane: Plane, socket: &UdpSocket) {
        let mut buffer = [0; 64];
        loop {
            match datagram::receive(socket, &mut buffer) {
                Ok(Some(arrived)) => {
                    let bytes = buffer.get(..arrived.len).unwrap_or_default();
                    if let Some(local) = arrived.local {
                        self.ping(plane, arrived.source, local, bytes);
                    }
                }
                Ok(None) => return,
                Err(error) => {
                    tracing::warn!("receiving pings: {error}");
                    return;
                }
            }
        }
    }

    fn ping(&self, plane: Plane, source: SocketAddr, local: IpAddr, bytes: &[u8]) {
        let source = datagram::canonical(source);
        let now = Instant::now();
        let mut table = self.table();
        let Some((stream, target)) = table.ping(plane, source, bytes, now) else {
            table.remember(plane, (source, local), bytes, now);
            return;
        };
        drop(table);
        self.lead(plane, stream, &target, source, local);
    }

    /// Make the stream's socket to `source`.
    fn lead(
        &self,
        plane: Plane,
        stream: StreamId,
        target: &Target,
        source: SocketAddr,
        local: IpAddr,
    ) {
        let socket = match plane {
            Plane::Video => &self.video,
            Plane::Audio => &self.audio,
        };
        let made = socket
            .local_addr()
            .and_then(|own| datagram::connected(local, own.port(), source, target.class));
        match made {
            Ok(connected) => {
                (target.found)(connected.socket, source);
                for stray in connected.strays {
                    self.ping(plane, stray.source, local, stray.bytes());
                }
            }
            Err(error) => {
                // Forget the destination, so that the next ping tries again.
                self.table().lost(plane, stream);
                tracing::warn!(%stream, %source, "no socket to the client could be made: {error}");
            }
        }
    }
}
