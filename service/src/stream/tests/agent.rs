//! An agent in the same process: it does what the test says, word by word.
use crate::{
    agents::{AgentError, AgentHandle, AgentInfo, Agents, Opening, StreamSource},
    ids::{SessionId, Uid},
};
use nix::poll::{PollFd, PollFlags, poll};
use punktfunk_dbus::{
    channel::{
        Endpoint, Geometry, Producer, Received, ToAgent, ToService,
        message::{FRAME_KEY, FrameReady},
        producer::{Reserved, Written},
    },
    open_stream::{OpenStream, OpenedStream},
};
use std::{
    fs::File,
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::FileExt,
    },
    sync::{
        Arc, Mutex,
        mpsc::{self, Receiver, Sender},
    },
    time::{Duration, Instant},
};

const PATIENCE: Duration = Duration::from_secs(5);

/// Hands what was opened to the test.
struct Source {
    opened: Mutex<Sender<Opened>>,
    invalidates_refs: bool,
    /// Its pictures are HDR10 where 10 bits are asked for.
    hdr: bool,
}
type Opened = (OpenStream, OwnedFd, OwnedFd);

impl StreamSource for Source {
    fn open_stream(&self, options: OpenStream, ring: OwnedFd, channel: OwnedFd) -> Opening<'_> {
        let hdr = Some(options.hdr && self.hdr);
        let opened = self.opened.lock().unwrap().send((options, ring, channel));
        if opened.is_err() {
            // The test wants no more of it.
            let refused = AgentError::Refused("it is dying".into());
            return Box::pin(std::future::ready(Err(refused)));
        }
        Box::pin(std::future::ready(Ok(OpenedStream {
            encoder: "fake".into(),
            source: "fake".into(),
            invalidates_refs: Some(self.invalidates_refs),
            hdr,
        })))
    }
}

/// Register an agent for a user of its own.
pub fn register(
    agents: &Agents,
    uid: u32,
    invalidates_refs: bool,
) -> (AgentHandle, Receiver<Opened>) {
    register_as(agents, uid, &format!("c{uid}"), |info| {
        info.invalidates_refs = invalidates_refs;
        info.hdr_sources = vec!["fake".into()];
    })
}

/// Register an agent for a session of this user.
pub fn register_as(
    agents: &Agents,
    uid: u32,
    session: &str,
    edit: impl FnOnce(&mut AgentInfo),
) -> (AgentHandle, Receiver<Opened>) {
    let (opened, receiver) = mpsc::channel();
    let mut info = AgentInfo {
        touch: false,
        session: SessionId(session.to_owned()),
        uid: Uid(uid),
        seat: String::new(),
        active: true,
        compositor: "none".into(),
        encoders: vec!["fake".into()],
        codecs: vec!["h264".into()],
        hdr: punktfunk_core::sdp::Codecs::NONE,
        hdr_sources: Vec::new(),
        chroma_444: punktfunk_core::sdp::Codecs::NONE,
        hdr_chroma_444: punktfunk_core::sdp::Codecs::NONE,
        invalidates_refs: false,
        locked: false,
        greeter: false,
        version: "1".into(),
    };
    edit(&mut info);
    let source = Source {
        opened: Mutex::new(opened),
        invalidates_refs: info.invalidates_refs,
        hdr: !info.hdr_sources.is_empty(),
    };
    (agents.admit(info, Arc::new(source)).unwrap(), receiver)
}

/// Parameter sets and the start of an H.264 key frame's slice.
pub const KEY_HEAD: &[u8] = &[
    0, 0, 0, 1, 0x67, 0x42, 0xc0, 0x1f, 0, 0, 0, 1, 0x68, 0xce, 0x3c, 0x80, 0, 0, 1, 0x65,
];
/// The start of a predicted frame's slice.
pub const SLICE_HEAD: &[u8] = &[0, 0, 0, 1, 0x41];

/// A frame that is announced in part.
pub struct Growing {
    reserved: Reserved,
    parts: u8,
    written: Written,
}

/// The agent's side of one stream.
pub struct FakeAgent {
    pub options: OpenStream,
    ring: File,
    pub endpoint: Endpoint,
    producer: Producer,
    geometry: Geometry,
}

impl FakeAgent {
    pub fn new((options, ring, channel): Opened) -> Self {
        let geometry = Geometry {
            slots: options.slots.try_into().unwrap(),
            slot_size: options.slot_size,
        };
        Self {
            options,
            ring: ring.into(),
            endpoint: Endpoint::new(channel),
            producer: Producer::new(geometry),
            geometry,
        }
    }

    /// Encode a frame with these bytes as its slice.
    pub fn frame(&mut self, bytes: &[u8], flags: u32) {
        let head = if flags & FRAME_KEY == 0 {
            SLICE_HEAD
        } else {
            KEY_HEAD
        };
        self.unit(&[head, bytes].concat(), flags);
    }

    /// Announce these bytes as an access unit.
    pub fn unit(&mut self, bytes: &[u8], flags: u32) {
        let now = crate::stream::media::now_ns();
        self.unit_of(bytes, flags, now);
    }

