//! polkit and logind as a test wants them.
use crate::rig::Bus;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};
use tokio::sync::Semaphore;
use zbus::{
    Connection, interface,
    object_server::SignalEmitter,
    zvariant::{ObjectPath, OwnedObjectPath, OwnedValue},
};

/// What polkit answers for an action.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Answer {
    Yes,
    No,
    /// Somebody would have to authenticate; nobody does.
    Challenge,
}

/// One question that polkit was asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    pub kind: String,
    pub name: String,
    pub action: String,
    pub interactive: bool,
}

pub struct Polkit {
    answers: Mutex<HashMap<String, Answer>>,
    asked: Mutex<Vec<Question>>,
    /// As many questions as there are permits are answered; the others wait.
    pub gate: Semaphore,
    connection: Mutex<Option<Connection>>,
}

impl Polkit {
    /// Everything is refused until said otherwise.
    pub async fn serve(bus: &Bus) -> Arc<Self> {
        let polkit = Arc::new(Self {
            answers: Mutex::default(),
            asked: Mutex::default(),
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
            connection: Mutex::default(),
        });
        let connection = bus.connect().await;
        let path = "/org/freedesktop/PolicyKit1/Authority";
        connection
            .object_server()
            .at(path, PolkitObject(Arc::clone(&polkit)))
            .await
            .unwrap();
        connection
            .request_name("org.freedesktop.PolicyKit1")
            .await
            .unwrap();
        *polkit.connection.lock().unwrap() = Some(connection);
        polkit
    }

    /// From now on; `action` without its common beginning.
    pub fn answer(&self, action: &str, answer: Answer) {
        self.answers
            .lock()
            .unwrap()
            .insert(format!("org.punktfunk.host.{action}"), answer);
    }

    pub fn answer_all(&self, answer: Answer) {
        for action in [
            "pair",
            "manage-own",
            "manage-all",
            "configure",
            "register-agent",
        ] {
            self.answer(action, answer);
        }
    }

    /// The questions since the last time.
    pub fn asked(&self) -> Vec<Question> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    /// polkitd is gone.
    pub async fn die(&self) {
        let connection = self.connection.lock().unwrap().take();
        connection.unwrap().close().await.unwrap();
    }
}

struct PolkitObject(Arc<Polkit>);

#[interface(name = "org.freedesktop.PolicyKit1.Authority")]
impl PolkitObject {
    async fn check_authorization(
        &self,
        subject: (String, HashMap<String, OwnedValue>),
        action: String,
        _details: HashMap<String, String>,
        flags: u32,
        _cancellation: String,
    ) -> (bool, bool, HashMap<String, String>) {
        let name = subject
            .1
            .get("name")
            .map(|name| String::try_from(name.clone()).unwrap())
            .unwrap_or_default();
        let question = Question {
            kind: subject.0,
            name,
            action: action.clone(),
            interactive: flags & 1 != 0,
        };
        self.0.asked.lock().unwrap().push(question);
        let _permit = self.0.gate.acquire().await.unwrap();
        match self.0.answers.lock().unwrap().get(&action) {
            Some(Answer::Yes) => (true, false, HashMap::new()),
            Some(Answer::Challenge) => (false, true, HashMap::new()),
            Some(Answer::No) | None => (false, false, HashMap::new()),
        }
    }
}

/// A session as logind tells of it.
#[derive(Debug, Clone)]
pub struct Session {
    pub uid: u32,
    pub class: &'static str,
    pub state: &'static str,
    pub seat: &'static str,
    pub active: bool,
}

impl Session {
    pub fn of(uid: u32) -> Self {
        Self {
            uid,
            class: "user",
            state: "active",
            seat: "seat0",
            active: true,
        }
    }
}

pub struct Logind {
    connection: Connection,
}

impl Logind {
    pub async fn serve(bus: &Bus) -> Self {
        let connection = bus.connect().await;
        connection
            .object_server()
            .at("/org/freedesktop/login1", Manager)
            .await
            .unwrap();
        connection
            .request_name("org.freedesktop.login1")
            .await
            .unwrap();
        Self { connection }
    }

    pub async fn add(&self, id: &str, session: Session) {
        self.connection
            .object_server()
            .at(path(id), SessionObject(session))
            .await
            .unwrap();
    }

    pub async fn remove(&self, id: &str) {
        let server = self.connection.object_server();
        server.remove::<SessionObject, _>(path(id)).await.unwrap();
        let emitter = SignalEmitter::new(&self.connection, "/org/freedesktop/login1").unwrap();
        Manager::session_removed(&emitter, id, path(id))
            .await
            .unwrap();
    }

    /// The session was switched away or back.
    pub async fn set_active(&self, id: &str, active: bool) {
        let object = self
            .connection
            .object_server()
            .interface::<_, SessionObject>(path(id))
            .await
            .unwrap();
        let mut session = object.get_mut().await;
        session.0.active = active;
        session
            .active_changed(object.signal_emitter())
            .await
            .unwrap();
    }
}

fn path(id: &str) -> ObjectPath<'static> {
    ObjectPath::try_from(format!("/org/freedesktop/login1/session/{id}")).unwrap()
}

struct Manager;

#[interface(name = "org.freedesktop.login1.Manager")]
impl Manager {
    async fn get_session(
        &self,
        id: String,
        #[zbus(object_server)] server: &zbus::ObjectServer,
    ) -> zbus::fdo::Result<OwnedObjectPath> {
        match server.interface::<_, SessionObject>(path(&id)).await {
            Ok(_) => Ok(path(&id).into()),
            Err(_) => Err(zbus::fdo::Error::UnknownObject(format!("no session {id}"))),
        }
    }

    #[zbus(signal)]
    async fn session_removed(
        emitter: &SignalEmitter<'_>,
        id: &str,
        path: ObjectPath<'_>,
    ) -> zbus::Result<()>;
}

struct SessionObject(Session);

#[interface(name = "org.freedesktop.login1.Session")]
impl SessionObject {
    #[zbus(property)]
    fn user(&self) -> (u32, OwnedObjectPath) {
        (self.0.uid, path("user").into())
    }
    #[zbus(property)]
    fn seat(&self) -> (String, OwnedObjectPath) {
        (self.0.seat.into(), path("seat").into())
    }
    #[zbus(property)]
    fn class(&self) -> String {
        self.0.class.into()
    }
    #[zbus(property)]
    fn state(&self) -> String {
        self.0.state.into()
    }
    #[zbus(property)]
    fn active(&self) -> bool {
        self.0.active
    }
    #[zbus(property)]
    fn locked_hint(&self) -> bool {
        false
    }
}
