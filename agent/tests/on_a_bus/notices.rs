//! Notifications, against a server of the test's own: what is shown, what the person can do with it, and that nothing stays.

use crate::fixture::*;
use punktfunk_dbus::names::{BUS_NAME, ROOT_PATH, object_path};
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};
use tokio::{
    sync::{Semaphore, mpsc},
    time::timeout,
};
use zbus::{
    Connection,
    object_server::SignalEmitter,
    zvariant::{ObjectPath, OwnedObjectPath, OwnedValue},
};

/// What the server, or the service, was asked.
#[derive(Debug, PartialEq)]
enum Asked {
    Shown {
        id: u32,
        replaces: u32,
        summary: String,
        body: String,
        actions: Vec<String>,
        urgency: u8,
    },
    TakenBack(u32),
    Accepted(String),
    Rejected,
    Stopped,
}

type Log = mpsc::UnboundedSender<Asked>;

struct Server {
    log: Log,
    last: AtomicU32,
    takes_text: bool,
    /// A notification is answered with its number only once there is a permit.
    gate: Arc<Semaphore>,
}

#[zbus::interface(name = "org.freedesktop.Notifications")]
impl Server {
    #[allow(clippy::too_many_arguments)]
    async fn notify(
        &self,
        _application: String,
        replaces: u32,
        _icon: String,
        summary: String,
        body: String,
        actions: Vec<String>,
        hints: HashMap<String, OwnedValue>,
        _timeout: i32,
    ) -> u32 {
        let id = match replaces {
            0 => self.last.fetch_add(1, Ordering::SeqCst) + 1,
            id => id,
        };
        let urgency = hints["urgency"].downcast_ref::<u8>().unwrap();
        let shown = Asked::Shown {
            id,
            replaces,
            summary,
            body,
            actions,
            urgency,
        };
        self.log.send(shown).unwrap();
        self.gate.acquire().await.unwrap().forget();
        id
    }
    fn close_notification(&self, id: u32) {
        self.log.send(Asked::TakenBack(id)).unwrap();
    }
    fn get_capabilities(&self) -> Vec<String> {
        let mut can = vec!["actions".to_owned(), "body".to_owned()];
        if self.takes_text {
            can.push("inline-reply".to_owned());
        }
        can
    }
    #[zbus(signal)]
    async fn action_invoked(emitter: &SignalEmitter<'_>, id: u32, key: &str) -> zbus::Result<()>;
    #[zbus(signal)]
    async fn notification_replied(
        emitter: &SignalEmitter<'_>,
        id: u32,
        text: &str,
    ) -> zbus::Result<()>;
    #[zbus(signal)]
    async fn notification_closed(
        emitter: &SignalEmitter<'_>,
        id: u32,
        reason: u32,
    ) -> zbus::Result<()>;
}

struct Waiting(Log);

#[zbus::interface(name = "org.punktfunk.Host1.Pairing")]
impl Waiting {
    fn accept(
        &self,
        pin: String,
        _options: HashMap<String, OwnedValue>,
    ) -> zbus::fdo::Result<String> {
        let right = pin == "1234";
        self.0.send(Asked::Accepted(pin)).unwrap();
        match right {
            true => Ok("ab".into()),
            false => Err(zbus::fdo::Error::Failed("another PIN".into())),
        }
    }
    fn reject(&self) {
        self.0.send(Asked::Rejected).unwrap();
    }
    #[zbus(property)]
    fn name(&self) -> &str {
        "Living <room>"
    }
    #[zbus(property)]
    fn address(&self) -> &str {
        "192.0.2.7"
    }
}

struct Client;

#[zbus::interface(name = "org.punktfunk.Host1.Client")]
impl Client {
    #[zbus(property)]
    fn name(&self) -> &str {
        "TV"
    }
}

struct Watched {
    log: Log,
    user: u32,
}

#[zbus::interface(name = "org.punktfunk.Host1.Stream")]
impl Watched {
    fn stop(&self) {
        self.log.send(Asked::Stopped).unwrap();
    }
    #[zbus(property)]
    fn user(&self) -> u32 {
        self.user
    }
    #[zbus(property)]
    fn client(&self) -> OwnedObjectPath {
        ObjectPath::try_from(object_path("clients", "ab"))
            .unwrap()
            .into()
    }
}

/// The desktop's server, the service and the agent, on one bus.
struct Desk {
    _bus: Bus,
    agent: Agent,
    service: Connection,
    server: Connection,
    log: Log,
    asked: mpsc::UnboundedReceiver<Asked>,
    gate: Arc<Semaphore>,
}

impl Desk {
    async fn start(takes_text: bool) -> Self {
        let bus = Bus::start();
        let (log, asked) = mpsc::unbounded_channel();
        let gate = Arc::new(Semaphore::new(1000));
        let server = bus.connect().await;
        let notifications = Server {
            log: log.clone(),
            last: AtomicU32::new(0),
            takes_text,
            gate: Arc::clone(&gate),
        };
        server
            .object_server()
            .at("/org/freedesktop/Notifications", notifications)
            .await
            .unwrap();
        server
            .request_name("org.freedesktop.Notifications")
            .await
            .unwrap();
        let service = bus.connect().await;
        let objects = service.object_server();
        objects
            .at(ROOT_PATH, zbus::fdo::ObjectManager)
            .await
            .unwrap();
        objects
            .at(object_path("clients", "ab"), Client)
            .await
            .unwrap();
        service.request_name(BUS_NAME).await.unwrap();
        let agent = Agent::start(&bus.address, &["--dev"]);
        Self {
            _bus: bus,
            agent,
            service,
            server,
            log,
            asked,
            gate,
        }
    }
    async fn next(&mut self) -> Asked {
        timeout(LIMIT, self.asked.recv())
            .await
            .expect("nothing was asked")
            .unwrap()
    }
    async fn shown(&mut self) -> (u32, String, String, Vec<String>, u8) {
        match self.next().await {
            Asked::Shown {
                id,
                summary,
                body,
                actions,
                urgency,
                ..
            } => (id, summary, body, actions, urgency),
            other => panic!("not shown: {other:?}"),
        }
    }
    async fn knock(&self) {
        let waiting = Waiting(self.log.clone());
        let objects = self.service.object_server();
        objects
            .at(object_path("pairings", "3"), waiting)
            .await
            .unwrap();
    }
    async fn watch(&self, number: &str, user: u32) {
        let stream = Watched {
            log: self.log.clone(),
            user,
        };
        let objects = self.service.object_server();
        objects
            .at(object_path("streams", number), stream)
            .await
            .unwrap();
    }
    async fn emitter(&self) -> SignalEmitter<'static> {
        SignalEmitter::new(&self.server, "/org/freedesktop/Notifications").unwrap()
    }
}

