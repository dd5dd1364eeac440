//! A session on demand: the main process of `punktfunk-session@UID.service`, which opened the session (PAM) for a user who is not
//! logged in. It starts a compositor without a screen, says that the session is ready when that answers, and leaves no process of
//! the session behind but the one that closes it, which waits for this one to be gone. The agent that captures is the user's own
//! unit, as after any log-in.

mod compositor;
mod manager;
mod members;

use anyhow::{Context, bail};
use compositor::{Compositor, Display};
use manager::UserManager;
use sd_notify::NotifyState;
use std::{env, path::PathBuf, process::ExitStatus, time::Duration};
use tokio::{
    process::Child,
    signal::unix::{Signal, SignalKind, signal},
    time::sleep,
};

/// How often it is looked whether the compositor answers.
const LOOK: Duration = Duration::from_millis(50);
/// How long the compositor, and then the other programs, may take to end; the unit's TimeoutStopSec= is above both.
const END: Duration = Duration::from_secs(4);
/// Started before the compositor, which looks for it once. The agent takes the pictures from there.
const PICTURES: [&str; 2] = ["pipewire.service", "wireplumber.service"];

/// Be the session until the compositor or the unit ends.
///
/// # Errors
/// No session, no such compositor, or one that failed: text for the journal.
pub fn run() -> anyhow::Result<()> {
    let result = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(session());
    if let Err(error) = &result {
        // the service reads it, for the person at the client
        let status = format!("{error:#}").replace('\n', " ");
        let _ = sd_notify::notify(&[NotifyState::Status(&status)]);
    }
    result
}

async fn session() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let runtime: PathBuf = env::var_os("XDG_RUNTIME_DIR")
        .filter(|_| env::var_os("XDG_SESSION_ID").is_some())
        .context(
            "no session was opened here: this is the main process of punktfunk-session@.service, and PAM's service \"login\" has to \
             have pam_systemd (package libpam-systemd)",
        )?
        .into();
    let chosen = Compositor::chosen(env::var("COMPOSITOR").ok().as_deref())?;
    let manager = UserManager::connect().await?;
    for unit in PICTURES {
        if let Err(error) = manager.start(unit).await {
            tracing::warn!(
                "{unit} does not start, so there may be no pictures of this session: {error}"
            );
        }
    }
    let mut child = chosen.start()?;
    let result = tokio::select! {
        _ = terminate.recv() => Ok(()),
        result = shown(chosen, &manager, &runtime, &mut child) => result,
    };
    let _ = sd_notify::notify(&[NotifyState::Stopping]);
    manager.forget_display().await;
    end(&mut child, &mut terminate).await;
    result
}

/// From the start of the compositor to its end.
async fn shown(
    chosen: Compositor,
    manager: &UserManager,
    runtime: &std::path::Path,
    child: &mut Child,
) -> anyhow::Result<()> {
    let (name, process) = (chosen.name(), child.id());
    let display = tokio::select! {
        status = child.wait() => bail!("{name} ended before it answered: {}", status?),
        display = answer(chosen, manager, runtime, process) => display?,
    };
    manager.tell_display(&display, chosen.desktop()).await;
    let status = format!("{name} on {}", display.name);
    tracing::info!("the session is ready: {status}");
    sd_notify::notify(&[NotifyState::Ready, NotifyState::Status(&status)])
        .context("the system's manager cannot be told that the session is ready")?;
    let status: ExitStatus = child.wait().await?;
    if !status.success() {
        bail!("{name} failed: {status}");
    }
    tracing::info!("{name} has ended, and the session with it");
    Ok(())
}

/// Once the compositor takes clients. The unit's TimeoutStartSec= bounds it.
async fn answer(
    chosen: Compositor,
    manager: &UserManager,
    runtime: &std::path::Path,
    process: Option<u32>,
) -> anyhow::Result<Display> {
    loop {
        if let Some(display) = chosen.display(runtime, process)
            && match chosen.bus_name() {
                Some(name) => manager.has_name(name).await?,
                None => true,
            }
        {
            return Ok(display);
        }
        sleep(LOOK).await;
    }
}

/// The compositor first, so that its programs see their display go; then whatever else of the session goes on.
async fn end(child: &mut Child, terminate: &mut Signal) {
    if let Some(id) = child.id() {
        members::terminate(id);
        tokio::select! {
            _ = child.wait() => {}
            () = sleep(END) => tracing::warn!("the compositor does not end by itself; it is killed"),
            // asked twice
            _ = terminate.recv() => {}
        }
        let _ = child.kill().await;
    }
    members::end_all(END).await;
}
