//! A bus of its own for each test, a stand-in for the service on it, and the agent's program.

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use punktfunk_dbus::{
    names::{BUS_NAME, ROOT_PATH},
    open_stream::{AgentOffer, OpenStream},
    proxies::Agent1Proxy,
};
use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};
use tokio::{sync::mpsc, time::timeout};
use zbus::{
    Connection,
    connection::Builder,
    message::Header,
    zvariant::{ObjectPath, OwnedObjectPath},
};

/// No step takes longer unless something hangs.
pub const LIMIT: Duration = Duration::from_secs(60);

/// A bus daemon of this test alone.
pub struct Bus {
    daemon: Child,
    pub address: String,
}

impl Bus {
    pub fn start() -> Self {
        let mut daemon = Command::new("dbus-daemon")
            .args(["--session", "--nofork", "--print-address"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("dbus-daemon is needed for this test");
        let mut address = String::new();
        BufReader::new(daemon.stdout.take().unwrap())
            .read_line(&mut address)
            .unwrap();
        Self {
            daemon,
            address: address.trim().to_owned(),
        }
    }

    pub async fn connect(&self) -> Connection {
        Builder::address(self.address.as_str())
            .unwrap()
            .build()
            .await
            .unwrap()
    }

    /// Stop the daemon and wait for it.
    pub fn stop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The agent's process.
pub struct Agent(pub Child);

impl Agent {
    pub fn start(address: &str, arguments: &[&str]) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_punktfunk-agent"))
            .arg("run")
            .args(arguments)
            .env("DBUS_SYSTEM_BUS_ADDRESS", address)
            .env("DBUS_SESSION_BUS_ADDRESS", address)
            .env_remove("XDG_SESSION_ID")
            .env_remove("PUNKTFUNK_DEV")
            .env_remove("JOURNAL_STREAM")
            .env_remove("NOTIFY_SOCKET")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self(child)
    }

    pub fn terminate(&mut self) -> ExitStatus {
        kill(Pid::from_raw(self.0.id() as i32), Signal::SIGTERM).unwrap();
        self.0.wait().unwrap()
    }

    /// Its exit status and what it said, once it ends by itself.
    pub fn end(mut self) -> (ExitStatus, String) {
        let mut said = String::new();
        let mut stderr = self.0.stderr.take().unwrap();
        stderr.read_to_string(&mut said).unwrap();
        (self.0.wait().unwrap(), said)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What an agent said when it registered.
#[derive(Debug)]
pub struct Registered {
    pub sender: String,
    pub path: OwnedObjectPath,
    pub session: String,
    pub offer: AgentOffer,
}

/// The stand-in: takes every registration.
pub struct Host1(mpsc::UnboundedSender<Registered>);

#[zbus::interface(name = "org.punktfunk.Host1")]
impl Host1 {
    fn register_agent(
        &self,
        path: ObjectPath<'_>,
        session: String,
        offer: AgentOffer,
        #[zbus(header)] header: Header<'_>,
    ) -> OwnedObjectPath {
        self.0
            .send(Registered {
                sender: header.sender().unwrap().to_string(),
                path: path.into(),
                session,
                offer,
            })
            .unwrap();
        ObjectPath::from_static_str_unchecked("/org/punktfunk/Host1/agents/dev").into()
    }
}

pub async fn serve(bus: &Bus) -> (Connection, mpsc::UnboundedReceiver<Registered>) {
    let (sender, registrations) = mpsc::unbounded_channel();
    let connection = bus.connect().await;
    connection
        .object_server()
        .at(ROOT_PATH, Host1(sender))
        .await
        .unwrap();
    connection.request_name(BUS_NAME).await.unwrap();
    (connection, registrations)
}

pub async fn next(registrations: &mut mpsc::UnboundedReceiver<Registered>) -> Registered {
    timeout(LIMIT, registrations.recv())
        .await
        .expect("no registration")
        .unwrap()
}

pub fn options() -> OpenStream {
    OpenStream {
        stream: 1,
        width: 640,
        height: 368,
        fps: 60,
        codec: "h264".to_owned(),
        bitrate_kbps: 2000,
        slots: 4,
        slot_size: 512 * 1024,
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

pub async fn agent<'a>(connection: &'a Connection, registered: &'a Registered) -> Agent1Proxy<'a> {
    Agent1Proxy::builder(connection)
        .destination(registered.sender.as_str())
        .unwrap()
        .path(registered.path.as_ref())
        .unwrap()
        .build()
        .await
        .unwrap()
}
