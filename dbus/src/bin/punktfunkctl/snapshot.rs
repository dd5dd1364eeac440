//! The host's objects as they were at one moment, read from the bus.
use crate::failure::Failure;
use punktfunk_dbus::names::{
    CLIENT_INTERFACE, PAIRING_INTERFACE, REGISTERED_AGENT_INTERFACE, STREAM_INTERFACE,
};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use zbus::{
    fdo::ManagedObjects,
    zvariant::{OwnedObjectPath, OwnedValue, Value},
};

/// The properties of one interface of one object.
pub type Properties = HashMap<String, OwnedValue>;

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Snapshot {
    pub host: Host,
    pub pairings: Vec<Pairing>,
    pub clients: Vec<Client>,
    pub agents: Vec<Agent>,
    pub streams: Vec<Stream>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Host {
    pub version: String,
    pub host_name: String,
    pub unique_id: String,
    pub fingerprint: String,
    pub ports: BTreeMap<String, u16>,
    /// The word for each network: "lan", "wan".
    pub encryption: BTreeMap<String, String>,
    pub pairing_window_open: bool,
    /// Of all accounts, also those that the caller does not see.
    pub client_count: u32,
    pub agent_count: u32,
    pub stream_count: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pairing {
    #[serde(skip)]
    pub path: String,
    pub id: String,
    pub name: String,
    pub address: String,
    pub since: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Client {
    #[serde(skip)]
    pub path: String,
    pub id: String,
    pub name: String,
    pub fingerprint: String,
    pub owner: Account,
    pub paired_at: u64,
    pub last_seen: u64,
    pub permissions: Vec<String>,
    /// May watch log-in screens.
    pub greeter: bool,
    /// Seconds since 1970; 0 = never.
    pub expires_at: u64,
    /// Forgotten after its first stream.
    pub one_time: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Agent {
    pub user: Account,
    pub session: String,
    pub seat: String,
    pub compositor: String,
    pub encoders: Vec<String>,
    pub codecs: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stream {
    #[serde(skip)]
    pub path: String,
    pub id: String,
    /// The client's id.
    pub client: String,
    /// The client's name, where the caller may see it.
    pub client_name: Option<String>,
    pub user: Account,
    /// The login manager's id of the session that is shown, or was last.
    pub session: String,
    pub width: u32,
    pub height: u32,
    pub fps: u32,
    pub codec: String,
    pub bitrate_kbps: u32,
    /// The share of the host's total, where that is less; 0 = it is not.
    pub bitrate_limit_kbps: u32,
    pub state: String,
    /// How it is with the session's pictures, and why.
    pub source: String,
    pub source_reason: String,
    pub statistics: BTreeMap<String, serde_json::Value>,
}

/// A local account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Account {
    pub uid: u32,
    pub name: Option<String>,
}

impl Account {
    pub fn of(uid: u32) -> Self {
        let user = nix::unistd::User::from_uid(uid.into()).ok().flatten();
        Self {
            uid,
            name: user.map(|user| user.name),
        }
    }
}

impl Account {
    /// By name or by uid.
    pub fn named(text: &str) -> Result<Self, Failure> {
        let unknown = || Failure::not_found(format!("there is no account {text}"));
        if let Ok(uid) = text.parse() {
            return Ok(Self::of(uid));
        }
        let user = nix::unistd::User::from_name(text).ok().flatten();
        let user = user.ok_or_else(unknown)?;
        Ok(Self {
            uid: user.uid.as_raw(),
            name: Some(user.name),
        })
    }
}

impl std::fmt::Display for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.name {
            Some(name) => f.write_str(name),
            None => write!(f, "uid {}", self.uid),
        }
    }
}

impl Snapshot {
    pub fn read(host: Properties, objects: ManagedObjects) -> Result<Self, Failure> {
        let mut snapshot = Self {
            host: Host::read(Reader(host))?,
            pairings: Vec::new(),
            clients: Vec::new(),
            agents: Vec::new(),
            streams: Vec::new(),
        };
        for (path, interfaces) in objects {
            for (interface, properties) in interfaces {
                let reader = Reader(properties);
                match interface.as_str() {
                    PAIRING_INTERFACE => snapshot.pairings.push(Pairing::read(&path, reader)?),
                    CLIENT_INTERFACE => snapshot.clients.push(Client::read(&path, reader)?),
                    REGISTERED_AGENT_INTERFACE => snapshot.agents.push(Agent::read(reader)?),
                    STREAM_INTERFACE => snapshot.streams.push(Stream::read(&path, reader)?),
                    // Interfaces of a newer service are not an error.
                    _ => {}
                }
            }
        }
        snapshot.put_in_order();
        Ok(snapshot)
    }

    fn put_in_order(&mut self) {
        self.pairings.sort_by_key(|pairing| pairing.since);
        self.clients
            .sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
        self.agents.sort_by(|a, b| a.session.cmp(&b.session));
        self.streams
            .sort_by(|a, b| (a.id.len(), &a.id).cmp(&(b.id.len(), &b.id)));
        for stream in &mut self.streams {
            let client = self
                .clients
                .iter()
                .find(|client| client.id == stream.client);
            stream.client_name = client.map(|client| client.name.clone());
        }
    }
}

impl Host {
    /// Every plane with its port, by port.
    pub fn ports_in_order(&self) -> Vec<(&str, u16)> {
        let mut ports: Vec<(&str, u16)> = self
            .ports
            .iter()
            .map(|(name, port)| (name.as_str(), *port))
            .collect();
        ports.sort_by_key(|(_, port)| *port);
        ports
    }

    fn read(mut from: Reader) -> Result<Self, Failure> {
        Ok(Self {
            version: from.take("Version")?,
            host_name: from.take("HostName")?,
            unique_id: from.take("UniqueId")?,
            fingerprint: from.take("Fingerprint")?,
            ports: from
                .take::<HashMap<String, u16>>("Ports")?
                .into_iter()
                .collect(),
            encryption: from
                .take::<HashMap<String, String>>("Encryption")?
                .into_iter()
                .collect(),
            pairing_window_open: from.take("PairingWindowOpen")?,
            client_count: from.take("ClientCount")?,
            agent_count: from.take("AgentCount")?,
            stream_count: from.take("StreamCount")?,
        })
    }
}

impl Pairing {
    fn read(path: &OwnedObjectPath, mut from: Reader) -> Result<Self, Failure> {
        Ok(Self {
            path: path.to_string(),
            id: last_part(path),
            name: from.take("Name")?,
            address: from.take("Address")?,
            since: from.take("Since")?,
        })
    }
}

impl Client {
    /// As much of the id as a person needs; the commands take the beginning of an id.
    pub fn short_id(&self) -> &str {
        self.id.get(..12).unwrap_or(&self.id)
    }

    fn read(path: &OwnedObjectPath, mut from: Reader) -> Result<Self, Failure> {
        Ok(Self {
            path: path.to_string(),
            id: last_part(path),
            name: from.take("Name")?,
            fingerprint: from.take("Fingerprint")?,
            owner: Account::of(from.take("Owner")?),
            paired_at: from.take("PairedAt")?,
            last_seen: from.take("LastSeen")?,
            permissions: from.take("Permissions")?,
            greeter: from.take("Greeter")?,
            expires_at: from.take("ExpiresAt")?,
            one_time: from.take("OneTime")?,
        })
    }
}

impl Agent {
    fn read(mut from: Reader) -> Result<Self, Failure> {
        Ok(Self {
            user: Account::of(from.take("User")?),
            session: from.take("Session")?,
            seat: from.take("Seat")?,
            compositor: from.take("Compositor")?,
            encoders: from.take("Encoders")?,
            codecs: from.take("Codecs")?,
        })
    }
}

impl Stream {
    fn read(path: &OwnedObjectPath, mut from: Reader) -> Result<Self, Failure> {
        let statistics: HashMap<String, OwnedValue> = from.take("Statistics")?;
        Ok(Self {
            path: path.to_string(),
            id: last_part(path),
            client: last_part(&from.take("Client")?),
            client_name: None,
            user: Account::of(from.take("User")?),
            session: from.take("Session")?,
            width: from.take("Width")?,
            height: from.take("Height")?,
            fps: from.take("Fps")?,
            codec: from.take("Codec")?,
            bitrate_kbps: from.take("BitrateKbps")?,
            bitrate_limit_kbps: from.take("BitrateLimitKbps")?,
            state: from.take("State")?,
            source: from.take("Source")?,
            source_reason: from.take("SourceReason")?,
            statistics: statistics
                .into_iter()
                .map(|(name, value)| (name, figure(&value)))
                .collect(),
        })
    }

    /// A figure of [`Stream::statistics`], where the service has it.
    pub fn figure(&self, name: &str) -> Option<u64> {
        self.statistics.get(name)?.as_u64()
    }

    /// The client as a person knows it.
    pub fn watcher(&self) -> &str {
        self.client_name.as_deref().unwrap_or(&self.client)
    }
}

/// Properties, each of which has to be there and of the right type.
struct Reader(Properties);

impl Reader {
    fn take<T: TryFrom<OwnedValue>>(&mut self, name: &str) -> Result<T, Failure> {
        let value = self
            .0
            .remove(name)
            .and_then(|value| T::try_from(value).ok());
        value.ok_or_else(|| {
            Failure::service(format!("the service's answer lacks {name}")).with_remedy(
                "service and punktfunkctl come from different versions: restart the service",
            )
        })
    }
}

fn last_part(path: &OwnedObjectPath) -> String {
    let path = path.as_str();
    path.rsplit('/').next().unwrap_or(path).to_owned()
}

/// A figure as JSON: a number where it is one, else its text.
fn figure(value: &Value<'_>) -> serde_json::Value {
    match value {
        Value::U64(number) => (*number).into(),
        Value::U32(number) => (*number).into(),
        Value::I64(number) => (*number).into(),
        Value::I32(number) => (*number).into(),
        Value::F64(number) => (*number).into(),
        Value::Str(text) => text.as_str().into(),
        Value::Bool(flag) => (*flag).into(),
        Value::Value(inner) => figure(inner),
        other => other.to_string().into(),
    }
}
