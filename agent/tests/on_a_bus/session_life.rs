//! What logind says of the session reaches a running stream, and what keeps the session awake goes with the stream.

use crate::fixture::*;
use nix::{
    fcntl::OFlag,
    sys::signal::{Signal, kill},
    unistd::{Pid, pipe2},
};
use punktfunk_dbus::channel::{
    Consumer, Endpoint, Geometry, Ring, ToAgent, ToService,
    consumer::{Event, Limits},
    message::SourceState,
    socket,
};
use std::{
    collections::HashMap,
    os::fd::{AsFd, OwnedFd},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use zbus::{
    Connection,
    object_server::SignalEmitter,
    zvariant::{Fd, ObjectPath, OwnedObjectPath},
};

const MANAGER: &str = "/org/freedesktop/login1";
const SESSION: &str = "/org/freedesktop/login1/session/c7";
const GEOMETRY: Geometry = Geometry {
    slots: 4,
    slot_size: 512 * 1024,
};

/// A stand-in for logind with one session. What it gives for an inhibitor is the end of a pipe of which it keeps the other.
#[derive(Clone, Default)]
struct Logind {
    /// What, how, and the end that closes with the inhibitor.
    inhibitors: Arc<Mutex<Vec<(String, String, OwnedFd)>>>,
}

#[zbus::interface(name = "org.freedesktop.login1.Manager")]
impl Logind {
    fn get_session(&self, _id: &str) -> OwnedObjectPath {
        ObjectPath::from_static_str_unchecked(SESSION).into()
    }
    fn inhibit(&self, what: &str, _who: &str, _why: &str, mode: &str) -> Fd<'static> {
        let (ours, theirs) = pipe2(OFlag::O_CLOEXEC).unwrap();
        let held = (what.to_owned(), mode.to_owned(), ours);
        self.inhibitors.lock().unwrap().push(held);
        theirs.into()
    }
    #[zbus(signal)]
    async fn prepare_for_sleep(emitter: &SignalEmitter<'_>, start: bool) -> zbus::Result<()>;
}

impl Logind {
    /// What is inhibited now: of each kind and mode, how many.
    fn inhibited(&self) -> HashMap<(String, String), usize> {
        let mut inhibitors = self.inhibitors.lock().unwrap();
        inhibitors.retain(|(_, _, end)| {
            let mut poll = [nix::poll::PollFd::new(
                end.as_fd(),
                nix::poll::PollFlags::empty(),
            )];
            nix::poll::poll(&mut poll, 0u16).unwrap() == 0
        });
        let mut found = HashMap::new();
        for (what, mode, _) in inhibitors.iter() {
            *found.entry((what.clone(), mode.clone())).or_default() += 1;
        }
        found
    }

    async fn until_inhibited(&self, wanted: &[(&str, &str)]) {
        let wanted: HashMap<_, _> = wanted
            .iter()
            .map(|(what, mode)| (((*what).to_owned(), (*mode).to_owned()), 1))
            .collect();
        let end = Instant::now() + LIMIT;
        while self.inhibited() != wanted {
            assert!(Instant::now() < end, "{:?}", self.inhibited());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// The session's state, as logind has it.
struct Session {
    active: bool,
    locked: bool,
}

#[zbus::interface(name = "org.freedesktop.login1.Session")]
impl Session {
    #[zbus(property)]
    fn active(&self) -> bool {
        self.active
    }
    #[zbus(property)]
    fn locked_hint(&self) -> bool {
        self.locked
    }
    #[zbus(signal)]
    async fn lock(emitter: &SignalEmitter<'_>) -> zbus::Result<()>;
    #[zbus(signal)]
    async fn unlock(emitter: &SignalEmitter<'_>) -> zbus::Result<()>;
}

/// A desktop's screen saver: who asked it.
#[derive(Clone, Default)]
struct ScreenSaver(Arc<Mutex<Vec<String>>>);

#[zbus::interface(name = "org.freedesktop.ScreenSaver")]
impl ScreenSaver {
    fn inhibit(
        &self,
        _who: &str,
        _why: &str,
        #[zbus(header)] header: zbus::message::Header<'_>,
    ) -> u32 {
        let sender = header.sender().unwrap().to_string();
        self.0.lock().unwrap().push(sender);
        7
    }
}

/// The agent of session c7 with one stream, and everything around it.
struct Rig {
    agent: Agent,
    logind: Logind,
    login: Connection,
    screen_saver: ScreenSaver,
    consumer: Consumer,
    ring: Ring,
    _service: Connection,
    bus: Bus,
}

impl Rig {
    async fn new() -> Self {
        let bus = Bus::start();
        let logind = Logind::default();
        let login = bus.connect().await;
        login
            .object_server()
            .at(MANAGER, logind.clone())
            .await
            .unwrap();
        let session = Session {
            active: true,
            locked: false,
        };
        login.object_server().at(SESSION, session).await.unwrap();
        login.request_name("org.freedesktop.login1").await.unwrap();
        let screen_saver = ScreenSaver::default();
        login
            .object_server()
            .at("/org/freedesktop/ScreenSaver", screen_saver.clone())
            .await
            .unwrap();
        login
            .request_name("org.freedesktop.ScreenSaver")
            .await
            .unwrap();
        let (service, mut registrations) = serve(&bus).await;
        let process = Agent::start(&bus.address, &["--session", "c7"]);
        let registered = next(&mut registrations).await;
        assert_eq!(logind.inhibited(), HashMap::new());

        let ring = Ring::create(GEOMETRY).unwrap();
        let (ours, theirs) = socket::pair().unwrap();
        agent(&service, &registered)
            .await
            .open_stream(options(), ring.agent_fd().unwrap().into(), theirs.into())
            .await
            .unwrap();
        let endpoint = Arc::new(Endpoint::new(ours));
        let limits = Limits {
            geometry: GEOMETRY,
            max_frame_rate: 70,
            max_audio_bytes: 1400,
        };
        assert!(endpoint.send_to_agent(&ToAgent::Idr).unwrap());
        let mut rig = Self {
            agent: process,
            logind,
            login,
            screen_saver,
            consumer: Consumer::new(endpoint, limits),
            ring,
            _service: service,
            bus,
        };
        rig.until(SourceState::Capturing);
        rig
    }

    /// Take what comes until this state is told; the frames before it are released.
    fn until(&mut self, wanted: SourceState) {
        let end = Instant::now() + LIMIT;
        loop {
            assert!(Instant::now() < end, "{wanted:?} was never told");
            match self
                .consumer
                .receive(punktfunk_agent::clock::now_ns())
                .unwrap()
            {
                Event::Message(ToService::State { state, .. }) if state == wanted => return,
                Event::Message(ToService::FrameReady(frame)) => {
                    let mut bytes = Vec::new();
                    self.ring.read(frame.slot, frame.len, &mut bytes).unwrap();
                    self.consumer.release(frame.slot).unwrap();
                }
                Event::Closed => panic!("the stream ended"),
                Event::Empty => {
                    let endpoint = Arc::clone(self.consumer.endpoint());
                    let mut ready = [nix::poll::PollFd::new(
                        endpoint.as_fd(),
                        nix::poll::PollFlags::POLLIN,
                    )];
                    nix::poll::poll(&mut ready, 1000u16).unwrap();
                }
                Event::Message(_) => {}
            }
        }
    }

    /// Change the session as logind does.
    async fn change(&self, edit: impl FnOnce(&mut Session)) {
        let object = self.login.object_server();
        let object = object.interface::<_, Session>(SESSION).await.unwrap();
        let mut session = object.get_mut().await;
        edit(&mut session);
        session
            .active_changed(object.signal_emitter())
            .await
            .unwrap();
        session
            .locked_hint_changed(object.signal_emitter())
            .await
            .unwrap();
    }

    fn emitter(&self, path: &'static str) -> SignalEmitter<'static> {
        SignalEmitter::new(&self.login, path).unwrap().into_owned()
    }

    async fn has(&self, name: &str) -> bool {
        let names = zbus::fdo::DBusProxy::new(&self.login).await.unwrap();
        let name = zbus::names::BusName::try_from(name).unwrap();
        names.name_has_owner(name).await.unwrap()
    }
}

const AWAKE: [(&str, &str); 2] = [("idle", "block"), ("sleep", "delay")];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_stream_follows_what_logind_says_of_its_session() {
    let mut rig = Rig::new().await;
    rig.change(|session| session.locked = true).await;
    rig.until(SourceState::Locked);
    rig.change(|session| session.locked = false).await;
    rig.until(SourceState::Capturing);
    rig.change(|session| session.active = false).await;
    rig.until(SourceState::Paused);
    rig.change(|session| session.active = true).await;
    rig.until(SourceState::Capturing);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_to_lock_covers_at_once_and_not_for_good_where_nobody_locks() {
    let mut rig = Rig::new().await;
    let emitter = rig.emitter(SESSION);
    // nobody answers it
    Session::lock(&emitter).await.unwrap();
    rig.until(SourceState::Locked);
    rig.until(SourceState::Capturing);
    // the desktop locks, and says so
    Session::lock(&emitter).await.unwrap();
    rig.until(SourceState::Locked);
    rig.change(|session| session.locked = true).await;
    rig.change(|session| session.locked = false).await;
    rig.until(SourceState::Capturing);
    // it is taken back
    Session::lock(&emitter).await.unwrap();
    rig.until(SourceState::Locked);
    Session::unlock(&emitter).await.unwrap();
    rig.until(SourceState::Capturing);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_session_is_kept_awake_while_it_is_streamed_and_sleeps_when_asked_to() {
    let mut rig = Rig::new().await;
    rig.logind.until_inhibited(&AWAKE).await;
    let asked = rig.screen_saver.0.lock().unwrap().clone();
    assert_eq!(asked.len(), 1);
    let emitter = rig.emitter(MANAGER);
    Logind::prepare_for_sleep(&emitter, true).await.unwrap();
    rig.until(SourceState::Suspended);
    rig.logind.until_inhibited(&AWAKE[..1]).await;
    Logind::prepare_for_sleep(&emitter, false).await.unwrap();
    rig.until(SourceState::Capturing);
    rig.logind.until_inhibited(&AWAKE).await;

    let endpoint = rig.consumer.endpoint();
    endpoint.send_to_agent(&ToAgent::Stop).unwrap();
    rig.logind.until_inhibited(&[]).await;
    // a desktop forgets what it was asked with the connection that asked
    let end = Instant::now() + LIMIT;
    while rig.has(&asked[0]).await {
        assert!(Instant::now() < end, "the desktop is still inhibited");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(rig.agent.terminate().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_agent_keeps_nothing_awake() {
    let rig = Rig::new().await;
    rig.logind.until_inhibited(&AWAKE).await;
    let asked = rig.screen_saver.0.lock().unwrap()[0].clone();
    kill(Pid::from_raw(rig.agent.0.id() as i32), Signal::SIGKILL).unwrap();
    rig.logind.until_inhibited(&[]).await;
    let end = Instant::now() + LIMIT;
    while rig.has(&asked).await {
        assert!(Instant::now() < end, "the desktop is still inhibited");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    drop(rig.bus);
}