fn me() -> u32 {
    nix::unistd::getuid().as_raw()
}

#[tokio::test]
async fn a_device_that_waits_is_shown_with_its_name_and_the_way_and_goes_when_it_goes() {
    let mut desk = Desk::start(false).await;
    desk.knock().await;
    let (id, summary, body, actions, urgency) = desk.shown().await;
    assert!(summary.contains("Living <room>"), "{summary}");
    assert!(body.contains("punktfunkctl pair --device 3"), "{body}");
    assert_eq!(
        (actions.as_slice(), urgency),
        (["reject", "Reject"].map(String::from).as_slice(), 1)
    );
    // Others' notifications are none of ours.
    Server::action_invoked(&desk.emitter().await, id + 7, "reject")
        .await
        .unwrap();
    Server::action_invoked(&desk.emitter().await, id, "reject")
        .await
        .unwrap();
    assert_eq!(desk.next().await, Asked::Rejected);
    let objects = desk.service.object_server();
    objects
        .remove::<Waiting, _>(object_path("pairings", "3"))
        .await
        .unwrap();
    assert_eq!(desk.next().await, Asked::TakenBack(id));
    assert!(desk.agent.terminate().success());
}

#[tokio::test]
async fn where_the_server_takes_text_the_pin_is_typed_there_and_a_wrong_one_is_told() {
    let mut desk = Desk::start(true).await;
    desk.knock().await;
    let (id, _, body, actions, _) = desk.shown().await;
    assert!(actions.contains(&"inline-reply".to_owned()) && !body.contains("punktfunkctl"));
    for (typed, sent) in [("0000", "0000"), (" 1234\n", "1234")] {
        Server::notification_replied(&desk.emitter().await, id, typed)
            .await
            .unwrap();
        assert_eq!(desk.next().await, Asked::Accepted(sent.into()));
        if sent != "1234" {
            let (_, summary, body, ..) = desk.shown().await;
            assert!(
                summary.contains("not paired") && body.contains("another PIN"),
                "{summary} {body}"
            );
        }
    }
}

#[tokio::test]
async fn somebody_who_watches_is_shown_quietly_until_the_last_stream_ends() {
    let mut desk = Desk::start(false).await;
    // Somebody else's desktop is not this one.
    desk.watch("1", me() + 1).await;
    desk.watch("2", me()).await;
    let (id, summary, _, actions, urgency) = desk.shown().await;
    assert_eq!(
        (summary.as_str(), urgency),
        ("TV is watching this session", 0)
    );
    assert_eq!(actions[0], "stop");
    Server::action_invoked(&desk.emitter().await, id, "stop")
        .await
        .unwrap();
    assert_eq!(desk.next().await, Asked::Stopped);
    // A second stream of the same client is the same news; the first of two ends.
    desk.watch("4", me()).await;
    let objects = desk.service.object_server();
    objects
        .remove::<Watched, _>(object_path("streams", "2"))
        .await
        .unwrap();
    objects
        .remove::<Watched, _>(object_path("streams", "4"))
        .await
        .unwrap();
    assert_eq!(desk.next().await, Asked::TakenBack(id));
}

#[tokio::test]
async fn an_agent_that_ends_leaves_nothing_shown_not_even_what_it_was_just_showing() {
    let mut desk = Desk::start(false).await;
    desk.watch("2", me()).await;
    let (indicator, ..) = desk.shown().await;
    let taken = async {
        while desk.gate.available_permits() == 1000 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(LIMIT, taken)
        .await
        .expect("the server was asked");
    // The server takes its time with the next one, and the agent is told to end meanwhile.
    let held = desk.gate.forget_permits(1000);
    desk.knock().await;
    let (pairing, ..) = desk.shown().await;
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(desk.agent.0.id() as i32),
        nix::sys::signal::Signal::SIGTERM,
    )
    .unwrap();
    desk.gate.add_permits(held);
    let mut taken = [desk.next().await, desk.next().await];
    taken.sort_by_key(|asked| match asked {
        Asked::TakenBack(id) => *id,
        other => panic!("not taken back: {other:?}"),
    });
    assert_eq!(
        taken,
        [Asked::TakenBack(indicator), Asked::TakenBack(pairing)]
    );
    assert!(desk.agent.0.wait().unwrap().success());
}
