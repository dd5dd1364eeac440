//! The portal source against a stand-in for xdg-desktop-portal, which makes the calls' answers and remembers what was asked.

use crate::fixture::{Bus, LIMIT};
use std::{
    collections::HashMap,
    os::{
        fd::OwnedFd as StdFd,
        unix::net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
};
use tokio::time::timeout;
use zbus::{
    Connection,
    message::Header,
    zvariant::{ObjectPath, OwnedFd, OwnedObjectPath, OwnedValue, Value},
};

const PATH: &str = "/org/freedesktop/portal/desktop";
/// Cursor modes.
const HIDDEN: u32 = 1;
const EMBEDDED: u32 = 2;
const METADATA: u32 = 4;
type Options = HashMap<String, OwnedValue>;

/// What the stand-in was asked, shared by its interfaces.
#[derive(Clone, Default)]
struct Asked(Arc<Mutex<Vec<(&'static str, Options)>>>, Arc<AtomicU32>);

impl Asked {
    fn note(&self, call: &'static str, options: Options) {
        self.0.lock().unwrap().push((call, options));
    }

    fn texts(&self, call: &str, option: &str) -> Vec<Option<String>> {
        let asked = self.0.lock().unwrap();
        let calls = asked.iter().filter(|(name, _)| *name == call);
        calls
            .map(|(_, options)| String::try_from(options.get(option)?.try_clone().ok()?).ok())
            .collect()
    }

    fn numbers(&self, call: &str, option: &str) -> Vec<Option<u32>> {
        let asked = self.0.lock().unwrap();
        let calls = asked.iter().filter(|(name, _)| *name == call);
        calls
            .map(|(_, options)| u32::try_from(options.get(option)?).ok())
            .collect()
    }
}

fn text(options: &Options, name: &str) -> String {
    String::try_from(options[name].try_clone().unwrap()).unwrap()
}

/// Answer through a request object, as portals do.
async fn respond(
    bus: &Connection,
    header: &Header<'_>,
    options: &Options,
    results: HashMap<&str, Value<'_>>,
) -> OwnedObjectPath {
    let sender = header.sender().unwrap();
    let name = sender.trim_start_matches(':').replace('.', "_");
    let path = format!("{PATH}/request/{name}/{}", text(options, "handle_token"));
    let path = ObjectPath::try_from(path).unwrap();
    bus.emit_signal(
        Some(sender.clone()),
        path.clone(),
        "org.freedesktop.portal.Request",
        "Response",
        &(0_u32, results),
    )
    .await
    .unwrap();
    path.into()
}

struct Closable;

#[zbus::interface(name = "org.freedesktop.portal.Session")]
impl Closable {
    fn close(&self) {}
    #[zbus(property, name = "version")]
    fn version(&self) -> u32 {
        1
    }
}

async fn create(bus: &Connection, header: &Header<'_>, options: &Options) -> OwnedObjectPath {
    let name = header
        .sender()
        .unwrap()
        .trim_start_matches(':')
        .replace('.', "_");
    let path = format!(
        "{PATH}/session/{name}/{}",
        text(options, "session_handle_token")
    );
    bus.object_server()
        .at(path.as_str(), Closable)
        .await
        .unwrap();
    let handle = Value::from(path);
    respond(
        bus,
        header,
        options,
        HashMap::from([("session_handle", handle)]),
    )
    .await
}

/// The answer to `Start`: a stream, and a token that no earlier answer had.
async fn start(
    asked: &Asked,
    bus: &Connection,
    header: &Header<'_>,
    options: &Options,
) -> OwnedObjectPath {
    let token = format!("token-{}", asked.1.fetch_add(1, Ordering::Relaxed) + 1);
    let streams = vec![(42_u32, HashMap::<String, OwnedValue>::new())];
    let results = HashMap::from([
        ("streams", Value::from(streams)),
        ("devices", Value::from(3_u32)),
        ("restore_token", Value::from(token)),
    ]);
    respond(bus, header, options, results).await
}

/// With the cursor modes that it offers.
struct Cast(Asked, u32);

#[zbus::interface(name = "org.freedesktop.portal.ScreenCast")]
impl Cast {
    #[zbus(property, name = "version")]
    fn version(&self) -> u32 {
        5
    }
    #[zbus(property)]
    fn available_source_types(&self) -> u32 {
        1
    }
    #[zbus(property)]
    fn available_cursor_modes(&self) -> u32 {
        self.1
    }
    async fn create_session(
        &self,
        options: Options,
        #[zbus(connection)] bus: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> OwnedObjectPath {
        create(bus, &header, &options).await
    }
    async fn select_sources(
        &self,
        _session: ObjectPath<'_>,
        options: Options,
        #[zbus(connection)] bus: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> OwnedObjectPath {
        let path = respond(bus, &header, &options, HashMap::new()).await;
        self.0.note("SelectSources", options);
        path
    }
    async fn start(
        &self,
        _session: ObjectPath<'_>,
        _window: String,
        options: Options,
        #[zbus(connection)] bus: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> OwnedObjectPath {
        start(&self.0, bus, &header, &options).await
    }
    /// A PipeWire that hangs up.
    #[zbus(name = "OpenPipeWireRemote")]
    fn open_pipe_wire_remote(&self, _session: ObjectPath<'_>, _options: Options) -> OwnedFd {
        let (ours, _) = UnixStream::pair().unwrap();
        StdFd::from(ours).into()
    }
}

struct Remote(Asked);

#[zbus::interface(name = "org.freedesktop.portal.RemoteDesktop")]
impl Remote {
    #[zbus(property, name = "version")]
    fn version(&self) -> u32 {
        2
    }
    #[zbus(property)]
    fn available_device_types(&self) -> u32 {
        3
    }
    async fn create_session(
        &self,
        options: Options,
        #[zbus(connection)] bus: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> OwnedObjectPath {
        create(bus, &header, &options).await
    }
    async fn select_devices(
        &self,
        _session: ObjectPath<'_>,
        options: Options,
        #[zbus(connection)] bus: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> OwnedObjectPath {
        let path = respond(bus, &header, &options, HashMap::new()).await;
        self.0.note("SelectDevices", options);
        path
    }
    async fn start(
        &self,
        _session: ObjectPath<'_>,
        _window: String,
        options: Options,
        #[zbus(connection)] bus: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> OwnedObjectPath {
        start(&self.0, bus, &header, &options).await
    }
}

/// A folder of this test's, gone at its end.
struct Home(PathBuf);

impl Home {
    fn new(input: bool) -> Self {
        let folder =
            std::env::temp_dir().join(format!("punktfunk-portal-{}-{input}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The portal source opened twice; what the stand-in was asked. `input`: it has RemoteDesktop.
async fn twice(input: bool, cursor_modes: u32) -> Asked {
    let bus = Bus::start();
    let portal = bus.connect().await;
    let asked = Asked::default();
    portal
        .object_server()
        .at(PATH, Cast(asked.clone(), cursor_modes))
        .await
        .unwrap();
    if input {
        portal
            .object_server()
            .at(PATH, Remote(asked.clone()))
            .await
            .unwrap();
    }
    portal
        .request_name("org.freedesktop.portal.Desktop")
        .await
        .unwrap();
    let home = Home::new(input);
    let display = home.0.join("wayland-0");
    let _compositor = UnixListener::bind(&display).unwrap();
    for _ in 0..2 {
        let spike = tokio::process::Command::from(spike(&bus, &home.0, &display)).output();
        let out = timeout(LIMIT, spike)
            .await
            .expect("the agent hangs")
            .unwrap();
        // There is no PipeWire behind it.
        assert!(!out.status.success());
    }
    asked
}

fn spike(bus: &Bus, home: &Path, display: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_punktfunk-agent"));
    command
        .args(["spike", "--source", "portal", "--seconds", "1", "--out"])
        .arg(home.join("out.h264"))
        .env("DBUS_SESSION_BUS_ADDRESS", &bus.address)
        .env("XDG_RUNTIME_DIR", home)
        .env("XDG_STATE_HOME", home.join("state"))
        .env("WAYLAND_DISPLAY", display)
        .stdout(Stdio::null());
    command
}

#[tokio::test]
async fn the_portals_consent_to_picture_and_input_is_asked_once_and_remembered() {
    let asked = twice(true, HIDDEN | EMBEDDED | METADATA).await;
    assert_eq!(
        asked.numbers("SelectSources", "cursor_mode"),
        [Some(EMBEDDED); 2]
    );
    assert_eq!(
        asked.numbers("SelectDevices", "persist_mode"),
        [Some(2), Some(2)]
    );
    assert_eq!(
        asked.texts("SelectDevices", "restore_token"),
        [None, Some("token-1".to_owned())]
    );
    // portals refuse it in both places
    assert_eq!(asked.numbers("SelectSources", "persist_mode"), [None, None]);
}

#[tokio::test]
async fn a_portal_without_input_is_asked_once_as_well() {
    let asked = twice(false, HIDDEN | METADATA).await;
    // the pointer is drawn by the agent then
    assert_eq!(
        asked.numbers("SelectSources", "cursor_mode"),
        [Some(METADATA); 2]
    );
    assert_eq!(
        asked.numbers("SelectSources", "persist_mode"),
        [Some(2), Some(2)]
    );
    assert_eq!(
        asked.texts("SelectSources", "restore_token"),
        [None, Some("token-1".to_owned())]
    );
}
