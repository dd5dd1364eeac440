//! What the person at this desktop is told: that a device wants to be paired, with a place for its PIN, and that somebody watches.
//!
//! Owns the notifications that it shows, and takes each of them back: when its reason ends, and when the agent does. Asks the
//! service what there is, as any panel would, and holds no right of its own.
mod board;
mod server;
mod words;

use board::Board;
use futures_util::StreamExt;
use punktfunk_dbus::names::{
    BUS_NAME, CLIENT_INTERFACE, PAIRING_INTERFACE, ROOT_PATH, STREAM_INTERFACE,
};
use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};
use tokio::{sync::oneshot, task::JoinHandle, time::timeout};
use zbus::{
    Connection, MatchRule, Message, MessageStream, fdo, message,
    names::BusName,
    zvariant::{ObjectPath, OwnedObjectPath, OwnedValue},
};

/// How long taking the notifications back may hold up the agent's end.
const FAREWELL: Duration = Duration::from_secs(10);

/// Objects are a caller's own; a service gone wild makes no more of them count.
const MOST: usize = 64;

/// The running watch; ends with [`Notices::end`].
pub struct Notices {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Notices {
    /// Watch the service over `system`, and tell over the session bus. Without one nothing is told.
    pub fn start(system: Connection) -> Self {
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            if let Err(error) = run(&system, stopped).await {
                tracing::debug!("no notifications: {error}");
            }
        });
        Self { stop, task }
    }

    /// Take everything back that is shown.
    pub async fn end(self) {
        let _ = self.stop.send(());
        if timeout(FAREWELL, self.task).await.is_err() {
            tracing::debug!("the notification server did not take the notifications back in time");
        }
    }
}

/// What there is to tell of, as the service says.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Waiting devices: object path, and name and address.
    pairings: BTreeMap<String, (String, String)>,
    /// Who watches: the stream's object path, and the client's.
    streams: BTreeMap<String, String>,
    /// The names of clients by object path.
    clients: BTreeMap<String, String>,
}

type Interfaces = HashMap<String, HashMap<String, OwnedValue>>;

