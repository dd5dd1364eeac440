//! gamescope: a compositor of its own for one program, at the client's size, without window or screen.
//!
//! Three ways to one: the gamescope that an application of the catalogue was started in (which the application's runner
//! started, and which outlives this process), one of our own around a command, which ends with the stream, and one that runs
//! already, which is never stopped. The first two are held by a [`keeper`], which says where the pictures are.

mod command;
mod eis;
mod facts;
pub mod keeper;
mod node;

use std::{
    collections::HashSet,
    env, io,
    os::unix::net::UnixStream as Probe,
    path::PathBuf,
    process::{Child, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines},
    net::UnixStream,
    time::{Instant, timeout, timeout_at},
};

use super::{
    Source, SourceError, SourceRequest,
    desktop::{self, Handover, Opened, Pictures},
};
use crate::{
    apps::{Nesting, Places},
    capture::Remote,
    input::Target,
    processes,
};
use facts::Fact;
use keeper::KeeperArgs;
use node::Found;

/// Its name in configuration and on the command line.
pub const NAME: &str = "gamescope";

/// How long a gamescope may take from its start to its pictures. Shaders may have to be compiled.
const START_LIMIT: Duration = Duration::from_secs(20);
const OPEN_LIMIT: Duration = Duration::from_secs(30);
/// How long it may take for its keeper to listen.
const KEEPER_LIMIT: Duration = Duration::from_secs(8);
/// When PipeWire is asked for the node, counted from the display's start, and how often.
const ASK_AFTER: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(100);
/// How long the end of an application's gamescope is kept quiet: its runner reports it as the ordinary end that it is.
const PATIENCE: Duration = Duration::from_secs(6);
/// The same for our own: its keeper knows more of the reason than the capture, which hears of it first.
const EXPLANATION: Duration = Duration::from_secs(2);
/// How long the end of our own is waited for; its keeper sees to it afterwards too.
const END_LIMIT: Duration = Duration::from_secs(4);
/// Bytes that a keeper says at most.
const MAX_TOLD: u64 = 256 * 1024;

/// What is to be shown in a gamescope.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Inside {
    /// One that runs already, else the command of the user's own file.
    #[default]
    Whatever,
    /// The application that was started in one, by its id.
    Application(u32),
    /// This command.
    Command(Vec<String>),
}

/// Open a gamescope for `request`.
///
/// # Errors
/// `Unavailable` where there is none to show and none to start, `Failed` with its last words.
pub fn open(request: &SourceRequest) -> Result<Box<dyn Source>, SourceError> {
    let wanted = request.clone();
    desktop::open(NAME, request, OPEN_LIMIT, move |handover| {
        session(wanted, handover)
    })
}

/// As [`open`], where gamescope is this session's compositor.
///
/// # Errors
/// `Unavailable` where it is not.
pub fn open_session(request: &SourceRequest) -> Result<Box<dyn Source>, SourceError> {
    let desktop = env::var("XDG_CURRENT_DESKTOP").unwrap_or_default();
    if desktop != NAME && super::detection::wayland_socket().is_some() {
        return Err(unavailable("another compositor runs in this session"));
    }
    let request = request.clone();
    let wanted = request.clone();
    desktop::open(NAME, &request, OPEN_LIMIT, move |handover| async move {
        match running().await? {
            Some(found) => attached(found, &wanted, handover).await,
            None => Err(unavailable("no gamescope runs in this session")),
        }
    })
}

/// The command that runs `command` inside a gamescope for the application `app`: the program, and all its words.
///
/// # Errors
/// Text for a person: gamescope is not installed, or there is no runtime directory.
pub fn application(
    places: &Places,
    app: u32,
    mode: (u32, u32, u32),
    command: Vec<String>,
) -> Result<(PathBuf, Vec<String>), String> {
    let args = keeper_args(
        places,
        socket_of(app).map_err(|error| error.to_string())?,
        mode,
        command,
    )
    .map_err(|error| error.to_string())?;
    let program = own_program().map_err(|error| error.to_string())?;
    let mut words = vec!["punktfunk-agent".to_owned()];
    words.extend(args.words());
    Ok((program, words))
}

/// Whether the gamescope of this application runs.
pub fn runs(app: u32) -> bool {
    socket_of(app).is_ok_and(|path| Probe::connect(path).is_ok())
}

