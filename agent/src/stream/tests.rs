//! Whole streams against the service's own half of the contract.

use super::*;
use crate::source::synthetic::counter;
use ::openh264::{decoder::Decoder, formats::YUVSource};
use punktfunk_dbus::channel::{
    Consumer, Ring, ToAgent,
    consumer::{Event, Limits},
    message::{FRAME_KEY, FrameReady, Held, SourceState},
    socket,
};
use std::time::{Duration, Instant};

const GEOMETRY: Geometry = Geometry {
    slots: 4,
    slot_size: 512 * 1024,
};
/// No test takes longer than this unless something hangs.
const LIMIT: Duration = Duration::from_secs(20);

fn options() -> OpenStream {
    OpenStream {
        stream: 7,
        width: 640,
        height: 368,
        fps: 60,
        codec: "h264".to_owned(),
        bitrate_kbps: 2000,
        slots: GEOMETRY.slots.into(),
        slot_size: GEOMETRY.slot_size,
        audio_channels: 2,
        audio_packet_ms: 5,
        audio_bitrate_kbps: 96,
        audio_high_quality: false,
        source: "synthetic".to_owned(),
        compositor: "auto".to_owned(),
        play_on_host: false,
        csc_mode: 2,
        slices: 1,
        app: 0,
        fps_x100: 6000,
        hdr: false,
        chroma_444: false,
        max_reference_frames: 0,
        lock_screen: None,
        outputs: None,
        frame_parts: None,
    }
}

/// The service's half.
struct Service {
    ring: Ring,
    consumer: Consumer,
    runtime: tokio::runtime::Runtime,
}

impl Service {
    /// With a client that can receive.
    fn open(options: OpenStream) -> (Self, Result<Stream, StreamError>) {
        let (service, opened) = Self::open_waiting(options);
        if opened.is_ok() {
            service.send(&ToAgent::Idr);
        }
        (service, opened)
    }

    /// With a client that is not there yet.
    fn open_waiting(options: OpenStream) -> (Self, Result<Stream, StreamError>) {
        Self::open_in(options, Surroundings::default())
    }

    fn open_in(options: OpenStream, around: Surroundings) -> (Self, Result<Stream, StreamError>) {
        let ring = Ring::create(GEOMETRY).unwrap();
        let (ours, theirs) = socket::pair().unwrap();
        let consumer = Consumer::new(
            Arc::new(Endpoint::new(ours)),
            Limits {
                geometry: GEOMETRY,
                max_frame_rate: 70,
                max_audio_bytes: 1400,
            },
        );
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let opened = runtime.block_on(open(options, ring.agent_fd().unwrap(), theirs, around));
        let service = Self {
            ring,
            consumer,
            runtime,
        };
        (service, opened.map(|(stream, _)| stream))
    }

    fn send(&self, message: &ToAgent) {
        assert!(self.consumer.endpoint().send_to_agent(message).unwrap());
    }

    /// Messages until `until` has found what it wants. Waits in poll, never by sleeping.
    fn receive<T>(&mut self, mut until: impl FnMut(&mut Self, Event) -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            assert!(begun.elapsed() < LIMIT, "the stream hangs");
            let event = self.consumer.receive(clock::now_ns()).unwrap();
            if event == Event::Empty {
                let endpoint = Arc::clone(self.consumer.endpoint());
                let mut ready = [nix::poll::PollFd::new(
                    std::os::fd::AsFd::as_fd(endpoint.as_ref()),
                    nix::poll::PollFlags::POLLIN,
                )];
                nix::poll::poll(&mut ready, 1000u16).unwrap();
            } else if let Some(found) = until(self, event) {
                return found;
            }
        }
    }

    /// The next frame and its bytes; the slot stays announced.
    fn frame(&mut self) -> (FrameReady, Vec<u8>) {
        self.receive(|service, event| match event {
            Event::Message(ToService::FrameReady(frame)) => {
                let mut bytes = Vec::new();
                service
                    .ring
                    .read(frame.slot, frame.len, &mut bytes)
                    .unwrap();
                Some((frame, bytes))
            }
            Event::Closed => panic!("the stream ended"),
            _ => None,
        })
    }

    /// Frames until the next key frame, decoded: the number that it carries, 0 where it carries none, and whether it is
    /// dark all over. Every frame is released.
    fn next_cut(&mut self, decoder: &mut Decoder) -> (u32, bool) {
        loop {
            let (frame, bytes) = self.frame();
            self.release(&frame);
            let picture = decoder.decode(&bytes).unwrap().expect("a picture");
            if frame.flags & FRAME_KEY != 0 {
                let number = counter::read(picture.y(), picture.strides().0, 640);
                let dark = picture.y().iter().filter(|luma| **luma < 60).count();
                return (number.unwrap_or(0), dark > picture.y().len() * 4 / 5);
            }
        }
    }

    fn release(&mut self, frame: &FrameReady) {
        assert!(self.consumer.release(frame.slot).unwrap());
    }
}

