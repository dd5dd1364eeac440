//! The agent's side of a keeper: hearing what it says, and having one of our own.

use std::{
    collections::HashSet,
    io,
    path::Path,
    process::{Child, Stdio},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines},
    net::UnixStream,
    time::{Instant, timeout, timeout_at},
};

use super::{facts::Fact, failed, keeper::KeeperArgs, node, own_program};
use crate::{processes, source::SourceError};

/// How long a gamescope may take from its start to its pictures. Shaders may have to be compiled.
const START_LIMIT: Duration = Duration::from_secs(20);
/// How long it may take for its keeper to listen.
const KEEPER_LIMIT: Duration = Duration::from_secs(8);
/// When PipeWire is asked for the node, counted from the display's start, and how often.
const ASK_AFTER: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(100);
/// How long the end of our own is waited for; its keeper sees to it afterwards too.
const END_LIMIT: Duration = Duration::from_secs(4);
/// Bytes that a keeper says at most.
const MAX_TOLD: u64 = 256 * 1024;

/// What a keeper says, line by line.
pub struct KeeperLine {
    lines: Lines<BufReader<tokio::io::Take<UnixStream>>>,
}

impl KeeperLine {
    /// The keeper has been started; it listens in a moment.
    pub async fn connect(socket: &Path) -> Result<Self, SourceError> {
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
    pub async fn wait_for_node(&mut self) -> Result<(u32, i32, Option<String>), SourceError> {
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

    pub async fn wait_for_end(&mut self) -> String {
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
pub struct Leash(Child);

impl Leash {
    pub fn start(args: &KeeperArgs) -> io::Result<Self> {
        let program = own_program()?;
        std::process::Command::new(program)
            .args(args.words())
            .stdin(Stdio::piped())
            .spawn()
            .map(Self)
    }

    /// Let go, and wait for the end a while.
    pub async fn end(mut self) {
        drop(self.0.stdin.take());
        let over = async {
            while matches!(self.0.try_wait(), Ok(None)) {
                tokio::time::sleep(LOOK / 5).await;
            }
        };
        if timeout(END_LIMIT, over).await.is_err() {
            tracing::warn!("gamescope takes its time to end");
            // Somebody has to ask for its status, or it stays in the list of processes for as long as this one lives.
            let mut keeper = self.0;
            let reaper = std::thread::Builder::new().name("pf-reaper".into());
            if let Err(error) = reaper.spawn(move || keeper.wait()) {
                tracing::debug!(%error, "nobody waits for the keeper of gamescope");
            }
        }
    }
}
