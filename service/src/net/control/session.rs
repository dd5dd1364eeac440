//! One stream's side of the control plane: what its client says, what it is told, and how the connection ends.
use super::{
    ControlStream, ControlTransport,
    input_queue::{InputQueue, Stalled},
};
use crate::{
    gamepads::PadPort,
    ids::StreamId,
    stream::{InputKind, StopReason, StreamLink},
};
use punktfunk_core::{
    Role,
    control::{ClientMessage, HostMessage, Opener, Sealer},
    enet::PeerId,
    input::{self, InputEvent},
};
use punktfunk_dbus::channel::{Endpoint, message::Held};
use std::{
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};
use tokio::sync::oneshot;

/// A client is given up when it says nothing that can be opened for this long. It pings every 100 ms.
const SILENCE: Duration = Duration::from_secs(10);
/// How long a client has to take its termination and say good-bye.
const FAREWELL: Duration = Duration::from_secs(2);
/// Generic channel.
const CHANNEL: u8 = 0;
/// Messages that the client may leave unacknowledged before further ones wait in the outbox, where newer ones take the
/// place of older ones.
const BACKLOG: usize = 32;

pub(super) struct Session {
    connect_data: u32,
    link: Arc<StreamLink>,
    opener: Opener,
    sealer: Sealer,
    input: InputQueue,
    /// The session that `input` and `holds` are about.
    session: u64,
    /// What the client may hold down: it has sent such events since it last lost the permission for them.
    holds: Held,
    connection: Connection,
    /// The client has said that it takes rumble, or that it has a controller.
    motors: bool,
}

enum Connection {
    /// The client has not connected yet.
    Awaited,
    Up {
        peer: PeerId,
        heard: Instant,
    },
    /// Told to go; `done` is dropped with the session.
    Ending {
        peer: PeerId,
        until: Instant,
        _done: oneshot::Sender<()>,
    },
    Gone,
}

impl Session {
    pub(super) fn new(stream: ControlStream) -> punktfunk_core::Result<Self> {
        Ok(Self {
            connect_data: stream.connect_data,
            opener: Opener::new(&stream.key, stream.iv, Role::Client)?,
            sealer: Sealer::new(&stream.key, stream.iv, Role::Host)?,
            link: stream.link,
            input: InputQueue::default(),
            session: 0,
            holds: Held::default(),
            connection: Connection::Awaited,
            motors: false,
        })
    }

    pub(super) fn stream(&self) -> StreamId {
        self.link.id()
    }

    pub(super) fn connect_data(&self) -> u32 {
        self.connect_data
    }

    pub(super) fn awaits(&self, connect_data: u32) -> bool {
        self.connect_data == connect_data && matches!(self.connection, Connection::Awaited)
    }

    pub(super) fn peer(&self) -> Option<PeerId> {
        match self.connection {
            Connection::Up { peer, .. } | Connection::Ending { peer, .. } => Some(peer),
            Connection::Awaited | Connection::Gone => None,
        }
    }

    pub(super) fn connected(&mut self, peer: PeerId, now: Instant) {
        tracing::debug!(stream = %self.stream(), "the control connection is up");
        self.connection = Connection::Up { peer, heard: now };
        self.link.control_up();
    }

    /// The connection ended; `lost`: because the client answers nothing any more.
    pub(super) fn disconnected(&mut self, lost: bool) {
        if let Connection::Up { .. } = self.connection {
            self.link.end(if lost {
                StopReason::ControlLost
            } else {
                StopReason::ClientLeft
            });
        }
        self.connection = Connection::Gone;
    }

    /// Whether this is a message of the client that was not received before.
    pub(super) fn vouches(&mut self, packet: &[u8]) -> bool {
        self.opener.vouches(packet)
    }

    /// The client has another address, and proved that it is the client.
    pub(super) fn moved(&self, place: Option<SocketAddr>) {
        let before = self
            .link
            .statistics()
            .control_moved
            .fetch_add(1, Ordering::Relaxed);
        if before == 0 {
            let place = place.map_or_else(String::new, |place| place.to_string());
            tracing::info!(stream = %self.stream(), client = place, "the control connection follows the client to its new address");
        }
    }

