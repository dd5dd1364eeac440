//! Tries what the service must never be able to do, as the service: `tests/rigs/test-hardening.sh` puts this program in the place of
//! `punktfunkd` in the installed unit. Prints a line for each attempt, tells systemd that it is ready, and ends.
use clap::Parser;
use nix::{
    errno::Errno,
    sched::{CloneFlags, unshare},
    sys::{
        memfd::{MFdFlags, memfd_create},
        ptrace,
        socket::{AddressFamily, SockFlag, SockType, socket},
    },
    unistd::{Pid, getppid},
};
use punktfunk_service::{cli::Cli, config::Config, privileges};
use std::{
    fmt::Display,
    fs::{self, File},
    io,
    net::{TcpListener, UdpSocket},
    os::fd::AsRawFd,
    path::Path,
    process::{Command, ExitStatus},
};
use zbus::{Connection, Proxy, zvariant::Value};

fn main() -> anyhow::Result<()> {
    // As punktfunkd begins.
    let cli = Cli::parse();
    let config = Config::load(&cli)?;
    privileges::drop(&config)?;

    files(&config);
    programs();
    sockets(&config);
    processes();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(units())?;
    sd_notify::notify(&[sd_notify::NotifyState::Ready])?;
    Ok(())
}

fn attempt<T, E: Display>(what: &str, outcome: Result<T, E>) {
    match outcome {
        Ok(_) => println!("ALLOWED {what}"),
        Err(error) => println!("refused {what}: {error}"),
    }
}

/// What has to work, or the refusals say nothing.
fn needed<T, E: Display>(what: &str, outcome: Result<T, E>) {
    match outcome {
        Ok(_) => println!("works {what}"),
        Err(error) => println!("BROKEN {what}: {error}"),
    }
}

fn files(config: &Config) {
    attempt("list /home", fs::read_dir("/home"));
    attempt("list a home", fs::read_dir("/home/alice"));
    attempt("list /run/user", fs::read_dir("/run/user"));
    attempt("list the identity", fs::read_dir(&config.identity_dir));
    attempt("write /etc", fs::write("/etc/punktfunk/probe", ""));
    attempt("write /usr", fs::write("/usr/probe", ""));
    let own = config.state_dir.join("probe");
    needed("write the own state", fs::write(&own, "#!/bin/sh\n"));
    let _ = fs::remove_file(own);
}

fn programs() {
    attempt(
        "run a shell",
        Command::new("/bin/sh").arg("-c").arg(":").status(),
    );
    attempt("run a program", Command::new("/usr/bin/true").status());
    attempt("run a program from memory", from_memory());
    let loader = ["/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"];
    for loader in loader.iter().filter(|loader| Path::new(loader).exists()) {
        let loaded = Command::new(loader).arg("/usr/bin/true").status();
        let loaded = match loaded {
            Ok(status) if !status.success() => Err(status.to_string()),
            Ok(_) => Ok(()),
            Err(error) => Err(error.to_string()),
        };
        attempt("run a program through the loader", loaded);
    }
}

/// A file without a path: nothing that is said of paths holds for it.
fn from_memory() -> io::Result<ExitStatus> {
    let mut memory = File::from(memfd_create(c"probe", MFdFlags::empty())?);
    io::copy(&mut File::open("/usr/bin/true")?, &mut memory)?;
    Command::new(format!("/proc/self/fd/{}", memory.as_raw_fd())).status()
}

fn sockets(config: &Config) {
    let open = |family, kind| socket(family, kind, SockFlag::empty(), None);
    let packet = open(AddressFamily::Packet, SockType::Raw);
    attempt("open a packet socket", packet);
    attempt(
        "open a raw socket",
        open(AddressFamily::Inet, SockType::Raw),
    );
    attempt(
        "open a socket of another family",
        open(AddressFamily::Vsock, SockType::Stream),
    );
    attempt("listen on TCP port 4444", TcpListener::bind("[::]:4444"));
    attempt("listen on UDP port 4444", UdpSocket::bind("0.0.0.0:4444"));
    attempt("listen on port 22", TcpListener::bind("0.0.0.0:22"));
    let own = (std::net::Ipv4Addr::UNSPECIFIED, config.ports.http);
    needed("listen on the own port", TcpListener::bind(own));
}

fn processes() {
    attempt("see process 1", fs::metadata("/proc/1"));
    attempt("trace process 1", ptrace::attach(Pid::from_raw(1)));
    attempt("trace the parent", ptrace::attach(getppid()));
    // Anybody else may do this.
    attempt("be traced", ptrace::traceme());
    let namespace = unshare(CloneFlags::CLONE_NEWUSER);
    attempt("make a user namespace", namespace);
    attempt("be root again", nix::unistd::setuid(0.into()));
    let kill = nix::sys::signal::kill(Pid::from_raw(1), None);
    attempt("signal process 1", kill.map_err(Errno::desc));
}

async fn units() -> anyhow::Result<()> {
    let bus = Connection::system().await?;
    let manager = Proxy::new(
        &bus,
        "org.freedesktop.systemd1",
        "/org/freedesktop/systemd1",
        "org.freedesktop.systemd1.Manager",
    )
    .await?;
    let asked: zbus::Result<String> = manager.get_property("Version").await;
    needed("ask systemd", asked);
    let unit = "systemd-tmpfiles-clean.service";
    let started = manager.call_method("StartUnit", &(unit, "replace")).await;
    attempt("start a foreign unit", started);
    let program = vec![("/bin/sh", vec!["/bin/sh", "-c", ":"], false)];
    let properties = vec![("ExecStart", Value::from(program))];
    let none = Vec::<(&str, Vec<(&str, Value<'_>)>)>::new();
    let made = manager
        .call_method(
            "StartTransientUnit",
            &("probe.service", "fail", properties, none),
        )
        .await;
    attempt("start a unit of its own making", made);
    let environment = manager.call_method("SetEnvironment", &(vec!["A=b"],)).await;
    attempt("change systemd's environment", environment);
    let login = Proxy::new(
        &bus,
        "org.freedesktop.login1",
        "/org/freedesktop/login1",
        "org.freedesktop.login1.Manager",
    )
    .await?;
    let off = login.call_method("PowerOff", &(false,)).await;
    attempt("turn the machine off", off);
    let name = bus.request_name("org.freedesktop.hostname1").await;
    attempt("take a foreign name on the bus", name);
    Ok(())
}
