//! One connection: what its datagrams do, and what is sent in answer.
use super::{
    FAREWELL, MAX_ACKS, MAX_CHANNELS, MIN_MTU, MTU, PING, TIMEOUT,
    channel::{Channel, Held, Verdict},
    framing::{Body, CONNECTION, Command, Connect, Header, NO_PEER},
    outgoing::Outgoing,
    round_trip::RoundTrip,
    unsequenced::Unsequenced,
};
use std::{collections::VecDeque, time::Duration};

/// Commands in one datagram of ours; a receiver need not take more.
const MAX_COMMANDS: usize = 32;
/// Answers to a CONNECT are at least this far apart.
const REPEAT: Duration = Duration::from_millis(50);
/// Bytes of an acknowledgement.
const ACK: usize = 8;
const MIN_WINDOW: u32 = 4096;
const MAX_WINDOW: u32 = 65_536;
/// Session numbers have two bits; this stands for "none so far".
pub(super) const NO_SESSION: u8 = 0xFF;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// The peer has asked, and was answered.
    HalfOpen,
    Up,
    /// Disconnects when everything sent has arrived.
    Leaving,
    /// The good-bye is under way.
    Disconnecting,
    /// The peer said good-bye, or took ours: repeats are acknowledged until then.
    Closed {
        until: Duration,
    },
}

/// What a datagram brought about.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Connected,
    Received { channel: u8, payload: Vec<u8> },
    Disconnected,
}

#[derive(Debug, Clone, Copy)]
struct Ack {
    channel: u8,
    sequence: u16,
    sent_time: u16,
}

#[derive(Debug)]
pub(super) struct Peer<A> {
    pub(super) address: A,
    pub(super) state: State,
    pub(super) connect_id: u32,
    pub(super) connect_data: u32,
    /// What the peer calls itself.
    remote: u16,
    /// In the headers that the peer sends, and in ours.
    pub(super) incoming_session: u8,
    pub(super) outgoing_session: u8,
    mtu: usize,
    channels: Vec<Channel>,
    /// The last number given on each channel, and for the connection itself.
    sent: Vec<u16>,
    sent_control: u16,
    held: Held,
    unsequenced: Unsequenced,
    acks: VecDeque<Ack>,
    outgoing: Outgoing,
    round_trip: RoundTrip,
    /// When the peer was heard (or was asked for a sign of life) last.
    heard: Duration,
    born: Duration,
}

impl<A> Peer<A> {
    /// The answer to a CONNECT. `number` is what the peer is to call us by. `None` for wishes that cannot be met.
    pub(super) fn new(
        now: Duration,
        address: A,
        number: u16,
        sessions: (u8, u8),
        wish: &Connect,
    ) -> Option<Self> {
        let channels = u8::try_from(wish.channels)
            .unwrap_or(u8::MAX)
            .min(MAX_CHANNELS);
        if wish.peer >= NO_PEER || channels == 0 {
            return None;
        }
        let mtu = usize::try_from(wish.mtu).unwrap_or(MTU).clamp(MIN_MTU, MTU);
        let (incoming_session, outgoing_session) = sessions;
        let mut peer = Self {
            address,
            state: State::HalfOpen,
            connect_id: wish.connect_id,
            connect_data: wish.data,
            remote: wish.peer,
            incoming_session,
            outgoing_session,
            mtu,
            channels: (0..channels).map(|_| Channel::default()).collect(),
            sent: vec![0; usize::from(channels)],
            sent_control: 0,
            held: Held::default(),
            unsequenced: Unsequenced::default(),
            acks: VecDeque::new(),
            outgoing: Outgoing::default(),
            round_trip: RoundTrip::default(),
            heard: now,
            born: now,
        };
        peer.control(Body::VerifyConnect(Connect {
            peer: number,
            // From the peer's side: what it receives is what we send.
            incoming_session: outgoing_session,
            outgoing_session: incoming_session,
            mtu: u32::try_from(mtu).unwrap_or(u32::MAX),
            window: wish.window.clamp(MIN_WINDOW, MAX_WINDOW),
            channels: u32::from(channels),
            incoming_bandwidth: 0,
            outgoing_bandwidth: 0,
            ..*wish
        }));
        Some(peer)
    }

    /// Queue a command about the connection itself.
    fn control(&mut self, body: Body<'_>) -> bool {
        self.sent_control = self.sent_control.wrapping_add(1);
        self.outgoing.push(&Command {
            acknowledge: true,
            channel: CONNECTION,
            sequence: self.sent_control,
            body,
        })
    }

