//! The objects that there are: their paths, who may see them, and what they say.
use crate::{
    agents::AgentInfo,
    authority::Audience,
    config::Value as Setting,
    host::Host,
    ids::{ClientId, SessionId, Uid},
    pairings::WaitingPairing,
    store::ClientRecord,
    stream::StreamInfo,
};
use punktfunk_dbus::{interfaces, names::ROOT_PATH};
use std::collections::{BTreeMap, HashMap};
use zbus::zvariant::{ObjectPath, OwnedObjectPath, OwnedValue, Value};

/// The properties of one interface, by name.
pub(super) type Properties = BTreeMap<&'static str, OwnedValue>;

/// The folders below the root.
pub(super) const FOLDERS: [&str; 4] = ["agents", "clients", "pairings", "streams"];

/// One object as it is now.
#[derive(Debug, Clone)]
pub(super) enum Object {
    Host,
    Pairing(WaitingPairing),
    Client(ClientRecord),
    Agent(AgentInfo),
    Stream(StreamInfo),
}

impl Object {
    /// Every object but the root.
    pub(super) fn all(host: &Host) -> Vec<Self> {
        let pairings = host.pairings.waiting().into_iter().map(Self::Pairing);
        let clients = host.clients.list().into_iter().map(Self::Client);
        let agents = host.agents.list().into_iter().map(Self::Agent);
        let streams = host.streams.list().into_iter().map(Self::Stream);
        pairings
            .chain(clients)
            .chain(agents)
            .chain(streams)
            .collect()
    }

    /// The object at a path.
    pub(super) fn at(host: &Host, path: &str) -> Option<Self> {
        if path == ROOT_PATH {
            return Some(Self::Host);
        }
        let (folder, name) = path
            .strip_prefix(ROOT_PATH)?
            .strip_prefix('/')?
            .split_once('/')?;
        match folder {
            "clients" => host
                .clients
                .get(&ClientId(name.to_owned()))
                .map(Self::Client),
            "agents" => host
                .agents
                .list()
                .into_iter()
                .find(|agent| escaped(&agent.session) == name)
                .map(Self::Agent),
            "pairings" => host
                .pairings
                .waiting()
                .into_iter()
                .find(|pairing| pairing.id.to_string() == name)
                .map(Self::Pairing),
            "streams" => host
                .streams
                .list()
                .into_iter()
                .find(|stream| stream.id.to_string() == name)
                .map(Self::Stream),
            _ => None,
        }
    }

    /// Folder and name below the root; None for the root.
    pub(super) fn place(&self) -> Option<(&'static str, String)> {
        match self {
            Self::Host => None,
            Self::Pairing(pairing) => Some(("pairings", pairing.id.to_string())),
            Self::Client(client) => Some(("clients", client.id.to_string())),
            Self::Agent(agent) => Some(("agents", escaped(&agent.session))),
            Self::Stream(stream) => Some(("streams", stream.id.to_string())),
        }
    }

    pub(super) fn path(&self) -> OwnedObjectPath {
        let path = match self.place() {
            None => ROOT_PATH.to_owned(),
            Some((folder, name)) => format!("{ROOT_PATH}/{folder}/{name}"),
        };
        // Names are digits, hex or escaped.
        ObjectPath::from_string_unchecked(path).into()
    }

