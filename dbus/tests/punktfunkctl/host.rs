//! A bus of the test's own, and a host on it that keeps the documented contract with objects made up.
use punktfunk_dbus::{
    error::{HostError, HostErrorKind},
    names::{BUS_NAME, ROOT_PATH, object_path},
};
use std::{
    collections::HashMap,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
};
use zbus::{
    Connection, ObjectServer, connection, interface,
    zvariant::{OwnedObjectPath, OwnedValue},
};

/// dbus-daemon on a socket of its own; it ends with this value.
pub struct PrivateBus {
    daemon: Child,
    pub address: String,
}

impl PrivateBus {
    pub fn start() -> Self {
        let mut daemon = Command::new("dbus-daemon")
            .args(["--session", "--nofork", "--nopidfile", "--print-address"])
            .arg("--address=unix:tmpdir=/tmp")
            .stdout(Stdio::piped())
            .spawn()
            .expect("dbus-daemon is needed for this test: apt-get install dbus");
        let mut address = String::new();
        let mut lines = BufReader::new(daemon.stdout.take().unwrap());
        lines.read_line(&mut address).unwrap();
        let address = address.trim().to_owned();
        Self { daemon, address }
    }
}

impl Drop for PrivateBus {
    fn drop(&mut self) {
        self.daemon.kill().unwrap();
        self.daemon.wait().unwrap();
    }
}

/// What was asked of the host, for the test to look at.
#[derive(Default)]
pub struct Calls {
    pub closed: AtomicU32,
    pub log: Mutex<Vec<String>>,
}

impl Calls {
    fn note(&self, call: impl Into<String>) {
        self.log.lock().unwrap().push(call.into());
    }
    pub fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }
}

pub struct FakeHost {
    pub calls: Arc<Calls>,
    /// Devices that knock as soon as the window opens: (name, address).
    pub devices: Vec<(&'static str, &'static str)>,
}

#[interface(name = "org.punktfunk.Host1")]
impl FakeHost {
    async fn open_pairing(
        &self,
        seconds: u32,
        #[zbus(object_server)] server: &ObjectServer,
    ) -> Result<u32, HostError> {
        self.calls.note(format!("open {seconds}"));
        for (number, (name, address)) in self.devices.iter().enumerate() {
            let pairing = FakePairing {
                name,
                address,
                calls: self.calls.clone(),
            };
            let path = object_path("pairings", &number.to_string());
            server.at(path, pairing).await?;
        }
        Ok(seconds.min(300))
    }
    fn set_configuration(
        &self,
        values: HashMap<String, OwnedValue>,
    ) -> Result<Vec<String>, HostError> {
        let mut words: Vec<String> = values
            .iter()
            .map(|(key, value)| format!("{key}={}", **value))
            .collect();
        words.sort();
        self.calls.note(format!("set {}", words.join(" ")));
        match values.contains_key("nonsense") {
            true => Err(HostErrorKind::InvalidArgs.because("nonsense is not a setting")),
            false => Ok(vec!["gamepad".into()]),
        }
    }
    fn reset_configuration(&self, keys: Vec<String>) -> Vec<String> {
        self.calls.note(format!("reset {}", keys.join(" ")));
        Vec::new()
    }
    fn reload_configuration(&self) -> Vec<String> {
        self.calls.note("reload");
        Vec::new()
    }
    #[zbus(property)]
    fn configuration(&self) -> HashMap<String, OwnedValue> {
        let text = |text: &str| zbus::zvariant::Str::from(text.to_owned()).into();
        HashMap::from([
            ("name".into(), text("den")),
            ("gamepad".into(), text("xbox")),
            ("video.fec-percent".into(), 20_i64.into()),
        ])
    }
    #[zbus(property)]
    fn configuration_origins(&self) -> HashMap<String, String> {
        HashMap::from([
            ("name".into(), "/etc/punktfunk/punktfunk.toml".into()),
            ("gamepad".into(), "bus".into()),
            ("video.fec-percent".into(), "default".into()),
        ])
    }
    #[zbus(property)]
    fn restart_needed(&self) -> Vec<String> {
        vec!["gamepad".into()]
    }
    fn close_pairing(&self) {
        self.calls.closed.fetch_add(1, Ordering::SeqCst);
    }
    #[zbus(property(emits_changed_signal = "const"))]
    fn version(&self) -> &str {
        "0.1.0"
    }
    #[zbus(property)]
    fn host_name(&self) -> &str {
        "den"
    }
    #[zbus(property(emits_changed_signal = "const"))]
    fn unique_id(&self) -> &str {
        "0123456789abcdef"
    }
    #[zbus(property(emits_changed_signal = "const"))]
    fn fingerprint(&self) -> &str {
        "00ff"
    }
    #[zbus(property(emits_changed_signal = "const"))]
    fn ports(&self) -> HashMap<String, u16> {
        HashMap::from([("http".into(), 47989), ("video".into(), 47998)])
    }
    #[zbus(property)]
    fn encryption(&self) -> HashMap<String, String> {
        ["lan", "wan"]
            .map(|network| (network.into(), "offered".into()))
            .into()
    }
    #[zbus(property)]
    fn pairing_window_open(&self) -> bool {
        false
    }
    #[zbus(property)]
    fn client_count(&self) -> u32 {
        3
    }
    #[zbus(property)]
    fn agent_count(&self) -> u32 {
        0
    }
    #[zbus(property)]
    fn stream_count(&self) -> u32 {
        1
    }
}

