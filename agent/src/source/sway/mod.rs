//! sway, directly: a headless output of the client's own size, captured without a portal.
//!
//! sway keeps an output that was created until it is told to take it away. A second process of the agent does that when
//! this one is gone for whatever reason, so that a killed agent leaves no output behind.

#[cfg(test)]
mod double;
mod ipc;
mod late;
mod layout;

use std::{
    ffi::{OsStr, OsString},
    io,
    path::Path,
    sync::PoisonError,
    time::Duration,
};

use anyhow::{Context, bail};

use super::{
    Source, SourceError, SourceRequest,
    desktop::{self, Handover, Opened, Pictures},
    notes,
    warden::Warden,
};
use crate::{capture::output::OutputRequest, input::Target};
use ipc::{Ipc, IpcError, Output};
pub use layout::LayoutInForce;

/// Its name in configuration and on the command line.
pub const NAME: &str = "sway";

/// How long sway may take for everything: no person is asked.
const OPEN_LIMIT: Duration = Duration::from_secs(10);
/// The first version that takes an output away again; those before cannot even switch one off.
const TAKES_AWAY: (u64, u64) = (1, 8);
/// How often, and how many times, sway is asked whether the mode is in force.
const SETTLE_STEP: Duration = Duration::from_millis(20);
const SETTLE_STEPS: u32 = 100;

/// Open a headless output for `request`.
///
/// # Errors
/// `Unavailable` where no sway answers, `Failed` with its words.
pub fn open(request: &SourceRequest) -> Result<Box<dyn Source>, SourceError> {
    let wanted = request.clone();
    notes::put_in_order();
    desktop::open(NAME, request, OPEN_LIMIT, move |handover| {
        session(wanted, handover)
    })
}

/// Whether a sway answers that takes no outputs away, so that none are made for streams.
pub fn keeps_outputs() -> bool {
    ipc::find().is_some_and(|mut ipc| ipc.version().is_ok_and(|version| version < TAKES_AWAY))
}

async fn session(request: SourceRequest, handover: Handover) -> Result<(), SourceError> {
    let mut ipc = ipc::find().ok_or_else(|| SourceError::Unavailable {
        name: NAME,
        why: "no sway answers in this session (SWAYSOCK, or sway-ipc.*.sock in the runtime directory)"
            .to_owned(),
    })?;
    let (major, minor) = ipc.version().map_err(failed)?;
    if (major, minor) < TAKES_AWAY {
        return Err(SourceError::Unavailable {
            name: NAME,
            why: format!(
                "sway {major}.{minor} makes outputs and takes none away (that came with 1.8), so every stream would leave one; \
                 the source \"wlroots\" streams a monitor as it is"
            ),
        });
    }
    request.outputs.only_extends(NAME)?;
    // Blocks for a few milliseconds; nothing else runs on this thread.
    let screen = Screen::create(ipc, &request).map_err(failed)?;
    tracing::info!(output = screen.output.name, position = ?screen.output.position, "sway output");
    handover
        .keep(Opened {
            pictures: Pictures::Output(OutputRequest {
                output: screen.output.name.clone(),
                cursor: request.cursor,
                fps: None,
            }),
            eis: None,
            target: Target {
                output: Some(screen.output.name.clone()),
                position: Some(screen.output.position),
                ..Target::default()
            },
        })
        .await;
    Ok(())
}

fn failed(error: IpcError) -> SourceError {
    SourceError::Failed {
        name: NAME,
        why: error.to_string(),
    }
}

/// An output that exists while this does.
struct Screen {
    ipc: Ipc,
    output: Output,
    /// The output that had the focus before.
    focused: Option<String>,
    // dropped last: it only has something to do when this process cannot
    warden: Option<Warden>,
}

impl Screen {
    fn create(mut ipc: Ipc, request: &SourceRequest) -> Result<Self, IpcError> {
        let mut ours = late::OURS.lock().unwrap_or_else(PoisonError::into_inner);
        let before = ipc.outputs()?;
        let output = make(&mut ipc, &before).inspect_err(|_| {
            let before = before.iter().map(|output| output.name.clone());
            late::look_for(ipc.path().to_owned(), before.collect());
        })?;
        ours.push(output.name.clone());
        drop(ours);
        let focused = before.into_iter().find(|output| output.focused);
        let left: [&OsStr; 2] = [ipc.path().as_ref(), output.name.as_ref()];
        let warden = Warden::start(NAME, left)
            .inspect_err(|error| {
                tracing::warn!(%error, "nobody will take the output away if the agent is killed");
            })
            .ok();
        let mut screen = Self {
            ipc,
            output,
            focused: focused.map(|output| output.name),
            warden,
        };
        screen.set_up(request)?;
        Ok(screen)
    }

    /// Mode, scale and focus; windows open on the output that has the focus.
    fn set_up(&mut self, request: &SourceRequest) -> Result<(), IpcError> {
        let SourceRequest {
            width, height, fps, ..
        } = *request;
        let name = self.output.name.clone();
        self.ipc.run(&format!(
            "output {name} enable scale 1 mode --custom {width}x{height}@{fps}Hz"
        ))?;
        self.ipc.run(&format!("focus output {name}"))?;
        for _ in 0..SETTLE_STEPS {
            let outputs = self.ipc.outputs()?;
            if let Some(output) = outputs.into_iter().find(|output| {
                output.name == name && output.active && output.size == (width, height)
            }) {
                self.output = output;
                return Ok(());
            }
            std::thread::sleep(SETTLE_STEP);
        }
        Err(IpcError::Answer(format!(
            "the output {name} did not take the mode {width}x{height}"
        )))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if let Some(focused) = &self.focused {
            let _ = self.ipc.run(&format!("focus output {focused}"));
        }
        match remove(&mut self.ipc, &self.output.name) {
            Ok(()) => {
                if let Some(warden) = self.warden.take() {
                    warden.dismiss();
                }
            }
            // The warden tries once more, with a connection of its own.
            Err(error) => tracing::warn!(%error, "the output could not be removed"),
        }
        late::forget(&self.output.name);
    }
}

/// Have sway make an output, which is the one that was not there `before`.
fn make(ipc: &mut Ipc, before: &[Output]) -> Result<Output, IpcError> {
    ipc.run("create_output")?;
    ipc.outputs()?
        .into_iter()
        .find(|output| !before.iter().any(|old| old.name == output.name))
        .ok_or_else(|| IpcError::Answer("it made no new output".to_owned()))
}

fn remove(ipc: &mut Ipc, output: &str) -> Result<(), IpcError> {
    ipc.run(&format!("output {output} unplug"))
}

/// Take the output of a killed agent away: the task is sway's socket and the output's name.
///
/// # Errors
/// sway refuses.
pub fn clear_away(task: &[OsString]) -> anyhow::Result<()> {
    let [socket, output] = task else {
        bail!("expected a socket and an output");
    };
    let output = output.to_string_lossy();
    let mut ipc = match Ipc::connect(Path::new(socket)) {
        // its outputs went with it
        Err(IpcError::Io(error))
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
            ) =>
        {
            return Ok(());
        }
        connected => connected?,
    };
    let there = ipc.outputs()?.iter().any(|known| known.name == output);
    if !there {
        return Ok(());
    }
    remove(&mut ipc, &output)
        .with_context(|| format!("the output {output} of a killed agent is still there"))
}
