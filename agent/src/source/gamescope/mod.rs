//! gamescope: a compositor of its own for one program, at the client's size, without window or screen.
//!
//! Three ways to one: the gamescope that an application of the catalogue was started in (which the application's runner
//! started, and which outlives this process), one of our own around a command, which ends with the stream, and one that runs
//! already, which is never stopped. The first two are held by a [`keeper`], which says where the pictures are.

mod command;
mod eis;
mod facts;
pub mod keeper;
mod kept;
mod node;

use std::{
    collections::HashSet,
    env, io,
    os::{fd::OwnedFd, unix::net::UnixStream},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
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
use keeper::KeeperArgs;
use kept::{KeeperLine, Leash};
use node::Found;

/// Its name in configuration and on the command line.
pub const NAME: &str = "gamescope";

/// Start of the keeper, of gamescope, and of its pictures.
const OPEN_LIMIT: Duration = Duration::from_secs(30);
/// How long the end of an application's gamescope is kept quiet: its runner reports it as the ordinary end that it is.
const PATIENCE: Duration = Duration::from_secs(6);
/// The same for our own: its keeper knows more of the reason than the capture, which hears of it first.
const EXPLANATION: Duration = Duration::from_secs(2);

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
    let desktop = super::detection::desktop_name();
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
        socket_of(places, app).map_err(|error| error.to_string())?,
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
    places()
        .and_then(|places| socket_of(&places, app))
        .is_ok_and(|path| UnixStream::connect(path).is_ok())
}

async fn session(request: SourceRequest, handover: Handover) -> Result<(), SourceError> {
    match &request.inside {
        Inside::Application(app) => {
            let socket = socket_of(&places()?, *app)?;
            shown(socket, Ending::OfApplication, handover).await
        }
        Inside::Command(command) => own(&request, command.clone(), handover).await,
        Inside::Whatever => {
            if let Some(found) = running().await? {
                return attached(found, &request, handover).await;
            }
            match Nesting::read(&places()?).command {
                Some(command) => own(&request, command, handover).await,
                None => Err(unavailable(
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
    let places = places()?;
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let socket = socket(&places, &format!("own-{}-{number}", std::process::id()))?;
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
    let display = display.as_deref();
    let opened = opened(node, display, &family);
    let slot = Arc::clone(&handover.slot);
    slot.state().patience = match ending {
        Ending::OfApplication => PATIENCE,
        Ending::OfOurs => EXPLANATION,
    };
    handover
        .keep_until(
            opened,
            async move {
                let why = keeper.wait_for_end().await;
                if matches!(ending, Ending::OfOurs) {
                    slot.state().patience = Duration::ZERO;
                }
                why
            },
            async || input(display, &family).ok_or_else(|| NO_INPUT.to_owned()),
        )
        .await;
    Ok(())
}

/// A gamescope of somebody else's: its end shows in the capture.
async fn attached(
    found: Found,
    request: &SourceRequest,
    handover: Handover,
) -> Result<(), SourceError> {
    // It may be on a screen, which is not ours to turn off.
    request.outputs.only_extends(NAME)?;
    tracing::info!(
        node = found.node,
        pid = found.process,
        "a gamescope that runs already; it keeps its own size, {}x{} is what the client wants",
        request.width,
        request.height
    );
    let family = HashSet::from([found.process]);
    handover
        .keep_until(
            opened(found.node, None, &family),
            std::future::pending(),
            async || input(None, &family).ok_or_else(|| NO_INPUT.to_owned()),
        )
        .await;
    Ok(())
}

const NO_INPUT: &str =
    "this gamescope has no socket for emulated input (it may be built without libei)";

/// Its socket for emulated input.
fn input(display: Option<&str>, family: &HashSet<i32>) -> Option<OwnedFd> {
    let runtime = places().ok().and_then(|places| places.runtime);
    runtime.and_then(|runtime| eis::connect(&runtime, display, family))
}

fn opened(node: u32, display: Option<&str>, family: &HashSet<i32>) -> Opened {
    let eis = input(display, family);
    let name = display.unwrap_or("unknown");
    tracing::info!(node, name, input = eis.is_some(), "gamescope");
    Opened {
        pictures: Pictures::Node {
            remote: Remote::Daemon,
            node,
            settled: None,
            pointer_apart: false,
            rate_from_limit: false,
        },
        eis,
        target: Target {
            wheel_in_120ths: true,
            foreign: true,
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

/// The keeper's socket of this name.
fn socket(places: &Places, name: &str) -> Result<PathBuf, SourceError> {
    let runtime = places.runtime.as_ref();
    let runtime = runtime.ok_or_else(|| unavailable("XDG_RUNTIME_DIR is not set"))?;
    Ok(runtime.join(format!("punktfunk-gamescope-{name}")))
}

fn socket_of(places: &Places, app: u32) -> Result<PathBuf, SourceError> {
    socket(places, &format!("app-{app}"))
}

fn places() -> Result<Places, SourceError> {
    Places::of_environment().ok_or_else(|| unavailable("$HOME is not set"))
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