#[test]
fn numbered_pictures_sound_and_totals_come_through_ring_and_channel() {
    let (mut service, stream) = Service::open(options());
    let stream = stream.unwrap();
    assert_eq!(stream.id(), 7);
    let mut decoder = Decoder::new().unwrap();
    let mut skipped = 0;
    let mut last = 0;
    for index in 0..90 {
        let (frame, bytes) = service.frame();
        service.release(&frame);
        assert_eq!(frame.flags & FRAME_KEY != 0, index == 0);
        let picture = decoder.decode(&bytes).unwrap().expect("a picture");
        let number = counter::read(picture.y(), picture.strides().0, 640).expect("a number");
        skipped += number - last - 1;
        last = number;
    }
    // frames may be skipped on a busy machine, but then the totals say so
    let stats = service.receive(|_, event| match event {
        Event::Message(ToService::Stats(stats)) => Some(stats),
        _ => None,
    });
    assert!(stats.skipped_no_slot >= skipped.into());
    assert!(stats.encoded > 0 && stats.repeated == 0);
    let opus = service.receive(|_, event| match event {
        Event::Message(ToService::Audio { opus, .. }) => Some(opus),
        _ => None,
    });
    assert_eq!(opus.len(), 60);
}

#[test]
fn without_a_free_slot_nothing_is_encoded_and_the_gap_shows_in_the_numbers() {
    let (mut service, stream) = Service::open(options());
    let _stream = stream.unwrap();
    let held = [service.frame(), service.frame()];
    // two announced frames wait: whatever comes now is not a frame, for more than a second's worth of them
    let mut reports = 0;
    let skipped = service.receive(|_, event| match event {
        Event::Message(ToService::FrameReady(_)) => panic!("a third frame was announced"),
        Event::Message(ToService::Stats(stats)) => {
            assert_eq!(stats.encoded, 2);
            reports += 1;
            (reports == 2).then_some(stats.skipped_no_slot)
        }
        _ => None,
    });
    assert!(
        skipped > 30,
        "{skipped} ticks skipped in more than a second"
    );
    for (frame, _) in &held {
        service.release(frame);
    }
    let (next, bytes) = service.frame();
    assert_eq!(next.flags & FRAME_KEY, 0, "no reference was broken");
    let mut decoder = Decoder::new().unwrap();
    for (_, bytes) in &held {
        decoder.decode(bytes).unwrap();
    }
    let picture = decoder.decode(&bytes).unwrap().expect("a picture");
    let number = counter::read(picture.y(), picture.strides().0, 640).unwrap();
    assert!(
        u64::from(number) >= 3 + skipped,
        "{number} after {skipped} skips"
    );
}

#[test]
fn nothing_is_encoded_before_the_client_is_there() {
    let (mut service, stream) = Service::open_waiting(options());
    let _stream = stream.unwrap();
    // The sound tells the time: 100 ms are six pictures.
    for _ in 0..20 {
        service.receive(|_, event| match event {
            Event::Message(ToService::Audio { .. }) => Some(()),
            Event::Message(ToService::FrameReady(_)) => panic!("a picture for nobody"),
            _ => None,
        });
    }
    service.send(&ToAgent::Idr);
    let (frame, _) = service.frame();
    assert_eq!((frame.seq, frame.flags), (0, FRAME_KEY));
}