async fn session(request: SourceRequest, handover: Handover) -> Result<(), SourceError> {
    match &request.inside {
        Inside::Application(app) => {
            let socket = socket_of(*app).map_err(failed)?;
            shown(socket, Ending::OfApplication, handover).await
        }
        Inside::Command(command) => own(&request, command.clone(), handover).await,
        Inside::Whatever => {
            if let Some(found) = running().await? {
                return attached(found, &request, handover).await;
            }
            let places = Places::of_environment();
            match places.map(|places| Nesting::read(&places).command) {
                Some(Some(command)) => own(&request, command, handover).await,
                _ => Err(unavailable(
                    "no gamescope of this user runs, and ~/.config/punktfunk/apps.toml names no command to start in one \
                     ([gamescope] command = \"steam -gamepadui\")",
                )),
            }
        }
    }
}

/// A gamescope of our own around `command`, for as long as the source lives.
async fn own(
    request: &SourceRequest,
    command: Vec<String>,
    handover: Handover,
) -> Result<(), SourceError> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let places = Places::of_environment().ok_or_else(|| unavailable("$HOME is not set"))?;
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let socket = socket(&format!("own-{}-{number}", std::process::id())).map_err(failed)?;
    let mode = (request.width, request.height, request.fps);
    let mut args = keeper_args(&places, socket.clone(), mode, command)?;
    args.leash = true;
    let keeper = Leash::start(&args).map_err(failed)?;
    let result = shown(socket, Ending::OfOurs, handover).await;
    keeper.end().await;
    result
}

/// Whose end it is when a gamescope ends.
#[derive(Clone, Copy)]
enum Ending {
    /// Its runner's to report.
    OfApplication,
    /// Ours, with the keeper's reason.
    OfOurs,
}

/// A gamescope that has a keeper: wait for its pictures, hand them over, and keep them until it ends.
async fn shown(socket: PathBuf, ending: Ending, handover: Handover) -> Result<(), SourceError> {
    let mut keeper = KeeperLine::connect(&socket).await?;
    let (node, process, display) = keeper.wait_for_node().await?;
    let family = processes::with_descendants(HashSet::from([process]));
    let opened = opened(node, display.as_deref(), &family);
    let slot = Arc::clone(&handover.slot);
    slot.state().patience = match ending {
        Ending::OfApplication => PATIENCE,
        Ending::OfOurs => EXPLANATION,
    };
    handover
        .keep_until(opened, async move {
            let why = keeper.wait_for_end().await;
            if matches!(ending, Ending::OfOurs) {
                slot.state().patience = Duration::ZERO;
            }
            why
        })
        .await;
    Ok(())
}

/// A gamescope of somebody else's: its end shows in the capture.
async fn attached(
    found: Found,
    request: &SourceRequest,
    handover: Handover,
) -> Result<(), SourceError> {
    tracing::info!(
        node = found.node,
        pid = found.process,
        "a gamescope that runs already; it keeps its own size, {}x{} is what the client wants",
        request.width,
        request.height
    );
    let family = HashSet::from([found.process]);
    handover.keep(opened(found.node, None, &family)).await;
    Ok(())
}

fn opened(node: u32, display: Option<&str>, family: &HashSet<i32>) -> Opened {
    let eis = runtime()
        .ok()
        .and_then(|runtime| eis::connect(&runtime, display, family));
    if eis.is_none() {
        tracing::warn!(
            "this gamescope has no socket for emulated input (it may be built without libei)"
        );
    }
    let name = display.unwrap_or("unknown");
    tracing::info!(node, name, input = eis.is_some(), "gamescope");
    Opened {
        pictures: Pictures::Node {
            remote: Remote::Daemon,
            node,
        },
        eis,
        target: Target {
            whole_notches: true,
            ..Target::default()
        },
    }
}

/// A gamescope of this user that no keeper of ours holds.
async fn running() -> Result<Option<Found>, SourceError> {
    let looked = tokio::task::spawn_blocking(|| {
        let found = node::find()?;
        let kept = processes::with_descendants(processes::find(|words| {
            words.get(1) == Some(&keeper::COMMAND.as_bytes())
        }));
        Ok::<_, String>(
            found
                .into_iter()
                .find(|found| !kept.contains(&found.process)),
        )
    });
    match looked.await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(why)) => Err(unavailable(&format!(
            "PipeWire cannot be asked for one ({why}); is it running in this session? (systemctl --user start pipewire wireplumber)"
        ))),
        Err(error) => Err(failed(error)),
    }
}

/// What a keeper says, line by line.
struct KeeperLine {
    lines: Lines<BufReader<tokio::io::Take<UnixStream>>>,
}

impl KeeperLine {
    /// The keeper has been started; it listens in a moment.
    async fn connect(socket: &std::path::Path) -> Result<Self, SourceError> {
        let end = Instant::now() + KEEPER_LIMIT;
        let stream = loop {
            match UnixStream::connect(socket).await {
                Ok(stream) => break stream,
                Err(error) if Instant::now() > end => {
                    return Err(failed(format!("gamescope was not started ({error})")));
                }
                Err(_) => tokio::time::sleep(LOOK).await,
            }
        };
        Ok(Self {
            lines: BufReader::new(stream.take(MAX_TOLD)).lines(),
        })
    }