struct FakePairing {
    name: &'static str,
    address: &'static str,
    calls: Arc<Calls>,
}

#[interface(name = "org.punktfunk.Host1.Pairing")]
impl FakePairing {
    async fn accept(
        &self,
        pin: &str,
        options: HashMap<String, OwnedValue>,
        #[zbus(object_server)] server: &ObjectServer,
    ) -> Result<String, HostError> {
        if pin != "1234" {
            return Err(HostErrorKind::WrongPin.because("the device was told another PIN"));
        }
        let name = options
            .get("name")
            .map(|name| name.downcast_ref::<String>().unwrap());
        let name = name.unwrap_or_else(|| self.name.into());
        let calls = self.calls.clone();
        server
            .at(object_path("clients", "fe01"), FakeClient { name, calls })
            .await?;
        Ok("fe01".into())
    }
    fn reject(&self) {
        self.calls.note(format!("reject {}", self.address));
    }
    #[zbus(property(emits_changed_signal = "const"))]
    fn name(&self) -> &str {
        self.name
    }
    #[zbus(property(emits_changed_signal = "const"))]
    fn address(&self) -> &str {
        self.address
    }
    #[zbus(property(emits_changed_signal = "const"))]
    fn since(&self) -> u64 {
        1
    }
}

struct FakeClient {
    name: String,
    calls: Arc<Calls>,
}

#[interface(name = "org.punktfunk.Host1.Client")]
impl FakeClient {
    fn unpair(&self) -> Result<(), HostError> {
        if self.name == "Locked" {
            let kind = HostErrorKind::InteractiveAuthorizationRequired;
            return Err(kind.because("authentication is needed"));
        }
        self.calls.note(format!("unpair {}", self.name));
        Ok(())
    }
    fn set_owner(&self, uid: u32) {
        self.calls.note(format!("owner {uid}"));
    }
    fn set_greeter(&self, allowed: bool) {
        self.calls.note(format!("greeter {allowed}"));
    }
    fn set_expiry(&self, expires: u64) {
        self.calls.note(format!("expires {expires}"));
    }
    #[zbus(property)]
    fn greeter(&self) -> bool {
        true
    }
    #[zbus(property)]
    fn expires_at(&self) -> u64 {
        0
    }
    #[zbus(property)]
    fn one_time(&self) -> bool {
        false
    }
    fn set_permissions(&self, permissions: Vec<String>) {
        self.calls
            .note(format!("permissions {}", permissions.join(" ")));
    }
    #[zbus(property)]
    fn name(&self) -> &str {
        &self.name
    }
    #[zbus(property(emits_changed_signal = "const"))]
    fn fingerprint(&self) -> &str {
        "aa"
    }
    #[zbus(property)]
    fn owner(&self) -> u32 {
        0
    }
    #[zbus(property(emits_changed_signal = "const"))]
    fn paired_at(&self) -> u64 {
        1_700_000_000
    }
    #[zbus(property)]
    fn last_seen(&self) -> u64 {
        0
    }
    #[zbus(property)]
    fn permissions(&self) -> Vec<String> {
        vec!["stream".into(), "input".into()]
    }
}