    /// A message of the client, still sealed.
    pub(super) fn receive(&mut self, packet: &[u8], now: Instant) {
        let Connection::Up { heard, .. } = &mut self.connection else {
            return;
        };
        let statistics = self.link.statistics();
        let plain = match self.opener.open(packet) {
            Ok(plain) => plain,
            Err(error) => {
                let before = statistics.control_refused.fetch_add(1, Ordering::Relaxed);
                if before == 0 {
                    tracing::warn!(stream = %self.link.id(), "a control message was dropped: {error} (further ones are only counted)");
                }
                return;
            }
        };
        *heard = now;
        match ClientMessage::parse(plain.kind, plain.payload) {
            Ok(ClientMessage::RequestIdr) => {
                statistics.idr_requests.fetch_add(1, Ordering::Relaxed);
                self.link.request_key_frame();
            }
            Ok(ClientMessage::InvalidateReferences { first, last }) => {
                statistics.rfi_requests.fetch_add(1, Ordering::Relaxed);
                self.link.references_lost(first, last);
            }
            Ok(ClientMessage::FecStatus(status)) => {
                statistics
                    .fec_packets_reported
                    .fetch_add(u64::from(status.seen()), Ordering::Relaxed);
                statistics
                    .fec_packets_lost
                    .fetch_add(u64::from(status.lost()), Ordering::Relaxed);
                let outcome = if status.repaired() {
                    &statistics.fec_blocks_repaired
                } else {
                    &statistics.fec_blocks_lost
                };
                outcome.fetch_add(1, Ordering::Relaxed);
            }
            Ok(ClientMessage::Input(bytes)) => match input::decode(bytes) {
                Ok(event) if PadPort::concerns(&event) => {
                    self.motors |= wants_motors(&event);
                    let count = match self.link.gamepad(event) {
                        true => &statistics.input_events,
                        false => &statistics.input_refused,
                    };
                    count.fetch_add(1, Ordering::Relaxed);
                }
                Ok(event) => {
                    self.motors |= wants_motors(&event);
                    self.pass_on(event, now);
                }
                Err(error) => {
                    tracing::debug!(stream = %self.link.id(), "an input packet was ignored: {error}")
                }
            },
            Ok(ClientMessage::Unknown(kind)) => {
                if statistics.control_unknown.fetch_add(1, Ordering::Relaxed) == 0 {
                    tracing::debug!(stream = %self.link.id(), "a control message of the unknown type {kind:#06x} was ignored (further ones are only counted)");
                }
            }
            // They mean that the client is there, and that was noted above.
            Ok(_) => {}
            Err(error) => {
                let before = statistics.control_refused.fetch_add(1, Ordering::Relaxed);
                if before == 0 {
                    tracing::debug!(stream = %self.link.id(), "a control message was ignored: {error}");
                }
            }
        }
    }

    /// Hand an event to the session, if the client may.
    fn pass_on(&mut self, event: InputEvent, now: Instant) {
        self.let_go(now);
        // Before the permission is looked at: what may be pressed in the next session must not reach the last one's.
        let endpoint = self.endpoint();
        let statistics = self.link.statistics();
        let kind = InputKind::of(&event);
        if !self.link.may(kind) {
            statistics.input_refused.fetch_add(1, Ordering::Relaxed);
            return;
        }
        statistics.input_events.fetch_add(1, Ordering::Relaxed);
        match kind {
            InputKind::Pointer => self.holds.pointer = true,
            InputKind::Keyboard => self.holds.keyboard = true,
            InputKind::Gamepad => {}
        }
        let pushed = self.input.push(event, endpoint.as_ref(), now);
        self.judge(pushed);
    }

    /// Where input goes now. What waits for, or is held down in, another session is not for this one.
    fn endpoint(&mut self) -> Arc<Endpoint> {
        let (session, endpoint) = self.link.endpoint();
        if std::mem::replace(&mut self.session, session) != session {
            self.input = InputQueue::default();
        }
        endpoint
    }