#[test]
fn a_key_frame_comes_when_the_service_asks() {
    let (mut service, stream) = Service::open(options());
    let _stream = stream.unwrap();
    for order in [ToAgent::Idr, ToAgent::InvalidateRefs { first: 1, last: 2 }] {
        let (frame, _) = service.frame();
        service.release(&frame);
        service.send(&order);
        let mut frames = 0;
        loop {
            let (frame, bytes) = service.frame();
            service.release(&frame);
            if frame.flags & FRAME_KEY != 0 {
                assert_eq!(bytes[4] & 0x1f, 7, "parameter sets come first");
                break;
            }
            frames += 1;
            assert!(frames < 6, "no key frame");
        }
    }
}

#[test]
fn a_lock_shows_a_placeholder_in_the_same_stream_and_unlocking_shows_the_session_again() {
    let session = watch::Sender::new(Facts::default());
    let around = Surroundings {
        session: session.subscribe(),
        ..Surroundings::default()
    };
    let (mut service, stream) = Service::open_in(options(), around);
    let _stream = stream.unwrap();
    service.send(&ToAgent::Idr);
    let mut decoder = Decoder::new().unwrap();
    assert_eq!(service.next_cut(&mut decoder), (1, false));
    session.send_modify(|facts| facts.locked = true);
    let state = service.receive(|service, event| match event {
        Event::Message(ToService::State { state, reason }) if state != SourceState::Capturing => {
            assert!(!reason.is_empty());
            Some(state)
        }
        // its slot is wanted again
        Event::Message(ToService::FrameReady(frame)) => {
            let mut bytes = Vec::new();
            service
                .ring
                .read(frame.slot, frame.len, &mut bytes)
                .unwrap();
            decoder.decode(&bytes).unwrap();
            service.release(&frame);
            None
        }
        _ => None,
    });
    assert_eq!(state, SourceState::Locked);
    // the placeholder's key frame may have come before the word of it: ask for another one
    service.send(&ToAgent::Idr);
    assert_eq!(service.next_cut(&mut decoder), (0, true));
    // the service hears it, and the numbers of frames, which the consumer checks, go on
    service.send(&ToAgent::LockScreen { visible: true });
    assert!(matches!(service.next_cut(&mut decoder), (1.., false)));
    service.send(&ToAgent::LockScreen { visible: false });
    assert_eq!(service.next_cut(&mut decoder), (0, true));
    session.send_modify(|facts| facts.locked = false);
    assert!(matches!(service.next_cut(&mut decoder), (1.., false)));
}

#[test]
fn stop_and_a_closed_channel_end_the_stream() {
    let (mut service, stream) = Service::open(options());
    let stream = stream.unwrap();
    service.frame();
    service.send(&ToAgent::Stop);
    service.receive(|_, event| (event == Event::Closed).then_some(()));
    while !stream.ended() {
        std::thread::yield_now();
    }
    drop(stream);

    let (service, stream) = Service::open(options());
    let stream = stream.unwrap();
    drop(service);
    let begun = Instant::now();
    while !stream.ended() {
        assert!(begun.elapsed() < LIMIT, "the stream outlives its service");
        std::thread::yield_now();
    }
}

#[test]
fn dropping_a_stream_closes_its_channel() {
    let (mut service, stream) = Service::open(options());
    drop(stream.unwrap());
    service.receive(|_, event| (event == Event::Closed).then_some(()));
    assert!(service.runtime.block_on(async { true }));
}

#[test]
fn options_that_make_no_sense_are_refused_by_name() {
    let refused = |change: &dyn Fn(&mut OpenStream), part: &str| {
        let mut options = options();
        change(&mut options);
        let (_, stream) = Service::open(options);
        let Err(error) = stream else {
            panic!("opened, but should have named {part}")
        };
        assert!(error.to_string().contains(part), "{error}");
    };
    refused(&|o| o.codec = "vp9".to_owned(), "vp9");
    refused(&|o| o.source = "webcam".to_owned(), "webcam");
    refused(&|o| o.compositor = "twm".to_owned(), "twm");
    refused(&|o| o.slots = 1, "slots");
    refused(&|o| o.slots = 60, "smaller than its slots");
    refused(&|o| o.slot_size = 12, "slot_size");
    refused(&|o| o.csc_mode = 9, "csc_mode");
    refused(&|o| o.audio_channels = 5, "5 audio channels");
    refused(&|o| o.fps = 1000, "1000");
}

