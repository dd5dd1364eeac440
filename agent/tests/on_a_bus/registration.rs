//! From the first connection to the end: who is offered, to whom, and again.

use crate::fixture::*;
use futures_util::StreamExt;
use punktfunk_dbus::{
    channel::{
        Consumer, Endpoint, Geometry, Ring, ToAgent, ToService,
        consumer::{Event, Limits},
        socket,
    },
    names::{AGENT_PATH, BUS_NAME, ROOT_PATH},
    open_stream::AgentOffer,
};
use std::{os::fd::AsFd, sync::Arc};
use tokio::{sync::mpsc, time::timeout};
use zbus::zvariant::{Fd, ObjectPath, OwnedObjectPath};

#[tokio::test]
async fn the_agent_registers_whenever_the_service_appears_and_ends_cleanly() {
    let bus = Bus::start();
    let mut agent = Agent::start(&bus.address, &["--dev"]);
    for _ in 0..2 {
        // the service comes after the agent, goes, and comes back
        let (connection, mut registrations) = serve(&bus).await;
        let registered = next(&mut registrations).await;
        assert_eq!(registered.session, "dev");
        assert_eq!(registered.path.as_str(), AGENT_PATH);
        assert_eq!(registered.offer.codecs, ["h264"]);
        assert_eq!(registered.offer.encoders, ["openh264"]);
        connection.graceful_shutdown().await;
    }
    assert!(agent.terminate().success());
}

#[tokio::test]
async fn only_the_service_may_open_a_stream() {
    let bus = Bus::start();
    let mut agent_process = Agent::start(&bus.address, &["--session", "c7"]);
    let (service, mut registrations) = serve(&bus).await;
    let registered = next(&mut registrations).await;
    assert_eq!(registered.session, "c7");
    let geometry = Geometry {
        slots: 4,
        slot_size: 512 * 1024,
    };
    let ring = Ring::create(geometry).unwrap();

    let stranger = bus.connect().await;
    let (_ours, theirs) = socket::pair().unwrap();
    let refused = agent(&stranger, &registered)
        .await
        .open_stream(options(), ring.agent_fd().unwrap().into(), theirs.into())
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("AccessDenied"), "{refused}");

    let (_ours, theirs) = socket::pair().unwrap();
    let mut wrong = options();
    wrong.codec = "vp9".to_owned();
    let refused = agent(&service, &registered)
        .await
        .open_stream(wrong, ring.agent_fd().unwrap().into(), theirs.into())
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("vp9"), "{refused}");

    let (ours, theirs) = socket::pair().unwrap();
    let opened = agent(&service, &registered)
        .await
        .open_stream(options(), ring.agent_fd().unwrap().into(), Fd::from(theirs))
        .await
        .unwrap();
    assert_eq!(
        (opened.encoder.as_str(), opened.source.as_str()),
        ("openh264", "synthetic")
    );
    let endpoint = Arc::new(Endpoint::new(ours));
    let limits = Limits {
        geometry,
        max_frame_rate: 70,
        max_audio_bytes: 1400,
    };
    let mut consumer = Consumer::new(Arc::clone(&endpoint), limits);
    // nothing is encoded before the service asks for the first key frame
    assert!(endpoint.send_to_agent(&ToAgent::Idr).unwrap());
    let first = loop {
        let mut ready = [nix::poll::PollFd::new(
            endpoint.as_fd(),
            nix::poll::PollFlags::POLLIN,
        )];
        assert!(
            nix::poll::poll(&mut ready, 30_000u16).unwrap() > 0,
            "no frame"
        );
        match consumer.receive(punktfunk_agent::clock::now_ns()).unwrap() {
            Event::Message(ToService::FrameReady(frame)) => break frame,
            Event::Closed => panic!("the stream ended"),
            _ => {}
        }
    };
    assert_eq!(first.seq, 0);
    // a running stream does not keep the agent from ending
    assert!(agent_process.terminate().success());
    drop(registrations);
}

#[tokio::test]
async fn a_registration_that_is_refused_is_tried_again() {
    struct Refusing(mpsc::UnboundedSender<()>);
    #[zbus::interface(name = "org.punktfunk.Host1")]
    impl Refusing {
        fn register_agent(
            &self,
            _path: ObjectPath<'_>,
            _session: String,
            _offer: AgentOffer,
        ) -> zbus::fdo::Result<OwnedObjectPath> {
            self.0.send(()).unwrap();
            Err(zbus::fdo::Error::AccessDenied("not this one".to_owned()))
        }
    }
    let bus = Bus::start();
    let (sender, mut attempts) = mpsc::unbounded_channel();
    let connection = bus.connect().await;
    connection
        .object_server()
        .at(ROOT_PATH, Refusing(sender))
        .await
        .unwrap();
    connection.request_name(BUS_NAME).await.unwrap();
    let mut agent = Agent::start(&bus.address, &["--dev"]);
    for _ in 0..2 {
        timeout(LIMIT, attempts.recv()).await.expect("no attempt");
    }
    assert!(agent.terminate().success());
}

#[tokio::test]
async fn missing_parts_are_named_and_a_lost_bus_is_a_failure() {
    let agent = Agent::start("unix:path=/nonexistent/punktfunk-test-bus", &["--dev"]);
    let (status, said) = agent.end();
    assert!(!status.success());
    assert!(said.contains("system bus"), "{said}");
    assert!(said.contains("DBUS_SYSTEM_BUS_ADDRESS"), "{said}");

    let mut bus = Bus::start();
    let (status, said) = Agent::start(&bus.address, &[]).end();
    assert!(!status.success());
    assert!(
        said.contains("logind") && said.contains("--session"),
        "{said}"
    );

    let (_service, mut registrations) = serve(&bus).await;
    let agent = Agent::start(&bus.address, &["--dev"]);
    next(&mut registrations).await;
    bus.stop();
    let (status, said) = agent.end();
    assert!(!status.success());
    assert!(said.contains("bus went away"), "{said}");
}

