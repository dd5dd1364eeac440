//! Any bytes as an ENet datagram, and any datagrams of a connected client: no panic, messages within the limits and only
//! while connected, and answers that are datagrams themselves.
use punktfunk_core::enet::{
    Event, Host, MAX_MESSAGE, MTU, PeerId, TIMEOUT,
    framing::{Body, CONNECTION, Command, Connect, Datagram, Header, NO_PEER},
};
use std::time::Duration;

const DATA: u32 = 0x1234_5678;
const HOME: u8 = 1;
const ELSEWHERE: u8 = 2;

/// One input.
pub fn run(data: &[u8]) {
    if let Some(datagram) = Datagram::parse(data) {
        let mut again = Vec::new();
        datagram.header.write(&mut again);
        datagram
            .commands()
            .for_each(|command| command.write(&mut again));
        let twice = Datagram::parse(&again).expect("what we wrote");
        assert!(twice.header == datagram.header && twice.commands().eq(datagram.commands()));
    }
    let mut talk = Talk::new();
    talk.connect();
    let mut rest = data;
    while let Some(([how, low, high], tail)) = rest.split_first_chunk::<3>() {
        let length = usize::from(u16::from_le_bytes([*low, *high]) % 1024);
        let (datagram, later) = tail.split_at(length.min(tail.len()));
        rest = later;
        talk.turn(*how, datagram);
    }
    // Whatever was said: a client that falls silent is gone in the end, with everything that was kept for it.
    for _ in 0..60 {
        talk.now += TIMEOUT / 20;
        talk.settle();
    }
    assert!(!talk.up && talk.host.deadline().is_none());
}

/// A client that is connected, and what the host makes of it.
struct Talk {
    host: Host<u8>,
    now: Duration,
    /// What the client puts in front of its datagrams.
    header: Header,
    up: bool,
}

impl Talk {
    fn new() -> Self {
        let mut host = Host::new();
        host.expect(DATA);
        Self {
            host,
            now: Duration::from_secs(1),
            header: Header {
                peer: NO_PEER,
                session: 0,
                sent_time: Some(0),
            },
            up: false,
        }
    }

    fn connect(&mut self) {
        let wish = Connect {
            incoming_session: 0xff,
            outgoing_session: 0xff,
            mtu: 900,
            window: 65_536,
            channels: 48,
            connect_id: 7,
            data: DATA,
            ..Connect::default()
        };
        self.say(HOME, Body::Connect(wish));
        let mut answer = Vec::new();
        assert_eq!(self.host.transmit(self.now, &mut answer), Some(HOME));
        let answer = Datagram::parse(&answer).expect("an answer");
        let Some(Command {
            body: Body::VerifyConnect(agreed),
            ..
        }) = answer.commands().next()
        else {
            panic!("no answer to a CONNECT");
        };
        self.header.peer = agreed.peer;
        self.header.session = agreed.outgoing_session;
        self.say(
            HOME,
            Body::Acknowledge {
                sequence: 1,
                sent_time: answer.header.sent_time.unwrap_or_default(),
            },
        );
        self.settle();
        assert!(self.up, "connected");
    }

    fn say(&mut self, from: u8, body: Body<'_>) {
        let mut bytes = Vec::new();
        self.header.write(&mut bytes);
        let command = Command {
            acknowledge: true,
            channel: CONNECTION,
            sequence: 1,
            body,
        };
        command.write(&mut bytes);
        self.host
            .receive(self.now, &from, &bytes, &mut |_, _| false);
    }

    /// One datagram: from home or elsewhere, with the header of the connection or its own; then time passes.
    fn turn(&mut self, how: u8, datagram: &[u8]) {
        let from = if how & 1 == 0 { HOME } else { ELSEWHERE };
        let mut bytes = Vec::new();
        if how & 2 == 0 {
            self.header.write(&mut bytes);
        }
        bytes.extend_from_slice(datagram);
        let vouched = how & 4 != 0;
        self.host
            .receive(self.now, &from, &bytes, &mut |_, _| vouched);
        if how & 8 != 0 {
            let _ = self.host.send(
                PeerId(self.header.peer),
                how >> 4,
                &bytes[..bytes.len().min(64)],
            );
        }
        self.now += Duration::from_millis(u64::from(how >> 4) * 40);
        self.settle();
    }

    fn settle(&mut self) {
        self.host.tick(self.now);
        let mut out = Vec::new();
        for _ in 0..2000 {
            out.clear();
            if self.host.transmit(self.now, &mut out).is_none() {
                break;
            }
            assert!(out.len() <= MTU && Datagram::parse(&out).is_some());
        }
        while let Some(event) = self.host.poll_event() {
            match event {
                Event::Connected { connect_data, .. } => {
                    assert_eq!(connect_data, DATA);
                    self.up = true;
                }
                Event::Received { payload, .. } => {
                    assert!(self.up && payload.len() <= MAX_MESSAGE);
                }
                Event::Disconnected { .. } | Event::Lost { .. } => self.up = false,
                Event::Moved { .. } => assert!(self.up),
            }
        }
    }
}
