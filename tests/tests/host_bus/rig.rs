//! A private bus daemon and, on it, the service's D-Bus side with everything behind it.
use crate::mocks::{Logind, Polkit};
use punktfunk_service::{
    admission::Admission,
    agents::Agents,
    api::Api,
    authority::Authority,
    config::{Config, Ports, Settings},
    host::Host,
    identity::Identity,
    ids::Uid,
    launch::Launches,
    pairings::Pairings,
    sessions::Sessions,
    store::ClientStore,
    stream::Streams,
};
use std::{
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Arc, OnceLock},
    time::Duration,
};
use zbus::{Connection, Message, connection::Builder, zvariant::DynamicType};

pub const ROOT: &str = "/org/punktfunk/Host1";
pub const HOST: &str = "org.punktfunk.Host1";
/// Far above what anything here takes; a test that hangs fails.
pub const LIMIT: Duration = Duration::from_secs(60);

/// A directory that goes with the test.
pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new() -> Self {
        static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("punktfunk-bus-{}-{number}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A bus on which everybody may do everything: what is refused, the service refuses.
pub struct Bus {
    daemon: Child,
    pub address: String,
    _scratch: Scratch,
}

impl Bus {
    pub fn start() -> Self {
        let scratch = Scratch::new();
        let configuration = scratch.0.join("bus.conf");
        let text = format!(
            r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><listen>unix:path={}/bus</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*"/>
<allow send_requested_reply="true" send_type="method_return"/><allow send_requested_reply="true" send_type="error"/>
<allow send_type="signal"/><allow receive_sender="*"/></policy></busconfig>"#,
            scratch.0.display()
        );
        std::fs::File::create(&configuration)
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
        let mut daemon = Command::new("dbus-daemon")
            .arg("--config-file")
            .arg(&configuration)
            .args(["--nofork", "--nopidfile", "--print-address"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("dbus-daemon is needed for this test");
        let mut address = String::new();
        BufReader::new(daemon.stdout.take().unwrap())
            .read_line(&mut address)
            .unwrap();
        Self {
            daemon,
            address: address.trim().to_owned(),
            _scratch: scratch,
        }
    }

    pub async fn connect(&self) -> Connection {
        Builder::address(self.address.as_str())
            .unwrap()
            .build()
            .await
            .unwrap()
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

/// The service's bus side, ready to be called.
pub struct Rig {
    pub bus: Bus,
    pub host: Arc<Host>,
    pub polkit: Arc<Polkit>,
    pub logind: Logind,
    pub api: Option<Api>,
    pub own: Uid,
    scratch: Scratch,
}

impl Rig {
    pub async fn start() -> Self {
        let scratch = Scratch::new();
        let config = Arc::new(Config {
            name: "test".into(),
            // The bus side never opens them; the media planes take any.
            ports: Ports {
                http: 1,
                https: 2,
                rtsp: 3,
                video: 0,
                control: 0,
                audio: 0,
            },
            state_dir: scratch.0.clone(),
            discovery: false,
            ..Config::default()
        });
        Self::with(scratch, config.into()).await
    }

    /// With these settings, whose state directory is `scratch`.
    pub async fn with(scratch: Scratch, settings: Settings) -> Self {
        let bus = Bus::start();
        let polkit = Polkit::serve(&bus).await;
        let logind = Logind::serve(&bus).await;
        let host = host(settings);
        let mut rig = Self {
            bus,
            host,
            polkit,
            logind,
            api: None,
            own: Uid(nix::unistd::getuid().as_raw()),
            scratch,
        };
        rig.api = Some(rig.serve().await.unwrap());
        rig
    }

    /// Another service of the same host on the same bus.
    pub async fn serve(&self) -> Result<Api, punktfunk_service::api::ServeError> {
        let connection = self.bus.connect().await;
        let authority = Authority::polkit(&connection).await?;
        let sessions = Sessions::Logind(connection.clone());
        let admission = Admission::new(connection.clone(), sessions, self.host.agents.clone());
        Api::serve(&connection, Arc::clone(&self.host), authority, admission).await
    }

    /// A client of this test's own account.
    pub fn own_client(&self) -> String {
        self.client_of(self.own, b"own")
    }

    /// A client of somebody else.
    pub fn foreign_client(&self) -> String {
        self.client_of(Uid(self.own.0 + 4242), b"foreign")
    }

    fn client_of(&self, owner: Uid, certificate: &[u8]) -> String {
        let record = self.host.clients.add("tablet", certificate, owner).unwrap();
        format!("{ROOT}/clients/{}", record.id)
    }

    pub fn state_dir(&self) -> &std::path::Path {
        &self.scratch.0
    }
}

fn host(settings: Settings) -> Arc<Host> {
    // Making a key takes long enough to be done once.
    static IDENTITY: OnceLock<Arc<Identity>> = OnceLock::new();
    let identity = IDENTITY.get_or_init(|| {
        let scratch = Scratch::new();
        Arc::new(Identity::open(&scratch.0.join("identity")).unwrap())
    });
    Arc::new(Host {
        clients: ClientStore::open(&settings.now().state_dir).unwrap(),
        identity: Arc::clone(identity),
        pairings: Pairings::new(),
        agents: Agents::new(),
        applications: punktfunk_service::applications::Applications::new(),
        launches: Launches::new(),
        on_demand: punktfunk_service::on_demand::OnDemand::off(),
        streams: Streams::new(settings.clone()).unwrap(),
        settings,
    })
}

/// Call the service.
pub async fn call<B>(
    connection: &Connection,
    path: &str,
    interface: &str,
    member: &str,
    body: &B,
) -> zbus::Result<Message>
where
    B: serde::Serialize + DynamicType,
{
    tokio::time::timeout(
        LIMIT,
        connection.call_method(Some(HOST), path, Some(interface), member, body),
    )
    .await
    .unwrap_or_else(|_| panic!("{interface}.{member} was never answered"))
}

/// The error's name, or "ok".
pub fn name_of(outcome: &zbus::Result<Message>) -> String {
    match outcome {
        Ok(_) => "ok".into(),
        Err(zbus::Error::MethodError(name, ..)) => name.to_string(),
        Err(other) => panic!("not an answer of the service: {other}"),
    }
}

pub const DENIED: &str = "org.freedesktop.DBus.Error.AccessDenied";
pub const CHALLENGE: &str = "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired";
pub const UNKNOWN_OBJECT: &str = "org.freedesktop.DBus.Error.UnknownObject";