    pub(super) fn is_up(&self) -> bool {
        matches!(self.state, State::Up | State::Leaving)
    }

    /// A repeated CONNECT: the answer may be lost.
    pub(super) fn asked_again(&mut self, now: Duration) {
        if let Some(before) = now.checked_sub(REPEAT) {
            self.outgoing.repeat(now, before);
        }
    }

    /// One command of a datagram that is the peer's.
    pub(super) fn handle(
        &mut self,
        now: Duration,
        header: &Header,
        command: &Command<'_>,
        outcomes: &mut Vec<Outcome>,
    ) {
        if let State::Closed { .. } = self.state {
            if let (Body::Disconnect { .. }, true) = (command.body, command.acknowledge) {
                self.acknowledge(header, command);
            }
            return;
        }
        self.heard = now;
        if self.state == State::HalfOpen && self.confirms(command) {
            if !matches!(command.body, Body::Acknowledge { .. }) {
                // The acknowledgement is lost, and is not needed any more.
                self.outgoing.clear();
            }
            self.state = State::Up;
            outcomes.push(Outcome::Connected);
        }
        let verdict = match command.body {
            Body::Acknowledge {
                sequence,
                sent_time,
            } => {
                self.acknowledged(now, command.channel, sequence, sent_time, outcomes);
                Verdict::Refused
            }
            Body::Disconnect { .. } => {
                self.close(now, outcomes);
                Verdict::Taken
            }
            Body::Ping | Body::BandwidthLimit { .. } | Body::ThrottleConfigure { .. } => {
                Verdict::Taken
            }
            Body::Connect(_) | Body::VerifyConnect(_) => Verdict::Refused,
            _ if !self.is_up() => Verdict::Refused,
            _ => self.message(command, outcomes),
        };
        let silent = matches!(self.state, State::HalfOpen | State::Disconnecting);
        if verdict == Verdict::Taken && command.acknowledge && !silent {
            self.acknowledge(header, command);
        }
    }

    /// Whether a peer that says this has our answer to its CONNECT.
    fn confirms(&self, command: &Command<'_>) -> bool {
        match command.body {
            Body::Acknowledge { sequence, .. } => {
                command.channel == CONNECTION && sequence == self.sent_control
            }
            Body::Connect(_) | Body::VerifyConnect(_) | Body::Disconnect { .. } => false,
            _ => true,
        }
    }

    fn message(&mut self, command: &Command<'_>, outcomes: &mut Vec<Outcome>) -> Verdict {
        let (number, sequence) = (command.channel, command.sequence);
        let Some(channel) = self.channels.get_mut(usize::from(number)) else {
            return Verdict::Refused;
        };
        let (held, mut out) = (&mut self.held, Vec::new());
        let verdict = match command.body {
            Body::Reliable(payload) => channel.reliable(sequence, payload, held, &mut out),
            Body::Fragment(fragment) => channel.fragment(sequence, &fragment, held, &mut out),
            Body::Unreliable {
                sequence: unreliable,
                payload,
            } => {
                channel.unreliable(sequence, unreliable, payload, held, &mut out);
                Verdict::Taken
            }
            Body::UnreliableFragment(fragment) => {
                channel.unreliable_fragment(sequence, &fragment, held, &mut out);
                Verdict::Taken
            }
            Body::Unsequenced { group, payload } => {
                if self.unsequenced.accept(group) {
                    out.push(payload.to_vec());
                }
                Verdict::Taken
            }
            _ => Verdict::Refused,
        };
        outcomes.extend(out.into_iter().map(|payload| Outcome::Received {
            channel: number,
            payload,
        }));
        verdict
    }

    fn acknowledge(&mut self, header: &Header, command: &Command<'_>) {
        // Without the sender's clock there is nothing to answer with.
        if let Some(sent_time) = header.sent_time
            && self.acks.len() < MAX_ACKS
        {
            self.acks.push_back(Ack {
                channel: command.channel,
                sequence: command.sequence,
                sent_time,
            });
        }
    }

    fn acknowledged(
        &mut self,
        now: Duration,
        channel: u8,
        sequence: u16,
        sent_time: u16,
        outcomes: &mut Vec<Outcome>,
    ) {
        let Some(farewell) = self.outgoing.acknowledged(channel, sequence) else {
            return;
        };
        let elapsed = clock(now).wrapping_sub(sent_time);
        if elapsed < 0x8000 {
            let sample = Duration::from_millis(u64::from(elapsed));
            self.round_trip.measured(sample);
            let sent = now.saturating_sub(sample);
            self.outgoing.overtaken(now, sent, &self.round_trip);
        }
        if farewell {
            self.close(now, outcomes);
        }
    }

