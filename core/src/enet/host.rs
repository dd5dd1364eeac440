//! All connections of one socket.
use super::{
    MAX_EVENTS, MAX_PEERS,
    admission::Admission,
    framing::{Body, Command, Connect, Datagram, NO_PEER},
    peer::{NO_SESSION, Outcome, Peer, State},
};
use std::{collections::VecDeque, time::Duration};

/// A connection; given out again some time after its end was reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub u16);

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A client is connected, with connect data that was expected.
    Connected { peer: PeerId, connect_data: u32 },
    /// A message, as it was sent.
    Received {
        peer: PeerId,
        channel: u8,
        payload: Vec<u8>,
    },
    /// The peer has another address now, and proved it.
    Moved { peer: PeerId },
    /// The peer left, or took our good-bye.
    Disconnected { peer: PeerId },
    /// The peer answers nothing any more.
    Lost { peer: PeerId },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    #[error("there is no such connection")]
    Gone,
    #[error("the message does not fit a datagram")]
    TooLong,
    #[error("too much waits for the peer's acknowledgement")]
    Full,
}

/// A place for a peer, with the session numbers that its last one had.
#[derive(Debug)]
struct Slot<A> {
    peer: Option<Peer<A>>,
    sessions: (u8, u8),
}

/// The connections of one socket. `A` is where a peer is, in the caller's terms.
#[derive(Debug)]
pub struct Host<A> {
    slots: Vec<Slot<A>>,
    admission: Admission<A>,
    events: VecDeque<Event>,
    /// Where to look for a free place next: a number rests as long as possible before it is used again.
    turn: usize,
}

impl<A: Clone + PartialEq> Default for Host<A> {
    fn default() -> Self {
        Self::new()
    }
}

impl<A: Clone + PartialEq> Host<A> {
    pub fn new() -> Self {
        let slot = || Slot {
            peer: None,
            sessions: (NO_SESSION, NO_SESSION),
        };
        Self {
            slots: std::iter::repeat_with(slot).take(MAX_PEERS).collect(),
            admission: Admission::default(),
            events: VecDeque::new(),
            turn: 0,
        }
    }

    /// Let in who connects with this data.
    pub fn expect(&mut self, connect_data: u32) {
        self.admission.expect(connect_data);
    }

    /// Let nobody in with this data any more; who is connected stays.
    pub fn forget(&mut self, connect_data: u32) {
        self.admission.forget(connect_data);
        for slot in &mut self.slots {
            let half_open = slot.peer.as_ref().is_some_and(|peer| {
                peer.connect_data == connect_data && peer.state == State::HalfOpen
            });
            if half_open {
                slot.peer = None;
            }
        }
    }