    async fn next(&mut self) -> Option<Fact> {
        let line = self.lines.next_line().await.ok()??;
        serde_json::from_str(&line).ok()
    }

    /// The node, the process, and the display's name if it was told.
    async fn wait_for_node(&mut self) -> Result<(u32, i32, Option<String>), SourceError> {
        let end = Instant::now() + START_LIMIT;
        let (mut process, mut display, mut ask) = (0, None, None);
        loop {
            let until = ask.unwrap_or(end).min(end);
            match timeout_at(until, self.next()).await {
                Ok(Some(Fact::Node(node))) => return Ok((node, process, display)),
                Ok(Some(Fact::Process(id))) => process = id,
                Ok(Some(Fact::Display(name))) => {
                    display = Some(name);
                    ask = Some(Instant::now() + ASK_AFTER);
                }
                Ok(Some(Fact::NoCapture)) => {
                    return Err(failed(
                        "gamescope reached no PipeWire (or is built without it), so that there are no pictures of it; \
                         systemctl --user start pipewire wireplumber",
                    ));
                }
                Ok(Some(Fact::Ended(why))) => return Err(failed(why)),
                Ok(None) => return Err(failed("the keeper of gamescope is gone")),
                Err(_) if Instant::now() >= end => {
                    return Err(failed(format!(
                        "gamescope runs, and showed nothing on PipeWire within {} s",
                        START_LIMIT.as_secs()
                    )));
                }
                Err(_) => {
                    if let Some(node) = node_of(process).await {
                        tracing::info!(node, "the log names no node; PipeWire does");
                        return Ok((node, process, display));
                    }
                    ask = Some(Instant::now() + LOOK * 5);
                }
            }
        }
    }

    async fn wait_for_end(&mut self) -> String {
        loop {
            match self.next().await {
                Some(Fact::Ended(why)) => return why,
                Some(_) => {}
                None => return "the keeper of gamescope is gone".to_owned(),
            }
        }
    }
}

/// The node of this process or of one that it started.
async fn node_of(process: i32) -> Option<u32> {
    let looked = tokio::task::spawn_blocking(move || {
        let family = processes::with_descendants(HashSet::from([process]));
        let found = node::find().ok()?;
        found
            .into_iter()
            .find(|found| family.contains(&found.process))
            .map(|found| found.node)
    });
    looked.await.ok().flatten()
}

/// A keeper that ends when this is dropped.
struct Leash(Child);

impl Leash {
    fn start(args: &KeeperArgs) -> io::Result<Self> {
        let program = own_program()?;
        std::process::Command::new(program)
            .args(args.words())
            .stdin(Stdio::piped())
            .spawn()
            .map(Self)
    }

    /// Let go, and wait for the end a while.
    async fn end(mut self) {
        drop(self.0.stdin.take());
        let over = async {
            while matches!(self.0.try_wait(), Ok(None)) {
                tokio::time::sleep(LOOK / 5).await;
            }
        };
        if timeout(END_LIMIT, over).await.is_err() {
            tracing::warn!("gamescope takes its time to end");
        }
    }
}

fn keeper_args(
    places: &Places,
    socket: PathBuf,
    (width, height, fps): (u32, u32, u32),
    command: Vec<String>,
) -> Result<KeeperArgs, SourceError> {
    Ok(KeeperArgs {
        socket,
        program: command::program(places).map_err(|error| unavailable(&error.to_string()))?,
        width,
        height,
        fps,
        leash: false,
        options: Nesting::read(places).options,
        command,
    })
}

/// This program, for somebody else to start: a package may have replaced it since.
fn own_program() -> io::Result<PathBuf> {
    let path = env::current_exe()?;
    let replaced = path
        .to_str()
        .and_then(|path| path.strip_suffix(" (deleted)"));
    Ok(replaced.map_or(path.clone(), PathBuf::from))
}

fn runtime() -> io::Result<PathBuf> {
    env::var_os("XDG_RUNTIME_DIR")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "XDG_RUNTIME_DIR is not set"))
}

fn socket(name: &str) -> io::Result<PathBuf> {
    Ok(runtime()?.join(format!("punktfunk-gamescope-{name}")))
}

fn socket_of(app: u32) -> io::Result<PathBuf> {
    socket(&format!("app-{app}"))
}

fn failed(why: impl std::fmt::Display) -> SourceError {
    SourceError::Failed {
        name: NAME,
        why: why.to_string(),
    }
}

fn unavailable(why: &str) -> SourceError {
    SourceError::Unavailable {
        name: NAME,
        why: why.to_owned(),
    }
}