    /// As `unit`, of a picture that was captured at `capture_ns`. It is due now, as a repeated one is.
    pub fn unit_of(&mut self, bytes: &[u8], flags: u32, capture_ns: u64) {
        let reserved = self.reserve();
        self.ring
            .write_all_at(bytes, self.geometry.offset(reserved.slot()).unwrap())
            .unwrap();
        let now = crate::stream::media::now_ns();
        let len = u32::try_from(bytes.len()).unwrap();
        let written = Written {
            len,
            flags,
            pts_ns: now,
            capture_ns,
            encoded_ns: now,
        };
        let message = self.producer.announce(reserved, written);
        self.say(&message);
    }

    fn reserve(&mut self) -> Reserved {
        loop {
            match self.producer.reserve() {
                Some(reserved) => break reserved,
                None => assert!(
                    matches!(self.hear(), ToAgent::SlotFree { .. }),
                    "no slot comes back"
                ),
            }
        }
    }

    /// Announce these bytes as the first of `parts` parts of an access unit.
    pub fn begin(&mut self, bytes: &[u8], flags: u32, parts: u8) -> Growing {
        let now = crate::stream::media::now_ns();
        let mut growing = Growing {
            reserved: self.reserve(),
            parts,
            written: Written {
                len: 0,
                flags,
                pts_ns: now,
                capture_ns: now,
                encoded_ns: now,
            },
        };
        self.grow(&mut growing, bytes);
        growing
    }

    fn append(&mut self, growing: &mut Growing, bytes: &[u8]) {
        let start = self.geometry.offset(growing.reserved.slot()).unwrap();
        let at = start + u64::from(growing.written.len);
        self.ring.write_all_at(bytes, at).unwrap();
        growing.written.len += u32::try_from(bytes.len()).unwrap();
    }

    /// Announce that there is more of it.
    pub fn grow(&mut self, growing: &mut Growing, bytes: &[u8]) {
        self.append(growing, bytes);
        let message = (self.producer).part(&growing.reserved, growing.written, growing.parts);
        self.say(&message);
    }

    /// Announce all of it.
    pub fn end(&mut self, mut growing: Growing, bytes: &[u8]) {
        self.append(&mut growing, bytes);
        growing.written.encoded_ns = crate::stream::media::now_ns();
        let message = self.producer.announce(growing.reserved, growing.written);
        self.say(&message);
    }

    /// Announce that there will be no more of it.
    pub fn abandon(&mut self, growing: Growing) {
        let message = self.producer.abandon(growing.reserved);
        self.say(&message);
    }

    /// End a frame with less than was announced of it.
    pub fn frame_elsewhere(&mut self, mut growing: Growing) {
        growing.written.len -= 1;
        let message = self.producer.announce(growing.reserved, growing.written);
        self.say(&message);
    }

    /// Wait until the service has read a frame.
    pub fn frame_done(&mut self) {
        assert!(matches!(self.hear(), ToAgent::SlotFree { .. }));
    }

    /// As many bytes as fit into a slot together with their head.
    pub fn largest_key_frame(&self) -> usize {
        usize::try_from(self.options.slot_size).unwrap() - KEY_HEAD.len()
    }

    pub fn key_frame(&mut self, bytes: &[u8]) {
        self.frame(bytes, FRAME_KEY);
    }

    pub fn sound(&mut self, opus: &[u8]) {
        let message = self.producer.audio(opus.to_vec());
        self.say(&message);
    }

    /// Announce a slot that does not exist.
    pub fn lie(&mut self) {
        self.say(&ToService::FrameReady(FrameReady {
            slot: 9999,
            seq: 0,
            len: 1,
            flags: 0,
            pts_ns: 1,
            capture_ns: 1,
            encoded_ns: 1,
        }));
    }

    pub fn say(&self, message: &ToService) {
        assert!(
            self.endpoint.send_to_service(message).unwrap(),
            "the service does not read"
        );
    }

    /// The next word of the service.
    pub fn hear(&mut self) -> ToAgent {
        self.try_hear().expect("the service hung up")
    }

    /// `None`: the service hung up.
    pub fn try_hear(&mut self) -> Option<ToAgent> {
        let mut fds = [PollFd::new(self.endpoint.as_fd(), PollFlags::POLLIN)];
        let patience = u16::try_from(PATIENCE.as_millis()).unwrap();
        assert_eq!(
            poll(&mut fds, patience).unwrap(),
            1,
            "the service says nothing"
        );
        match self.endpoint.receive_from_service().unwrap() {
            Received::Message(message) => {
                if let ToAgent::SlotFree { slot } = message {
                    self.producer.freed(slot).unwrap();
                }
                Some(message)
            }
            Received::Empty => panic!("readable, but empty"),
            Received::Closed => None,
        }
    }

    /// The next word that is not about a slot, if it comes in time.
    pub fn order_within(&mut self, time: Duration) -> Option<ToAgent> {
        let deadline = Instant::now().checked_add(time).unwrap();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let mut fds = [PollFd::new(self.endpoint.as_fd(), PollFlags::POLLIN)];
            let left = u16::try_from(left.as_millis()).unwrap();
            if poll(&mut fds, left).unwrap() == 0 {
                return None;
            }
            match self.hear() {
                ToAgent::SlotFree { .. } => {}
                other => return Some(other),
            }
        }
    }

    /// The next word that is not about a slot or the lock screen.
    pub fn hear_order(&mut self) -> ToAgent {
        loop {
            match self.hear() {
                ToAgent::SlotFree { .. } | ToAgent::LockScreen { .. } => {}
                other => return other,
            }
        }
    }
}