#[test]
fn a_ring_that_could_shrink_is_not_mapped() {
    let unsealed = nix::sys::memfd::memfd_create(
        c"unsealed",
        nix::sys::memfd::MFdFlags::MFD_CLOEXEC | nix::sys::memfd::MFdFlags::MFD_ALLOW_SEALING,
    )
    .unwrap();
    let bytes = i64::from(GEOMETRY.slots) * i64::from(GEOMETRY.slot_size);
    nix::unistd::ftruncate(&unsealed, bytes).unwrap();
    assert!(RingWriter::map(&unsealed, GEOMETRY).is_err());
    let (pipe, _other) = nix::unistd::pipe().unwrap();
    assert!(RingWriter::map(&pipe, GEOMETRY).is_err());
    let ring = Ring::create(GEOMETRY).unwrap();
    let mut writer = RingWriter::map(&ring.agent_fd().unwrap(), GEOMETRY).unwrap();
    let mut back = Vec::new();
    for slot in 0..GEOMETRY.slots {
        assert!(writer.write(slot, 0, &[slot as u8 + 1; 1000]));
    }
    assert!(!writer.write(GEOMETRY.slots, 0, b"outside"));
    assert!(!writer.write(0, 1, &vec![0; GEOMETRY.slot_size as usize]));
    for slot in 0..GEOMETRY.slots {
        ring.read(slot, 1000, &mut back).unwrap();
        assert_eq!(back, vec![slot as u8 + 1; 1000]);
    }
}

/// Writes down what it is told.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Vec<String>>>);

impl crate::source::Injector for Recorder {
    fn inject(&mut self, event: &punktfunk_core::input::InputEvent) {
        self.0.lock().unwrap().push(format!("{event:?}"));
    }

    fn release(&mut self, held: Held) {
        self.0.lock().unwrap().push(format!("{held:?}"));
    }
}

#[test]
fn whatever_ends_the_channel_lets_go_of_everything_once() {
    type Ending = fn(Arc<Endpoint>, &Shared);
    let endings: [(&str, Ending); 3] = [
        ("the service is gone", |service, _| drop(service)),
        ("the service says stop", |service, _| {
            service.send_to_agent(&ToAgent::Stop).unwrap();
        }),
        ("the agent ends", |_, shared| shared.stop()),
    ];
    for (name, end) in endings {
        let (ours, theirs) = socket::pair().unwrap();
        let wake = Arc::new(EventFd::from_flags(EfdFlags::EFD_NONBLOCK).unwrap());
        let shared = Arc::new(Shared {
            endpoint: Endpoint::new(theirs),
            orders: OrdersHandle::default(),
            slots: Mutex::new(Slots::new(4)),
            totals: Mutex::default(),
            life: Arc::new(Life::new(
                (640, 368),
                false,
                Surroundings::default().session,
                Arc::clone(&wake),
            )),
            wake,
            ended: AtomicBool::new(false),
        });
        let recorder = Recorder::default();
        let injector: Box<dyn crate::source::Injector> = Box::new(recorder.clone());
        shared.life.connect(Some(injector));
        let channel = channel::Channel::new(Arc::clone(&shared), None);
        let service = Arc::new(Endpoint::new(ours));
        let keyboard = Held {
            pointer: false,
            keyboard: true,
        };
        service.send_to_agent(&ToAgent::Release(keyboard)).unwrap();
        let running = std::thread::spawn(move || channel.run());
        let kept = Arc::clone(&service);
        let told = Instant::now() + LIMIT;
        while recorder.0.lock().unwrap().is_empty() {
            assert!(Instant::now() < told, "{name}: not even a word arrives");
            std::thread::sleep(Duration::from_millis(1));
        }
        drop(kept);
        end(service, &shared);
        running.join().unwrap();
        let expected = [format!("{keyboard:?}"), format!("{:?}", Held::ALL)];
        assert_eq!(*recorder.0.lock().unwrap(), expected, "{name}");
    }
}
