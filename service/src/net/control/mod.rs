//! The control plane: one ENet host for all streams, on a thread of its own.
//!
//! Streams are told apart by their connect data; a CONNECT with other data is dropped before ENet sees it. What a client
//! says is opened, judged and passed on by its [`session::Session`]; this module owns the thread and its timers.
mod enet;
mod input_queue;
mod merging;
mod outbox;
mod session;

use super::wake::Wake;
use crate::{config::Config, ids::StreamId, net::datagram, stream::StreamLink};
use enet::EnetTransport;
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};
pub use outbox::Outbox;
use punktfunk_core::{
    control::Iv,
    crypto::Key,
    enet::{Event, PeerId, SendError},
};
use session::Session;
use std::{
    io,
    net::SocketAddr,
    os::fd::{AsFd, BorrowedFd},
    sync::{
        Arc,
        mpsc::{self, Receiver, Sender},
    },
    time::{Duration, Instant},
};
use tokio::sync::oneshot;

/// How often silence, farewells and what a client may still hold down are looked at while there is a stream.
const TICK: Duration = Duration::from_millis(100);
/// The same while input waits for its agent.
const WAITING_TICK: Duration = Duration::from_millis(20);
/// Events handled before commands and timers get their turn.
const TURN: usize = 1024;

/// A reliable-datagram host with connections, as ENet is one. Nothing here blocks.
trait ControlTransport {
    /// Let in who connects with this data.
    fn expect(&mut self, connect_data: u32);
    /// Let nobody in with this data any more; who is connected stays.
    fn forget(&mut self, connect_data: u32);
    /// Take what has arrived; answers until there is nothing left to report, or other work deserves its turn.
    /// `vouches` tells whether a message is the peer's own and new: the proof that a peer which moved has to give.
    fn receive(
        &mut self,
        now: Instant,
        vouches: &mut dyn FnMut(PeerId, &[u8]) -> bool,
    ) -> Option<Event>;
    /// Send everything that is due.
    fn send_due(&mut self, now: Instant);
    /// When `send_due` has something to do again, at the latest.
    fn deadline(&self) -> Option<Instant>;
    /// Queue a reliable message.
    fn send(&mut self, peer: PeerId, channel: u8, payload: &[u8]) -> Result<(), SendError>;
    /// Messages that the peer has not acknowledged yet.
    fn backlog(&self, peer: PeerId) -> usize;
    /// Where the peer is.
    fn place(&self, peer: PeerId) -> Option<SocketAddr>;
    /// Disconnect when everything queued has arrived.
    fn disconnect(&mut self, peer: PeerId);
    /// Drop the connection without a word; no event follows.
    fn reset(&mut self, peer: PeerId);
    /// Readable when there is something to receive.
    fn socket(&self) -> BorrowedFd<'_>;
}

/// What the control plane needs to know of a stream.
pub struct ControlStream {
    pub connect_data: u32,
    pub key: Key,
    pub iv: Iv,
    pub link: Arc<StreamLink>,
}

enum Command {
    Expect(Box<Session>, oneshot::Sender<()>),
    End(StreamId, Option<u32>, oneshot::Sender<()>),
}

/// The control thread. Dropping it ends the thread.
pub struct Control {
    commands: Sender<Command>,
    wake: Arc<Wake>,
    port: u16,
}

/// Bind the control port and start the thread.
pub fn spawn(config: &Config) -> io::Result<Control> {
    let port = config.ports.control;
    let socket =
        datagram::listen(config.bind, port, datagram::Sharing::Exclusive).map_err(|error| {
            let hint = match error.kind() {
                io::ErrorKind::AddrInUse => {
                    "; another streaming host is running: stop it or configure other ports"
                }
                _ => "",
            };
            let text = format!(
                "cannot bind UDP port {port} for control on {}: {error}{hint}",
                config.bind
            );
            io::Error::new(error.kind(), text)
        })?;
    let port = socket.local_addr()?.port();
    let wake = Arc::new(Wake::new()?);
    let (commands, received) = mpsc::channel();
    let ring = Arc::clone(&wake);
    std::thread::Builder::new()
        .name("control".into())
        .spawn(move || {
            Plane {
                transport: EnetTransport::new(socket),
                commands: received,
                wake: ring,
                sessions: Vec::new(),
            }
            .run();
        })?;
    Ok(Control {
        commands,
        wake,
        port,
    })
}

impl Control {
    /// Let the client of this stream connect. When this answers, a CONNECT is taken.
    pub async fn expect(&self, stream: ControlStream) -> punktfunk_core::Result<()> {
        let session = Session::new(stream)?;
        let (done, taken) = oneshot::channel();
        self.command(Command::Expect(Box::new(session), done));
        let gone = |_| std::io::Error::other("the control thread is gone").into();
        taken.await.map_err(gone)
    }

    /// The box for what a stream is going to tell its client. `hdr`: it asked for HDR, and whether it gets that.
    pub fn outbox(&self, hdr: Option<bool>) -> Outbox {
        Outbox::new(Arc::clone(&self.wake), hdr)
    }

