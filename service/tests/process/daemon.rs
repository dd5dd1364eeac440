//! A bus daemon and a service, started and cleaned up; told ready by the service itself, as systemd is.
use std::{
    fs,
    io::{BufRead, BufReader, Read},
    os::unix::{fs::PermissionsExt, net::UnixDatagram},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::atomic::{AtomicU16, Ordering},
    time::{Duration, Instant},
};

pub const LIMIT: Duration = Duration::from_secs(60);

/// A directory that everybody may enter, gone with the test.
pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new() -> Self {
        let path = std::env::temp_dir().join(format!("punktfunk-process-{}", uuid::Uuid::new_v4()));
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        Self(path)
    }
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A bus that lets everybody do everything.
pub struct Bus {
    daemon: Child,
    pub address: String,
    _scratch: Scratch,
}

impl Bus {
    pub fn start() -> Self {
        let scratch = Scratch::new();
        let text = format!(
            r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><listen>unix:path={}/bus</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*"/>
<allow send_requested_reply="true" send_type="method_return"/><allow send_requested_reply="true" send_type="error"/>
<allow send_type="signal"/><allow receive_sender="*"/></policy></busconfig>"#,
            scratch.0.display()
        );
        let mut daemon = Command::new("dbus-daemon")
            .arg("--config-file")
            .arg(scratch.file("bus.conf", &text))
            .args(["--nofork", "--nopidfile", "--print-address"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("dbus-daemon is needed for this test");
        let mut address = String::new();
        let stdout = daemon.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut address).unwrap();
        Self {
            daemon,
            address: address.trim().to_owned(),
            _scratch: scratch,
        }
    }

    /// The bus goes away under everybody's feet.
    pub fn kill(&mut self) {
        self.daemon.kill().unwrap();
        self.daemon.wait().unwrap();
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

/// Ports of one service of these tests; below the kernel's own choices.
pub fn base_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let slot =
        u16::try_from(std::process::id() % 40).unwrap() * 10 + NEXT.fetch_add(1, Ordering::Relaxed);
    20_100 + slot * 30
}

/// The program with a fresh environment, not yet started.
pub fn command(bus_address: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_punktfunkd"));
    command
        .env_clear()
        .env("DBUS_SYSTEM_BUS_ADDRESS", bus_address)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// Run to the end: exit status and what it said.
pub fn run(mut command: Command) -> (ExitStatus, String) {
    let mut child = command.spawn().unwrap();
    let mut said = String::new();
    let mut stderr = child.stderr.take().unwrap();
    let status = ended(&mut child);
    stderr.read_to_string(&mut said).unwrap();
    (status, said)
}

/// Wait for the end, within the limit.
pub fn ended(child: &mut Child) -> ExitStatus {
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if Instant::now() > deadline {
            child.kill().unwrap();
            panic!("the service did not end");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A service that runs.
pub struct Service {
    pub child: Child,
    notifications: UnixDatagram,
    _scratch: Scratch,
}

impl Service {
    /// Start and wait until it says READY=1.
    pub fn start(mut command: Command) -> Self {
        let scratch = Scratch::new();
        let socket = scratch.0.join("notify");
        let notifications = UnixDatagram::bind(&socket).unwrap();
        fs::set_permissions(&socket, fs::Permissions::from_mode(0o666)).unwrap();
        notifications.set_read_timeout(Some(LIMIT)).unwrap();
        command.env("NOTIFY_SOCKET", &socket);
        let service = Self {
            child: command.spawn().unwrap(),
            notifications,
            _scratch: scratch,
        };
        service.hears("READY=1");
        service
    }

    /// Wait for this notification.
    pub fn hears(&self, wanted: &str) {
        let mut buffer = [0; 1024];
        loop {
            let length = match self.notifications.recv(&mut buffer) {
                Ok(length) => length,
                Err(error) => panic!("no {wanted} from the service: {error}"),
            };
            let text = String::from_utf8_lossy(&buffer[..length]);
            if text.lines().any(|line| line == wanted) {
                return;
            }
        }
    }

    pub fn signal(&self, signal: nix::sys::signal::Signal) {
        let pid = nix::unistd::Pid::from_raw(self.child.id().try_into().unwrap());
        nix::sys::signal::kill(pid, signal).unwrap();
    }

    /// `/proc/.../status` of every thread.
    pub fn threads(&self) -> Vec<String> {
        let tasks = Path::new("/proc")
            .join(self.child.id().to_string())
            .join("task");
        fs::read_dir(tasks)
            .unwrap()
            .map(|entry| fs::read_to_string(entry.unwrap().path().join("status")).unwrap())
            .collect()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// In development mode with everything in `scratch`.
pub fn development(bus: &Bus, scratch: &Scratch) -> Command {
    let mut command = command(&bus.address);
    let config = scratch.file("punktfunk.toml", "discovery = false\n");
    command.arg("--dev").arg("--config").arg(config);
    command.arg("--state-dir").arg(scratch.0.join("state"));
    command.arg("--base-port").arg(base_port().to_string());
    command
}