    /// A datagram has arrived. `vouches` answers whether a message is certainly this peer's own, and was never received
    /// before; it is asked for datagrams from an address that is not the peer's.
    pub fn receive(
        &mut self,
        now: Duration,
        from: &A,
        bytes: &[u8],
        vouches: &mut dyn FnMut(PeerId, &[u8]) -> bool,
    ) {
        if self.events.len() >= MAX_EVENTS {
            return;
        }
        let Some(datagram) = Datagram::parse(bytes) else {
            return;
        };
        if datagram.header.peer == NO_PEER {
            let mut commands = datagram.commands();
            if let (
                Some(Command {
                    body: Body::Connect(wish),
                    ..
                }),
                None,
            ) = (commands.next(), commands.next())
            {
                self.connect(now, from, &wish);
            }
            return;
        }
        let id = PeerId(datagram.header.peer);
        let Some(peer) = slot(&mut self.slots, id).and_then(|slot| slot.peer.as_mut()) else {
            return;
        };
        if datagram.header.session != peer.incoming_session {
            return;
        }
        if peer.address != *from {
            let own = |command: Command<'_>| match command.body {
                Body::Reliable(payload)
                | Body::Unreliable { payload, .. }
                | Body::Unsequenced { payload, .. } => vouches(id, payload),
                _ => false,
            };
            if !peer.is_up() || !datagram.commands().any(own) {
                return;
            }
            peer.address = from.clone();
            self.events.push_back(Event::Moved { peer: id });
        }
        let mut outcomes = Vec::new();
        for command in datagram.commands() {
            peer.handle(now, &datagram.header, &command, &mut outcomes);
        }
        let connect_data = peer.connect_data;
        self.events
            .extend(outcomes.into_iter().map(|outcome| match outcome {
                Outcome::Connected => Event::Connected {
                    peer: id,
                    connect_data,
                },
                Outcome::Received { channel, payload } => Event::Received {
                    peer: id,
                    channel,
                    payload,
                },
                Outcome::Disconnected => Event::Disconnected { peer: id },
            }));
    }

    fn connect(&mut self, now: Duration, from: &A, wish: &Connect) {
        let mut peers = self.slots.iter_mut().filter_map(|slot| slot.peer.as_mut());
        let earlier = peers.find(|peer| {
            (peer.connect_id, peer.connect_data) == (wish.connect_id, wish.data)
                && peer.address == *from
        });
        if let Some(peer) = earlier {
            if peer.state == State::HalfOpen {
                peer.asked_again(now);
            }
            return;
        }
        if !self.admission.admits(from, wish.connect_id, wish.data) {
            return;
        }
        let free = |slot: &Slot<A>| slot.peer.is_none();
        let after = self.slots.iter().skip(self.turn).position(free);
        let index = match after.and_then(|at| at.checked_add(self.turn)) {
            Some(index) => index,
            None => match self.slots.iter().position(free) {
                Some(index) => index,
                None => return,
            },
        };
        let (Some(slot), Ok(number)) = (self.slots.get_mut(index), u16::try_from(index)) else {
            return;
        };
        let (incoming, outgoing) = slot.sessions;
        // Two bits, other ones than last time, and other ones in each direction's turn.
        let fresh = |wished: u8, last: u8| {
            let base = if wished == NO_SESSION { last } else { wished };
            let next = base.wrapping_add(1) & 3;
            if next == last {
                next.wrapping_add(1) & 3
            } else {
                next
            }
        };
        let sessions = (
            fresh(wish.outgoing_session, incoming),
            fresh(wish.incoming_session, outgoing),
        );
        if let Some(peer) = Peer::new(now, from.clone(), number, sessions, wish) {
            slot.sessions = sessions;
            slot.peer = Some(peer);
            self.turn = index.wrapping_add(1);
        }
    }

    /// What happened, in its order.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Let time do its part: signs of life, time-outs, good-byes whose turn has come.
    pub fn tick(&mut self, now: Duration) {
        for (index, slot) in self.slots.iter_mut().enumerate() {
            let Some(peer) = &mut slot.peer else {
                continue;
            };
            if peer.tick(now) {
                continue;
            }
            let known = !matches!(peer.state, State::HalfOpen | State::Closed { .. });
            slot.peer = None;
            if let (true, Ok(number)) = (known, u16::try_from(index)) {
                let peer = PeerId(number);
                self.events.push_back(Event::Lost { peer });
            }
        }
    }

    /// Write the next datagram into `out` and answer where it goes. `None`: nothing is due.
    pub fn transmit(&mut self, now: Duration, out: &mut Vec<u8>) -> Option<A> {
        let mut peers = self.slots.iter_mut().filter_map(|slot| slot.peer.as_mut());
        peers.find_map(|peer| peer.write(now, out).then(|| peer.address.clone()))
    }

    /// When [`Self::tick`] and [`Self::transmit`] have something to do at the latest, if nothing arrives.
    pub fn deadline(&self) -> Option<Duration> {
        let peers = self.slots.iter().filter_map(|slot| slot.peer.as_ref());
        peers.map(Peer::deadline).min()
    }

    /// Queue a reliable message.
    ///
    /// # Errors
    /// A connection that is not up, a message longer than a datagram holds, or too many that are not acknowledged.
    pub fn send(&mut self, peer: PeerId, channel: u8, payload: &[u8]) -> Result<(), SendError> {
        let peer = self.peer(peer).filter(|peer| peer.state == State::Up);
        let peer = peer.ok_or(SendError::Gone)?;
        if payload.len() > peer.room() {
            return Err(SendError::TooLong);
        }
        peer.send(channel, payload)
            .then_some(())
            .ok_or(SendError::Full)
    }

    /// Messages to this peer that are not acknowledged yet.
    pub fn backlog(&self, peer: PeerId) -> usize {
        let slot = self.slots.get(usize::from(peer.0));
        slot.and_then(|slot| slot.peer.as_ref())
            .map_or(0, Peer::backlog)
    }

    /// Where the peer is now.
    pub fn address(&self, peer: PeerId) -> Option<&A> {
        let slot = self.slots.get(usize::from(peer.0))?;
        slot.peer.as_ref().map(|peer| &peer.address)
    }

    /// Disconnect when everything queued has arrived; then the event follows.
    pub fn disconnect(&mut self, peer: PeerId) {
        if let Some(peer) = self.peer(peer) {
            peer.disconnect();
        }
    }

    /// Drop the connection without a word; no event follows.
    pub fn reset(&mut self, peer: PeerId) {
        if let Some(slot) = slot(&mut self.slots, peer) {
            slot.peer = None;
        }
    }

    /// Bytes of this peer's messages that wait for others.
    #[cfg(test)]
    pub(super) fn kept(&mut self, peer: PeerId) -> usize {
        self.peer(peer).map_or(0, |peer| peer.kept())
    }

    fn peer(&mut self, id: PeerId) -> Option<&mut Peer<A>> {
        slot(&mut self.slots, id)?.peer.as_mut()
    }
}

fn slot<A>(slots: &mut [Slot<A>], id: PeerId) -> Option<&mut Slot<A>> {
    slots.get_mut(usize::from(id.0))
}