impl Facts {
    fn add(&mut self, path: &str, interfaces: &Interfaces) {
        let text = |properties: &HashMap<String, OwnedValue>, name: &str| {
            let value = properties.get(name)?;
            value.downcast_ref::<String>().ok()
        };
        if let Some(pairing) = interfaces.get(PAIRING_INTERFACE)
            && self.pairings.len() < MOST
        {
            let said = (
                text(pairing, "Name").unwrap_or_default(),
                text(pairing, "Address").unwrap_or_default(),
            );
            self.pairings.insert(path.to_owned(), said);
        }
        if let Some(client) = interfaces.get(CLIENT_INTERFACE) {
            let name = text(client, "Name").unwrap_or_default();
            self.clients.insert(path.to_owned(), name);
        }
        if let Some(stream) = interfaces.get(STREAM_INTERFACE)
            && self.streams.len() < MOST
            // Others' streams, for somebody who may see them all, are none of this desktop.
            && number(stream, "User") == Some(nix::unistd::getuid().as_raw())
        {
            let client = stream.get("Client");
            let client = client.and_then(|path| path.downcast_ref::<ObjectPath<'_>>().ok());
            let client = client.map(|path| path.to_string()).unwrap_or_default();
            self.streams.insert(path.to_owned(), client);
        }
    }

    /// InterfacesAdded or InterfacesRemoved.
    fn follow(&mut self, change: &Message) {
        let body = change.body();
        match change.header().member().map(|member| member.as_str()) {
            Some("InterfacesAdded") => {
                if let Ok((path, interfaces)) = body.deserialize::<(OwnedObjectPath, Interfaces)>()
                {
                    self.add(&path, &interfaces);
                }
            }
            Some("InterfacesRemoved") => {
                if let Ok((path, _)) = body.deserialize::<(OwnedObjectPath, Vec<String>)>() {
                    self.remove(&path);
                }
            }
            _ => {}
        }
    }

    fn remove(&mut self, path: &str) {
        self.pairings.remove(path);
        self.streams.remove(path);
        self.clients.remove(path);
    }

    /// The names of those who watch, each once.
    fn watchers(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .streams
            .values()
            .map(|client| self.clients.get(client).cloned().unwrap_or_default())
            .collect();
        names.sort();
        names.dedup();
        names
    }
}

fn number(properties: &HashMap<String, OwnedValue>, name: &str) -> Option<u32> {
    properties.get(name)?.downcast_ref::<u32>().ok()
}

async fn run(system: &Connection, mut stopped: oneshot::Receiver<()>) -> zbus::Result<()> {
    let bus = fdo::DBusProxy::new(system).await?;
    let manager = fdo::ObjectManagerProxy::builder(system)
        .destination(BUS_NAME)?
        .path(ROOT_PATH)?
        .build()
        .await?;
    // Watched before it is asked for: no moment is missed.
    let mut owners = bus
        .receive_name_owner_changed_with_args(&[(0, BUS_NAME)])
        .await?;
    // One stream for both signals: what comes and goes is heard in that order.
    let rule = MatchRule::builder()
        .msg_type(message::Type::Signal)
        .sender(BUS_NAME)?
        .path(ROOT_PATH)?
        .interface("org.freedesktop.DBus.ObjectManager")?
        .build();
    let mut changes = MessageStream::for_match_rule(rule, system, None).await?;
    let mut facts = Facts::default();
    if bus.name_has_owner(BusName::try_from(BUS_NAME)?).await? {
        facts = everything(&manager).await;
    }
    let mut board = Board::default();
    loop {
        // Nobody at a greeter is told of anything: whoever sits there is nobody yet.
        match facts == Facts::default() || !at_a_greeter(system).await {
            true => board.show(&facts).await,
            false => board.show(&Facts::default()).await,
        }
        tokio::select! {
            _ = &mut stopped => break,
            change = owners.next() => {
                let Some(change) = change else { break };
                facts = match change.args()?.new_owner().is_some() {
                    true => everything(&manager).await,
                    false => Facts::default(),
                };
            }
            Some(change) = changes.next() => {
                let Ok(change) = change else { continue };
                facts.follow(&change);
            }
            Some(answer) = board.answer() => board.act(answer, &facts, system).await,
        }
    }
    board.clear().await;
    Ok(())
}

/// Whether this account's display is a greeter's, as the login manager says. Without one there is no greeter.
async fn at_a_greeter(system: &Connection) -> bool {
    let class = async {
        let login1 = "org.freedesktop.login1";
        let manager = zbus::Proxy::new(
            system,
            login1,
            "/org/freedesktop/login1",
            "org.freedesktop.login1.Manager",
        )
        .await?;
        let uid = nix::unistd::getuid().as_raw();
        let user: OwnedObjectPath = manager.call("GetUser", &(uid,)).await?;
        let user = zbus::Proxy::new(system, login1, user, "org.freedesktop.login1.User").await?;
        let (_, session): (String, OwnedObjectPath) = user.get_property("Display").await?;
        let session =
            zbus::Proxy::new(system, login1, session, "org.freedesktop.login1.Session").await?;
        session.get_property::<String>("Class").await
    };
    matches!(timeout(FAREWELL, class).await, Ok(Ok(class)) if class == "greeter")
}

/// Asking is also what makes the service tell of changes.
async fn everything(manager: &fdo::ObjectManagerProxy<'_>) -> Facts {
    let mut facts = Facts::default();
    match manager.get_managed_objects().await {
        Ok(objects) => {
            for (path, interfaces) in objects {
                let interfaces = interfaces
                    .into_iter()
                    .map(|(name, properties)| (name.to_string(), properties))
                    .collect();
                facts.add(path.as_str(), &interfaces);
            }
        }
        Err(error) => tracing::debug!("the service does not say what there is: {error}"),
    }
    facts
}