    pub(super) fn interface(&self) -> &'static str {
        match self {
            Self::Host => "org.punktfunk.Host1",
            Self::Pairing(_) => "org.punktfunk.Host1.Pairing",
            Self::Client(_) => "org.punktfunk.Host1.Client",
            Self::Agent(_) => "org.punktfunk.Host1.Agent",
            Self::Stream(_) => "org.punktfunk.Host1.Stream",
        }
    }

    /// The interface as documented.
    pub(super) fn xml(&self) -> &'static str {
        match self {
            Self::Host => interfaces::HOST,
            Self::Pairing(_) => interfaces::PAIRING,
            Self::Client(_) => interfaces::CLIENT,
            Self::Agent(_) => interfaces::AGENT,
            Self::Stream(_) => interfaces::STREAM,
        }
    }

    pub(super) fn audience(&self) -> Audience {
        match self {
            Self::Host => Audience::Everyone,
            Self::Pairing(_) => Audience::Pairers,
            _ => self.owner().map_or(Audience::Everyone, Audience::Owner),
        }
    }

    /// The account whose it is, if it is anybody's.
    pub(super) fn owner(&self) -> Option<Uid> {
        match self {
            Self::Host | Self::Pairing(_) => None,
            Self::Client(client) => Some(client.owner),
            Self::Agent(agent) => Some(agent.uid),
            Self::Stream(stream) => Some(stream.user),
        }
    }

    pub(super) fn properties(&self, host: &Host) -> Properties {
        let mut properties = Properties::new();
        let mut say = |name, value: Value<'_>| {
            // Only a descriptor cannot be copied, and there is none.
            if let Ok(value) = value.try_to_owned() {
                properties.insert(name, value);
            }
        };
        match self {
            Self::Host => {
                let ports: HashMap<_, _> = host.settings.now().ports.named().into();
                let window = host.pairings.window_open();
                let configured = host.settings.view();
                let values: HashMap<&str, Value<'_>> = configured
                    .values
                    .into_iter()
                    .map(|(key, value)| (key, setting(value)))
                    .collect();
                say("Configuration", values.into());
                let origins: HashMap<&str, String> = configured.origins.into_iter().collect();
                say("ConfigurationOrigins", origins.into());
                say("RestartNeeded", configured.restart.into());
                say("Version", env!("CARGO_PKG_VERSION").into());
                say("HostName", host.settings.now().name.as_str().into());
                say("UniqueId", host.identity.unique_id.as_str().into());
                say("Fingerprint", host.identity.fingerprint().into());
                say("Ports", ports.into());
                say("Encryption", encryption(host));
                say("PairingWindowOpen", window.into());
                say("ClientCount", count(host.clients.list().len()));
                say("AgentCount", count(host.agents.list().len()));
                say("StreamCount", count(host.streams.list().len()));
            }
            Self::Pairing(pairing) => {
                say("Name", pairing.name.as_str().into());
                say("Address", pairing.address.to_string().into());
                say("Since", pairing.since.into());
            }
            Self::Client(client) => {
                say("Name", client.name.as_str().into());
                say("Fingerprint", client.id.0.as_str().into());
                say("Owner", client.owner.0.into());
                say("PairedAt", client.paired_at.into());
                say("LastSeen", client.last_seen.into());
                say("Permissions", client.permissions.clone().into());
                say("Greeter", client.terms.greeter.into());
                say("ExpiresAt", client.terms.expires_at.into());
                say("OneTime", client.terms.one_time.into());
            }
            Self::Agent(agent) => {
                say("User", agent.uid.0.into());
                say("Session", agent.session.0.as_str().into());
                say("Seat", agent.seat.as_str().into());
                say("Compositor", agent.compositor.as_str().into());
                say("Encoders", agent.encoders.clone().into());
                say("Codecs", agent.codecs.clone().into());
            }
            Self::Stream(stream) => {
                let client = format!("{ROOT_PATH}/clients/{}", stream.client);
                let mut statistics: HashMap<&str, Value<'_>> = stream
                    .statistics
                    .iter()
                    .map(|(name, figure)| (*name, Value::from(*figure)))
                    .collect();
                statistics.insert("last_decision", stream.last_decision.into());
                say("Client", ObjectPath::from_string_unchecked(client).into());
                say("User", stream.user.0.into());
                say("Session", stream.session.as_str().into());
                say("Width", stream.width.into());
                say("Height", stream.height.into());
                say("Fps", stream.fps.into());
                say("Codec", stream.codec.into());
                say("BitrateKbps", stream.bitrate_kbps.into());
                let limit_kbps = stream.bitrate_limit_kbps.unwrap_or(0);
                say("BitrateLimitKbps", limit_kbps.into());
                say("State", stream.state.into());
                say("Source", stream.source.into());
                say("SourceReason", stream.source_reason.as_str().into());
                say("Statistics", statistics.into());
            }
        }
        properties
    }
}

/// A property that changes all the time, and is signalled once in a while.
pub(super) const LIVE: &str = "Statistics";

fn encryption(host: &Host) -> Value<'static> {
    let policy = host.settings.now().encryption;
    HashMap::from([("lan", policy.lan.as_str()), ("wan", policy.wan.as_str())]).into()
}

fn setting(value: Setting) -> Value<'static> {
    match value {
        Setting::Text(text) => text.into(),
        Setting::Number(number) => number.into(),
        Setting::Flag(flag) => flag.into(),
    }
}

fn count(length: usize) -> Value<'static> {
    u32::try_from(length).unwrap_or(u32::MAX).into()
}

/// What a path cannot hold is written `_xx`.
fn escaped(session: &SessionId) -> String {
    session
        .0
        .bytes()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() {
                char::from(byte).to_string()
            } else {
                format!("_{byte:02x}")
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_ids_become_path_elements_without_collisions() {
        let path = |id: &str| escaped(&SessionId(id.into()));
        assert_eq!(path("c2"), "c2");
        assert_eq!(path("a-b"), "a_2db");
        assert_ne!(path("a-"), path("a_2d"));
        assert!(ObjectPath::try_from(format!("/{}", path("é/ \0"))).is_ok());
    }
}
