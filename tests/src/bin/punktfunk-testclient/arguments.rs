//! The command line.

use clap::{Args, Parser, Subcommand};
use punktfunk_tests::{HostAddress, Options, impairment::Impairment, video::VideoCodec};
use std::{path::PathBuf, time::Duration};

/// A headless GameStream client that checks a host against the wire description.
#[derive(Parser)]
#[command(name = "punktfunk-testclient", version)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
    /// Address of the host, with its HTTP port when that is not 47989.
    #[arg(
        long,
        global = true,
        default_value = "127.0.0.1",
        value_name = "ADDR[:PORT]"
    )]
    pub host: HostAddress,
    /// Where identity and pinned host certificates are kept [default: $XDG_STATE_HOME/punktfunk-testclient].
    #[arg(long, global = true, value_name = "DIR")]
    state: Option<PathBuf>,
}

impl Arguments {
    pub fn state_dir(&self) -> PathBuf {
        let home =
            || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".local/state");
        let base = || std::env::var_os("XDG_STATE_HOME").map_or_else(home, PathBuf::from);
        self.state
            .clone()
            .unwrap_or_else(|| base().join("punktfunk-testclient"))
    }
}

#[derive(Subcommand)]
pub enum Command {
    /// Pair with the host; prints the PIN to enter there.
    Pair {
        /// Use this PIN instead of a random one.
        #[arg(long)]
        pin: Option<String>,
    },
    /// Abort a pairing in progress and forget the host.
    Unpair,
    /// Print what the host says of itself.
    Info,
    /// List the apps.
    List,
    /// Download the picture of an app.
    Asset {
        /// Id or title.
        app: String,
        /// Where to write it.
        #[arg(long, value_name = "FILE.png")]
        out: PathBuf,
    },
    /// Launch an app (or resume it) and stream.
    #[command(alias = "launch")]
    Stream(Box<Stream>),
    /// End the running app.
    Cancel,
}

#[derive(Args)]
pub struct Stream {
    /// App by id or title [default: the first of the list].
    #[arg(long)]
    pub app: Option<String>,
    #[arg(long, default_value_t = 1280)]
    width: u32,
    #[arg(long, default_value_t = 720)]
    height: u32,
    #[arg(long, default_value_t = 60)]
    pub fps: u32,
    /// kbit/s, FEC and sound included.
    #[arg(long, default_value_t = 10_000)]
    bitrate: u32,
    /// Stream until fps times so many frames came.
    #[arg(long, default_value_t = 10)]
    pub seconds: u32,
    /// h264, h265 or av1. Pictures are decoded from H.264 only.
    #[arg(long, default_value = "h264", value_parser = |text: &str| text.parse::<VideoCodec>())]
    codec: VideoCodec,
    /// Ask for 10 bits and HDR, with h265 or av1.
    #[arg(long)]
    hdr: bool,
    /// The sound is to be heard on the host as well.
    #[arg(long)]
    play_on_host: bool,
    /// What to encrypt besides control and RTSP: all, none, video, audio.
    #[arg(long, default_value = "all", value_parser = ["all", "none", "video", "audio"])]
    encrypt: String,
    /// Behave like a client that cannot do encrypted RTSP.
    #[arg(long)]
    plain_rtsp: bool,
    /// Behave like a client that knows only the legacy control encryption.
    #[arg(long)]
    legacy_control: bool,
    /// Lose so many percent of the datagrams on arrival.
    #[arg(long, default_value_t = 0.0, value_name = "PCT")]
    loss: f64,
    /// Now and then (see --burst-every) lose so many datagrams in a row.
    #[arg(long, default_value_t = 0, value_name = "PACKETS")]
    burst: u64,
    /// Begin such a burst once in about so many datagrams.
    #[arg(long, default_value_t = 1000, value_name = "PACKETS")]
    burst_every: u64,
    /// Behave like a client whose decoder can go on after lost references (where the host can).
    #[arg(long)]
    rfi: bool,
    /// Let so many percent of the datagrams be overtaken.
    #[arg(long, default_value_t = 0.0, value_name = "PCT")]
    reorder: f64,
    /// Delay datagrams by up to so many milliseconds.
    #[arg(long, default_value_t = 0, value_name = "MS")]
    jitter: u64,
    /// Seed of loss, reordering and jitter.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write the elementary stream here.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write the last decoded picture here.
    #[arg(long, value_name = "FILE.png")]
    png: Option<PathBuf>,
    /// Write the report as JSON here.
    #[arg(long, value_name = "FILE.json")]
    pub report: Option<PathBuf>,
    /// The pictures carry the test pattern's counter: it has to run from 1 without a gap.
    #[arg(long)]
    pub expect_counters: bool,
    /// Type this text after the first picture.
    #[arg(long, value_name = "TEXT", conflicts_with = "input")]
    pub keys: Option<String>,
    /// Play this input script after the first picture; "-": standard input, line by line, and leave when it ends.
    #[arg(long, value_name = "SCRIPT")]
    pub input: Option<PathBuf>,
    /// Append a line for everything that the host says of controllers (rumble, light, triggers, motion); "ready" comes first.
    #[arg(long, value_name = "FILE")]
    pub feedback: Option<PathBuf>,
    /// Resume the running app instead of launching.
    #[arg(long)]
    pub resume: bool,
    #[arg(long, default_value_t = 1392, value_parser = clap::value_parser!(u16).range(256..=1392))]
    packet_size: u16,
    #[arg(long, default_value = "2", value_parser = ["2", "6", "8"])]
    audio_channels: String,
    /// Host and client run on this machine: report capture to arrival by the time stamps.
    #[arg(long)]
    same_machine: bool,
    /// What the pictures carry for a counter is the time of their painting on this machine: report painting to arrival and to the decoded
    /// picture by it.
    #[arg(long, conflicts_with_all = ["expect_counters", "no_decode"])]
    picture_clock: bool,
    /// Never send a video ping: the host has to give up after 10 s.
    #[arg(long)]
    pub no_ping: bool,
    /// Do not decode; count packets and frames only.
    #[arg(long)]
    no_decode: bool,
    /// Leave the app running at the end (the default ends it with cancel).
    #[arg(long)]
    pub keep_running: bool,
}

impl Stream {
    pub fn options(&self, app: u32) -> Options {
        let encryption = match self.encrypt.as_str() {
            "all" => 6,
            "video" => 2,
            "audio" => 4,
            _ => 0,
        };
        Options {
            app,
            width: self.width,
            height: self.height,
            fps: self.fps,
            codec: self.codec,
            hdr: self.hdr,
            play_on_host: self.play_on_host,
            bitrate_kbps: self.bitrate,
            packet_size: self.packet_size.into(),
            encryption,
            audio_encryption_flag: encryption & 4 != 0,
            legacy_control: self.legacy_control,
            core_version: u32::from(!self.plain_rtsp),
            audio_channels: self.audio_channels.parse().unwrap_or(2),
            no_ping: self.no_ping,
            reference_invalidation: self.rfi,
            same_machine: self.same_machine,
            picture_clock: self.picture_clock,
            impairment: Impairment {
                loss_percent: self.loss,
                burst_packets: self.burst,
                burst_every: self.burst_every,
                reorder_percent: self.reorder,
                jitter: Duration::from_millis(self.jitter),
                seed: self.seed,
            },
            decode: !self.no_decode,
            write_stream: self.out.clone(),
            write_png: self.png.clone(),
            ..Options::default()
        }
    }
}