    /// Release what is pressed with a permission that the client has no longer, or behind a lock that has come down.
    fn let_go(&mut self, now: Instant) {
        let may = self.link.may_press();
        let lost = Held {
            pointer: self.holds.pointer && !may.pointer,
            keyboard: self.holds.keyboard && !may.keyboard,
        };
        if lost.any() {
            self.holds.pointer &= may.pointer;
            self.holds.keyboard &= may.keyboard;
            let endpoint = self.endpoint();
            let released = self.input.release(lost, endpoint.as_ref(), now);
            self.judge(released);
        }
    }

    /// Send what others left for the client.
    fn empty_outbox(&mut self, transport: &mut impl ControlTransport) {
        let Connection::Up { peer, .. } = self.connection else {
            return;
        };
        while transport.backlog(peer) < BACKLOG {
            let Some(message) = self.link.outbox().take(self.motors) else {
                return;
            };
            self.send(transport, peer, &message);
        }
    }

    fn send(&mut self, transport: &mut impl ControlTransport, peer: PeerId, message: &HostMessage) {
        let (kind, payload) = message.encode();
        let sealed = match self.sealer.seal(kind, &payload) {
            Ok(sealed) => sealed,
            Err(error) => {
                tracing::warn!(stream = %self.stream(), "a control message could not be sealed: {error}");
                return;
            }
        };
        if let Err(error) = transport.send(peer, CHANNEL, &sealed) {
            tracing::debug!(stream = %self.stream(), "a control message was not sent: {error}");
        }
    }

    /// Tell the client why (if there is a reason to tell), then let it go.
    pub(super) fn end(
        &mut self,
        transport: &mut impl ControlTransport,
        termination: Option<u32>,
        done: oneshot::Sender<()>,
        now: Instant,
    ) {
        let Connection::Up { peer, .. } = self.connection else {
            if !matches!(self.connection, Connection::Ending { .. }) {
                self.connection = Connection::Gone;
            }
            return;
        };
        if let Some(reason) = termination {
            self.send(transport, peer, &HostMessage::Termination { reason });
        }
        transport.disconnect(peer);
        let until = now.checked_add(FAREWELL).unwrap_or(now);
        self.connection = Connection::Ending {
            peer,
            until,
            _done: done,
        };
    }

    /// What time alone brings about. `false`: this session is over.
    pub(super) fn tick(&mut self, transport: &mut impl ControlTransport, now: Instant) -> bool {
        match self.connection {
            Connection::Awaited => true,
            Connection::Gone => false,
            Connection::Ending { peer, until, .. } => {
                let over = now >= until;
                if over {
                    transport.reset(peer);
                }
                !over
            }
            Connection::Up { peer, heard } => {
                if now.saturating_duration_since(heard) >= SILENCE {
                    self.link.end(StopReason::ControlLost);
                    transport.reset(peer);
                    self.connection = Connection::Gone;
                    return false;
                }
                self.let_go(now);
                if !self.input.is_empty() {
                    let endpoint = self.endpoint();
                    let flushed = self.input.flush(endpoint.as_ref(), now);
                    self.judge(flushed);
                }
                self.empty_outbox(transport);
                true
            }
        }
    }

    /// The agent's socket, while events wait for it.
    pub(super) fn wants_to_write(&self) -> Option<Arc<Endpoint>> {
        let waiting = !self.input.is_empty() && matches!(self.connection, Connection::Up { .. });
        waiting.then(|| self.link.endpoint().1)
    }

    fn judge(&self, outcome: Result<(), Stalled>) {
        if outcome == Err(Stalled) {
            self.link
                .end(StopReason::AgentFailed("it takes no input".into()));
        }
    }
}

/// Clients announce that they take rumble, and whoever sends a controller's events has one.
fn wants_motors(event: &InputEvent) -> bool {
    matches!(
        event,
        InputEvent::EnableHaptics { enabled: true }
            | InputEvent::Controller(_)
            | InputEvent::ControllerArrival { .. }
    )
}