/// Property changes and other signals of the stand-in must not confuse the agent's watch.
#[tokio::test]
async fn a_service_that_changes_hands_gets_a_new_registration() {
    let bus = Bus::start();
    let mut agent = Agent::start(&bus.address, &["--dev"]);
    let (old, mut first) = serve(&bus).await;
    let before = next(&mut first).await;
    let watcher = bus.connect().await;
    let dbus = zbus::fdo::DBusProxy::new(&watcher).await.unwrap();
    let mut changes = dbus
        .receive_name_owner_changed_with_args(&[(0, BUS_NAME)])
        .await
        .unwrap();
    old.release_name(BUS_NAME).await.unwrap();
    timeout(LIMIT, changes.next()).await.unwrap().unwrap();
    let (_new, mut second) = serve(&bus).await;
    let after = next(&mut second).await;
    assert_eq!(
        before.sender, after.sender,
        "the same process registers again"
    );
    assert!(agent.terminate().success());
}

/// A stand-in for logind: one user, whose display session can change.
struct Logind;

#[zbus::interface(name = "org.freedesktop.login1.Manager")]
impl Logind {
    fn get_user(&self, _uid: u32) -> OwnedObjectPath {
        ObjectPath::from_static_str_unchecked("/org/freedesktop/login1/user/self").into()
    }
    #[zbus(signal)]
    async fn session_removed(
        emitter: &zbus::object_server::SignalEmitter<'_>,
        id: &str,
        path: ObjectPath<'_>,
    ) -> zbus::Result<()>;
}

struct User(Arc<std::sync::Mutex<String>>);

#[zbus::interface(name = "org.freedesktop.login1.User")]
impl User {
    #[zbus(property(emits_changed_signal = "false"))]
    fn display(&self) -> (String, OwnedObjectPath) {
        let path = ObjectPath::from_static_str_unchecked("/org/freedesktop/login1/session/x");
        (self.0.lock().unwrap().clone(), path.into())
    }
    #[zbus(property(emits_changed_signal = "false"))]
    fn sessions(&self) -> Vec<(String, OwnedObjectPath)> {
        vec![self.display()]
    }
}

/// Whichever session that is.
struct Session;

#[zbus::interface(name = "org.freedesktop.login1.Session")]
impl Session {
    #[zbus(property)]
    fn state(&self) -> &str {
        "active"
    }
    #[zbus(property, name = "Type")]
    fn kind(&self) -> &str {
        "wayland"
    }
    #[zbus(property)]
    fn class(&self) -> &str {
        "user"
    }
    #[zbus(property)]
    fn active(&self) -> bool {
        true
    }
    #[zbus(property)]
    fn seat(&self) -> (String, OwnedObjectPath) {
        let path = ObjectPath::from_static_str_unchecked("/org/freedesktop/login1/seat/seat0");
        ("seat0".to_owned(), path.into())
    }
}

#[tokio::test]
async fn after_a_new_login_the_new_session_is_offered() {
    let bus = Bus::start();
    let display = Arc::new(std::sync::Mutex::new("c1".to_owned()));
    let logind = bus.connect().await;
    let server = logind.object_server();
    let manager = "/org/freedesktop/login1";
    server.at(manager, Logind).await.unwrap();
    server
        .at("/org/freedesktop/login1/session/x", Session)
        .await
        .unwrap();
    server
        .at(
            "/org/freedesktop/login1/user/self",
            User(Arc::clone(&display)),
        )
        .await
        .unwrap();
    logind.request_name("org.freedesktop.login1").await.unwrap();
    let (_service, mut registrations) = serve(&bus).await;
    let mut agent = Agent::start(&bus.address, &[]);
    assert_eq!(next(&mut registrations).await.session, "c1");
    let emitter = zbus::object_server::SignalEmitter::new(&logind, manager).unwrap();
    let gone = ObjectPath::from_static_str_unchecked("/org/freedesktop/login1/session/x");
    // another user's session changes nothing
    Logind::session_removed(&emitter, "c9", gone.clone())
        .await
        .unwrap();
    *display.lock().unwrap() = "c2".to_owned();
    Logind::session_removed(&emitter, "c1", gone).await.unwrap();
    assert_eq!(next(&mut registrations).await.session, "c2");
    assert!(agent.terminate().success());
}

/// Mutter, as far as it is asked what it takes.
struct Desktop;

#[zbus::interface(name = "org.gnome.Mutter.RemoteDesktop")]
impl Desktop {
    /// Keyboard, pointer, touch screen.
    #[zbus(property)]
    fn supported_device_types(&self) -> u32 {
        7
    }
}

#[tokio::test]
async fn touch_is_offered_as_long_as_there_is_a_desktop_that_takes_it() {
    const NAME: &str = "org.gnome.Mutter.RemoteDesktop";
    let bus = Bus::start();
    let (_service, mut registrations) = serve(&bus).await;
    let mut agent = Agent::start(&bus.address, &["--dev"]);
    assert_eq!(next(&mut registrations).await.offer.touch, Some(false));
    let desktop = bus.connect().await;
    let objects = desktop.object_server();
    objects
        .at("/org/gnome/Mutter/RemoteDesktop", Desktop)
        .await
        .unwrap();
    desktop.request_name(NAME).await.unwrap();
    assert_eq!(next(&mut registrations).await.offer.touch, Some(true));
    desktop.release_name(NAME).await.unwrap();
    assert_eq!(next(&mut registrations).await.offer.touch, Some(false));
    assert!(agent.terminate().success());
}
