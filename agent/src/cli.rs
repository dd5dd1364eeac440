//! The command line.

use crate::{
    encode::Choice,
    source::gamescope::keeper::{KeeperArgs, bound::BoundArgs},
};
use clap::{Args, Parser, Subcommand};
use std::{ffi::OsString, path::PathBuf};

/// Captures, encodes and takes input for punktfunk in one user's session.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub run: RunArgs,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Offer this session to the service and serve its streams (the default).
    Run(RunArgs),
    /// Capture and encode into a file, without the service, and print figures.
    Spike(SpikeArgs),
    /// Say which encoders work here and what they do, and of the others why not.
    Encoders(EncodersArgs),
    /// Put the session's outputs in order when the agent that starts this is gone.
    #[command(hide = true)]
    Warden { task: Vec<OsString> },
    /// Be a session on demand: the main process of punktfunk-session@.service.
    #[command(hide = true)]
    OnDemandSession,
    /// Run a gamescope, tell what its log says, and leave nothing of it behind.
    #[command(hide = true)]
    GamescopeKeeper(KeeperArgs),
    /// Become a gamescope that is told to end when its keeper is gone.
    #[command(hide = true)]
    GamescopeBound(BoundArgs),
}

/// What `run` takes.
#[derive(Debug, Clone, Default, Args)]
pub struct RunArgs {
    /// The logind session to offer. Default: $XDG_SESSION_ID, else the user's display session.
    #[arg(long, value_name = "ID")]
    pub session: Option<String>,
    /// Development: without logind, register as session "dev".
    #[arg(long, env = "PUNKTFUNK_DEV", value_parser = clap::builder::FalseyValueParser::new())]
    pub dev: bool,
    #[command(flatten)]
    pub encoding: EncodingArgs,
}

/// What `encoders` takes.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct EncodersArgs {
    /// First measure the software encoders whose speed is not known yet: some seconds.
    #[arg(long)]
    pub measure: bool,
    /// Say nothing, and look at no card.
    #[arg(long, hide = true)]
    pub quiet: bool,
}

/// Which encoder is taken.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct EncodingArgs {
    /// auto (the best that works), software, or one of those that `encoders` lists.
    #[arg(long, env = "PUNKTFUNK_ENCODER", default_value_t, value_name = "NAME")]
    pub encoder: Choice,
}

/// What `spike` takes.
#[derive(Debug, Clone, Args)]
pub struct SpikeArgs {
    /// auto, synthetic, synthetic-fast, mutter, kwin-virtual, sway, wlroots, gamescope or portal.
    #[arg(long, default_value = "synthetic")]
    pub source: String,
    /// What becomes of the other outputs meanwhile: extend (nothing), primary or exclusive.
    #[arg(long, default_value = "extend")]
    pub outputs: String,
    /// h264, h265 or av1.
    #[arg(long, default_value = "h264")]
    pub codec: String,
    /// auto (the best that works), software, or one of those that `encoders` lists.
    #[arg(long, default_value_t, value_name = "NAME")]
    pub encoder: Choice,
    /// With 10 bits, and in HDR10 where the source gives that: with --codec h265 or av1 and an encoder that has it.
    #[arg(long)]
    pub hdr: bool,
    /// Pixels.
    #[arg(long, default_value_t = 1280)]
    pub width: u32,
    /// Pixels.
    #[arg(long, default_value_t = 720)]
    pub height: u32,
    /// Frames a second.
    #[arg(long, default_value_t = 60)]
    pub fps: u32,
    /// Length of the run.
    #[arg(long, default_value_t = 10)]
    pub seconds: u32,
    /// Rate of the video in kbit/s.
    #[arg(long, default_value_t = 10_000)]
    pub bitrate: u32,
    /// The file to write: Annex B, or the OBUs of AV1.
    #[arg(long)]
    pub out: PathBuf,
    /// Send every access unit through a host and a client session and compare.
    #[arg(long)]
    pub loopback: bool,
    /// With --loopback: lose the first of every so many packets (0 = none).
    #[arg(long, default_value_t = 0, requires = "loopback")]
    pub drop: u32,
    /// With --source gamescope: what to run inside one of our own. Default: a gamescope that runs already, else the
    /// command of apps.toml.
    #[arg(last = true)]
    pub command: Vec<String>,
}