    /// End a stream's control connection; with a reason, the client is told before it is disconnected. The answer comes
    /// when the client has it, or after two seconds.
    pub fn end(&self, stream: StreamId, termination: Option<u32>) -> oneshot::Receiver<()> {
        let (done, answer) = oneshot::channel();
        self.command(Command::End(stream, termination, done));
        answer
    }

    /// The port as bound.
    pub fn port(&self) -> u16 {
        self.port
    }

    fn command(&self, command: Command) {
        // A thread that is gone drops the answer's sender, and that is answer enough.
        let _ = self.commands.send(command);
        self.wake.ring();
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        // The thread sees the closed channel when it wakes.
        let (gone, _) = mpsc::channel();
        self.commands = gone;
        self.wake.ring();
    }
}

/// What the thread owns.
struct Plane<T> {
    transport: T,
    commands: Receiver<Command>,
    wake: Arc<Wake>,
    sessions: Vec<Session>,
}

impl<T: ControlTransport> Plane<T> {
    fn run(mut self) {
        while self.obey() {
            let now = Instant::now();
            self.receive(now);
            self.tick(now);
            // The answers, and what the ticks queued.
            self.transport.send_due(now);
            if let Err(error) = self.wait() {
                tracing::error!("the control thread cannot wait for its socket: {error}");
                return;
            }
        }
    }

    fn receive(&mut self, now: Instant) {
        for _ in 0..TURN {
            let sessions = &mut self.sessions;
            let mut vouches = |peer, message: &[u8]| {
                let mut all = sessions.iter_mut();
                all.find(|session| session.peer() == Some(peer))
                    .is_some_and(|session| session.vouches(message))
            };
            match self.transport.receive(now, &mut vouches) {
                Some(event) => self.handle(event, now),
                None => return,
            }
        }
    }

    /// `false`: nobody can give commands any more.
    fn obey(&mut self) -> bool {
        loop {
            match self.commands.try_recv() {
                Ok(Command::Expect(session, taken)) => {
                    self.transport.expect(session.connect_data());
                    self.sessions.push(*session);
                    let _ = taken.send(());
                }
                Ok(Command::End(stream, termination, done)) => {
                    // Without a session, dropping `done` answers at once.
                    if let Some(session) = self.sessions.iter_mut().find(|s| s.stream() == stream) {
                        session.end(&mut self.transport, termination, done, Instant::now());
                    }
                }
                Err(mpsc::TryRecvError::Empty) => return true,
                Err(mpsc::TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn handle(&mut self, event: Event, now: Instant) {
        let lost = matches!(event, Event::Lost { .. });
        match event {
            Event::Connected { peer, connect_data } => {
                let waiting = self.sessions.iter_mut().find(|s| s.awaits(connect_data));
                match waiting {
                    Some(session) => {
                        self.transport.forget(connect_data);
                        session.connected(peer, now);
                    }
                    // Two connections with one stream's data: the first has it.
                    None => self.transport.reset(peer),
                }
            }
            Event::Received { peer, payload, .. } => {
                if let Some(session) = self.sessions.iter_mut().find(|s| s.peer() == Some(peer)) {
                    session.receive(&payload, now);
                }
            }
            Event::Moved { peer } => {
                let place = self.transport.place(peer);
                if let Some(session) = self.sessions.iter_mut().find(|s| s.peer() == Some(peer)) {
                    session.moved(place);
                }
            }
            Event::Disconnected { peer } | Event::Lost { peer } => {
                if let Some(session) = self.sessions.iter_mut().find(|s| s.peer() == Some(peer)) {
                    session.disconnected(lost);
                }
            }
        }
    }

    fn tick(&mut self, now: Instant) {
        let transport = &mut self.transport;
        self.sessions.retain_mut(|session| {
            let keep = session.tick(transport, now);
            if !keep {
                transport.forget(session.connect_data());
            }
            keep
        });
    }

    fn wait(&self) -> io::Result<()> {
        let full: Vec<_> = self
            .sessions
            .iter()
            .filter_map(Session::wants_to_write)
            .collect();
        let mut fds = vec![
            PollFd::new(self.transport.socket(), PollFlags::POLLIN),
            PollFd::new(self.wake.as_fd(), PollFlags::POLLIN),
        ];
        let writable = full.iter().map(|endpoint| endpoint.as_fd());
        fds.extend(writable.map(|fd| PollFd::new(fd, PollFlags::POLLOUT)));
        let pace = if full.is_empty() { TICK } else { WAITING_TICK };
        let tick = (!self.sessions.is_empty()).then_some(pace);
        let now = Instant::now();
        let due = self.transport.deadline();
        let due = due.map(|due| due.saturating_duration_since(now));
        let timeout = match [tick, due].into_iter().flatten().min() {
            // Rounded up: what is due in half a millisecond is not due now.
            Some(wait) => {
                let ms = wait.as_micros().div_ceil(1000);
                PollTimeout::try_from(ms).unwrap_or(PollTimeout::MAX)
            }
            None => PollTimeout::NONE,
        };
        match poll(&mut fds, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        self.wake.clear();
        Ok(())
    }
}
