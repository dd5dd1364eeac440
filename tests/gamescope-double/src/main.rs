//! A double of gamescope for tests, on machines whose graphics the real one cannot use. It is no compositor.
//!
//! What it has of the real one, as its source of 3.16 has it: the options (an unknown one is refused), the lines of the log,
//! the sockets in the runtime directory, the variables of the program inside, the node in PipeWire, the socket for emulated
//! input with one device whose region is the whole world, and when it ends. What it shows is a pattern of its own: four
//! coloured quarters and a white square that moves.
//!
//! `GAMESCOPE_DOUBLE` has it misbehave, words separated by blanks: `old` (3.11, which needs a window), `dies` (as without a
//! Vulkan device), `no-pipewire`, `no-node-line`, `resize=WxH@N` (another size after N pictures), `input-while=PATH` (its socket
//! for emulated input is there only while this file is), `gpu` (no misbehaviour: its pictures lie in what passes for a GPU's memory).
//! `GAMESCOPE_DOUBLE_INPUT` names a file that gets a line for each event of emulated input.

mod input;
mod log;
mod memory;
mod node;
mod options;
mod place;

use std::{
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Command, ExitCode, exit},
    thread,
    time::Duration,
};

use nix::{
    sys::signal::{SigSet, Signal, killpg},
    unistd::Pid,
};

use log::info;
use node::{Picture, Resize};
use options::Options;
use place::Place;

/// How it is to misbehave.
pub struct Manners(String);

impl Manners {
    fn has(&self, word: &str) -> bool {
        self.0.split_whitespace().any(|known| known == word)
    }

    fn input_while(&self) -> Option<PathBuf> {
        let mut words = self.0.split_whitespace();
        words.find_map(|word| word.strip_prefix("input-while=").map(PathBuf::from))
    }

    fn resize(&self) -> Option<Resize> {
        let words = self.0.split_whitespace();
        let (size, after) = words
            .filter_map(|word| word.strip_prefix("resize="))
            .find_map(|text| text.split_once('@'))?;
        let (width, height) = size.split_once('x')?;
        Some(Resize {
            width: width.parse().ok()?,
            height: height.parse().ok()?,
            after: after.parse().ok()?,
        })
    }
}

fn main() -> ExitCode {
    let manners = Manners(std::env::var("GAMESCOPE_DOUBLE").unwrap_or_default());
    let old = manners.has("old");
    let version = if old { "3.11.49" } else { "3.16.0" };
    info(
        "console",
        &format!("gamescope version {version} (punktfunk's double)"),
    );
    let options = match options::parse(std::env::args().collect(), old) {
        Ok(Some(options)) => options,
        Ok(None) => return ExitCode::SUCCESS,
        Err(complaint) => {
            eprintln!("{complaint}\nSee --help for a list of options.");
            return ExitCode::FAILURE;
        }
    };
    eprintln!(
        "No CAP_SYS_NICE, falling back to regular-priority compute and threads.\nPerformance will be affected."
    );
    if let Err(why) = place::outer_compositor() {
        eprintln!("{why}");
        return ExitCode::FAILURE;
    }
    if manners.has("dies") || !options.headless {
        log::error(
            "vulkan",
            "physical device doesn't support VK_EXT_physical_device_drm",
        );
        eprintln!("Failed to initialize Vulkan");
        return ExitCode::FAILURE;
    }
    match run(&options, &manners) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options, manners: &Manners) -> anyhow::Result<()> {
    let signals = signals();
    signals.thread_block()?;
    let place = Place::take()?;
    info(
        "wlserver",
        &format!("Running compositor on wayland display '{}'", place.display),
    );
    input::listen(&place.eis(), manners.input_while())?;
    info(
        "wlserver",
        "Successfully initialized libei for input emulation!",
    );
    info(
        "wlserver",
        &format!("[xwayland/server.c:108] Starting Xwayland on {}", place.x11),
    );
    let picture = Picture {
        width: options.width,
        height: options.height,
        fps: options.fps,
        resize: manners.resize(),
        announce: !manners.has("no-node-line"),
        gpu: manners.has("gpu"),
    };
    let (quit, quits) = pipewire::channel::channel();
    let program = inside(options, &place, quit.clone())?;
    let clean_up = place.clean_up();
    thread::spawn(move || {
        let _ = signals.wait();
        finish(&quit, clean_up);
    });
    let shown = if manners.has("no-pipewire") {
        Err(anyhow::anyhow!("no PipeWire"))
    } else {
        node::show(picture, quits)
    };
    if shown.is_err() {
        eprintln!("Warning: failed to setup PipeWire, screen capture won't be available");
        // It goes on without pictures, until its program ends or it is told to.
        loop {
            thread::sleep(Duration::from_secs(3600));
        }
    }
    if let Some(program) = program {
        // The real one tells every process below it and waits; here the program's group is that.
        let _ = killpg(program, Signal::SIGTERM);
        for _ in 0..200 {
            if killpg(program, None).is_err() {
                break;
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
    Ok(())
}

fn signals() -> SigSet {
    SigSet::from_iter([Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP])
}

/// Run the program inside; its end is the end of everything.
fn inside(
    options: &Options,
    place: &Place,
    quit: pipewire::channel::Sender<()>,
) -> anyhow::Result<Option<Pid>> {
    let [program, arguments @ ..] = options.command.as_slice() else {
        return Ok(None);
    };
    // What is started inherits what is blocked.
    let signals = signals();
    signals.thread_unblock()?;
    let child = Command::new(program)
        .args(arguments)
        .env("DISPLAY", &place.x11)
        .env("STEAM_GAME_DISPLAY_0", &place.x11)
        .env("GAMESCOPE_WAYLAND_DISPLAY", &place.display)
        .env("LIBEI_SOCKET", format!("{}-ei", place.display))
        .env("XDG_CURRENT_DESKTOP", "gamescope")
        .env(
            "XDG_SESSION_TYPE",
            if options.wayland { "wayland" } else { "x11" },
        )
        .env_remove("WAYLAND_DISPLAY")
        .process_group(0)
        .spawn();
    signals.thread_block()?;
    let mut child = child?;
    let group = Pid::from_raw(i32::try_from(child.id())?);
    let clean_up = place.clean_up();
    thread::spawn(move || {
        let _ = child.wait();
        info("launch", "Primary child shut down!");
        finish(&quit, clean_up);
    });
    Ok(Some(group))
}

/// End the loop, and with it the program; without PipeWire there is no loop to end.
fn finish(quit: &pipewire::channel::Sender<()>, clean_up: impl Fn()) {
    let _ = quit.send(());
    thread::sleep(Duration::from_secs(3));
    clean_up();
    exit(0);
}