    fn close(&mut self, now: Duration, outcomes: &mut Vec<Outcome>) {
        if self.state != State::HalfOpen {
            outcomes.push(Outcome::Disconnected);
        }
        self.outgoing.clear();
        self.channels.clear();
        self.held = Held::default();
        self.state = State::Closed {
            until: now.saturating_add(FAREWELL),
        };
    }

    /// Queue a reliable message. `false`: there is no room.
    pub(super) fn send(&mut self, channel: u8, payload: &[u8]) -> bool {
        // A client that was granted fewer channels listens on the first.
        let channel = if self.sent.len() > usize::from(channel) {
            channel
        } else {
            0
        };
        let Some(last) = self.sent.get_mut(usize::from(channel)) else {
            return false;
        };
        let sequence = last.wrapping_add(1);
        let queued = self.outgoing.push(&Command {
            acknowledge: true,
            channel,
            sequence,
            body: Body::Reliable(payload),
        });
        if queued {
            *last = sequence;
        }
        queued
    }

    /// The longest payload that a datagram to this peer holds.
    pub(super) fn room(&self) -> usize {
        // Header with time, command header, length.
        self.mtu.saturating_sub(4 + 4 + 2)
    }

    pub(super) fn backlog(&self) -> usize {
        self.outgoing.len()
    }

    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        self.held.bytes()
    }

    pub(super) fn disconnect(&mut self) {
        if self.state == State::Up {
            self.state = State::Leaving;
        }
    }

    /// What time brings about. `false`: the peer is gone.
    pub(super) fn tick(&mut self, now: Duration) -> bool {
        match self.state {
            State::Closed { until } => return now < until,
            State::HalfOpen if now.saturating_sub(self.born) >= TIMEOUT => return false,
            State::Leaving if self.outgoing.is_empty() => {
                self.state = State::Disconnecting;
                self.control(Body::Disconnect { data: 0 });
            }
            State::Up if self.outgoing.is_empty() && now.saturating_sub(self.heard) >= PING => {
                self.heard = now;
                self.control(Body::Ping);
            }
            _ => {}
        }
        let unanswered = self.outgoing.unanswered_since();
        unanswered.is_none_or(|since| now.saturating_sub(since) < TIMEOUT)
    }

    /// When `tick` or `write` have something to do.
    pub(super) fn deadline(&self) -> Duration {
        if !self.acks.is_empty() {
            return Duration::ZERO;
        }
        let ping = self.heard.saturating_add(PING);
        match (self.state, self.outgoing.deadline()) {
            (State::Closed { until }, _) => until,
            (State::Leaving, None) => Duration::ZERO,
            (_, Some(due)) => due,
            (_, None) => ping,
        }
    }

    /// Write the next datagram. `false`: there is nothing to send.
    pub(super) fn write(&mut self, now: Duration, out: &mut Vec<u8>) -> bool {
        let mut commands = Vec::new();
        // The header with a clock.
        let room = self.mtu.saturating_sub(4);
        let mut count = 0;
        while count < MAX_COMMANDS && commands.len().saturating_add(ACK) <= room {
            let Some(ack) = self.acks.pop_front() else {
                break;
            };
            let body = Body::Acknowledge {
                sequence: ack.sequence,
                sent_time: ack.sent_time,
            };
            Command {
                acknowledge: false,
                channel: ack.channel,
                sequence: ack.sequence,
                body,
            }
            .write(&mut commands);
            count = count.saturating_add(1);
        }
        let mut sent_time = None;
        while count < MAX_COMMANDS {
            let left = room.saturating_sub(commands.len());
            if !self
                .outgoing
                .write_due(now, left, &self.round_trip, &mut commands)
            {
                break;
            }
            sent_time = Some(clock(now));
            count = count.saturating_add(1);
        }
        if commands.is_empty() {
            return false;
        }
        out.clear();
        Header {
            peer: self.remote,
            session: self.outgoing_session,
            sent_time,
        }
        .write(out);
        out.extend_from_slice(&commands);
        true
    }
}

/// The clock of the wire: milliseconds, 16 bits of them.
fn clock(now: Duration) -> u16 {
    u16::try_from(now.as_millis() & 0xFFFF).unwrap_or(0)
}