struct FakeStream {
    calls: Arc<Calls>,
}

#[interface(name = "org.punktfunk.Host1.Stream")]
impl FakeStream {
    fn stop(&self) {
        self.calls.note("stop");
    }
    fn request_keyframe(&self) {
        self.calls.note("keyframe");
    }
    fn set_bitrate(&self, kbps: u32) {
        self.calls.note(format!("bitrate {kbps}"));
    }
    #[zbus(property(emits_changed_signal = "const"))]
    fn client(&self) -> OwnedObjectPath {
        object_path("clients", "ab12").try_into().unwrap()
    }
    #[zbus(property(emits_changed_signal = "const"))]
    fn user(&self) -> u32 {
        0
    }
    #[zbus(property)]
    fn session(&self) -> &str {
        "c7"
    }
    #[zbus(property(emits_changed_signal = "const"))]
    fn width(&self) -> u32 {
        1280
    }
    #[zbus(property(emits_changed_signal = "const"))]
    fn height(&self) -> u32 {
        720
    }
    #[zbus(property(emits_changed_signal = "const"))]
    fn fps(&self) -> u32 {
        60
    }
    #[zbus(property(emits_changed_signal = "const"))]
    fn codec(&self) -> &str {
        "h264"
    }
    #[zbus(property)]
    fn bitrate_kbps(&self) -> u32 {
        20_000
    }
    #[zbus(property)]
    fn bitrate_limit_kbps(&self) -> u32 {
        12_000
    }
    #[zbus(property)]
    fn source(&self) -> &str {
        "no-output"
    }
    #[zbus(property)]
    fn source_reason(&self) -> &str {
        "the compositor does not answer"
    }
    #[zbus(property)]
    fn state(&self) -> &str {
        "running"
    }
    #[zbus(property)]
    fn statistics(&self) -> HashMap<String, OwnedValue> {
        HashMap::from([("frames_sent".into(), OwnedValue::from(600_u64))])
    }
}

/// The host on the bus: two clients, one stream, no agent.
pub async fn serve(
    bus: &PrivateBus,
    devices: Vec<(&'static str, &'static str)>,
) -> (Connection, Arc<Calls>) {
    let calls = Arc::new(Calls::default());
    let client = |name: &str| FakeClient {
        name: name.into(),
        calls: calls.clone(),
    };
    let connection = connection::Builder::address(bus.address.as_str())
        .unwrap()
        .serve_at(
            ROOT_PATH,
            FakeHost {
                calls: calls.clone(),
                devices,
            },
        )
        .and_then(|b| b.serve_at(ROOT_PATH, zbus::fdo::ObjectManager))
        .and_then(|b| b.serve_at(object_path("clients", "ab12"), client("TV\u{1b}[2J")))
        .and_then(|b| b.serve_at(object_path("clients", "cd34"), client("Locked")))
        .and_then(|b| {
            b.serve_at(
                object_path("streams", "7"),
                FakeStream {
                    calls: calls.clone(),
                },
            )
        })
        .and_then(|b| b.name(BUS_NAME))
        .unwrap()
        .build()
        .await
        .unwrap();
    (connection, calls)
}
