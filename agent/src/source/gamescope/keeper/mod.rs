//! The process around a gamescope: starts it, reads its log, tells what is in it, and leaves nothing behind.
//!
//! It is the agent's own program, because it has to outlive the agent where it runs as an application's unit: somebody must
//! go on reading the log, and the next agent asks it where the pictures are. It listens on a socket in the runtime
//! directory and tells each caller every [`Fact`] so far and all that follow. With a leash it belongs to one stream instead:
//! when its standard input ends, the agent is gone or done, and gamescope goes too. Of a killed keeper the kernel tells
//! gamescope, see [`bound`].

mod board;
pub mod bound;
mod family;

use std::{
    collections::VecDeque,
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::{net::UnixListener, net::UnixStream, process::ExitStatusExt},
    path::{Path, PathBuf},
    process::{Child, ChildStderr, ExitCode, ExitStatus, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use clap::Args;
use nix::sys::signal::Signal;
use tokio::signal::unix::{SignalKind, signal};

use super::{
    command::{self, Wanted},
    facts::{self, Fact},
};
use board::Board;

/// The hidden command of the program.
pub const COMMAND: &str = "gamescope-keeper";

/// How long gamescope may take to end when it is told to.
const GRACE: Duration = Duration::from_secs(5);
/// How long the reason of an early end waits for somebody to hear it.
const HEARING: Duration = Duration::from_secs(3);
/// Lines of the log that are shown with an error, and the longest line that is looked at.
const LAST_WORDS: usize = 6;
const MAX_LINE: u64 = 8192;

/// What the process is told on its command line.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct KeeperArgs {
    /// Where to tell what is known.
    pub socket: PathBuf,
    /// The gamescope to run.
    #[arg(long)]
    pub program: PathBuf,
    #[arg(long)]
    pub width: u32,
    #[arg(long)]
    pub height: u32,
    #[arg(long)]
    pub fps: u32,
    /// End when standard input does.
    #[arg(long)]
    pub leash: bool,
    /// A further option for gamescope.
    #[arg(long = "option", allow_hyphen_values = true)]
    pub options: Vec<String>,
    /// What runs inside.
    #[arg(last = true)]
    pub command: Vec<String>,
}

impl KeeperArgs {
    /// The words that make the program this keeper, without the program itself.
    pub fn words(&self) -> Vec<String> {
        let path = |path: &Path| path.to_string_lossy().into_owned();
        let mut words = vec![
            COMMAND.to_owned(),
            path(&self.socket),
            format!("--program={}", path(&self.program)),
            format!("--width={}", self.width),
            format!("--height={}", self.height),
            format!("--fps={}", self.fps),
        ];
        words.extend(self.leash.then(|| "--leash".to_owned()));
        words.extend(
            self.options
                .iter()
                .map(|option| format!("--option={option}")),
        );
        words.push("--".to_owned());
        words.extend(self.command.iter().cloned());
        words
    }
}

/// Be the keeper until gamescope and everything in it is gone; the exit status is gamescope's.
pub fn keep(args: &KeeperArgs) -> ExitCode {
    let complain = |what: &str, error: &dyn std::fmt::Display| {
        eprintln!("punktfunk-agent {COMMAND}: {what}: {error}");
        ExitCode::FAILURE
    };
    // Whatever the programs inside leave behind becomes our child, and is ended with the rest.
    if let Err(error) = nix::sys::prctl::set_child_subreaper(true) {
        return complain("processes", &error);
    }
    let listener = match listen(&args.socket) {
        Ok(listener) => listener,
        Err(error) => return complain("its socket", &error),
    };
    let board = Arc::new(Board::default());
    let callers = Arc::clone(&board);
    thread::spawn(move || {
        for caller in listener.incoming().flatten() {
            callers.welcome(caller);
        }
    });
    let (why, status) = match start(args) {
        Ok(child) => live(child, args.leash, &board),
        Err(error) => (error.to_string(), 127),
    };
    board.publish(Fact::Ended(why));
    family::end();
    board.wait_for_hearing(HEARING);
    let _ = std::fs::remove_file(&args.socket);
    ExitCode::from(status)
}

/// One keeper for each socket; a file that nobody listens on any more is replaced.
fn listen(path: &Path) -> io::Result<UnixListener> {
    if UnixStream::connect(path).is_ok() {
        return Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            "this one runs already",
        ));
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    UnixListener::bind(path)
}

fn start(args: &KeeperArgs) -> Result<Child, command::CommandError> {
    let help = command::help(&args.program)?;
    let wanted = Wanted {
        width: args.width,
        height: args.height,
        fps: args.fps,
        options: args.options.clone(),
        command: args.command.clone(),
    };
    let mut process = bound::command(&args.program);
    process
        .args(command::arguments(&wanted, &help)?)
        .stdin(Stdio::null())
        .stderr(Stdio::piped());
    // It exits if WAYLAND_DISPLAY names a compositor that is gone, and chooses its programs' drivers by one that is there;
    // the others are of a gamescope around this one.
    for variable in [
        "WAYLAND_DISPLAY",
        "DISPLAY",
        "LIBEI_SOCKET",
        "GAMESCOPE_WAYLAND_DISPLAY",
    ] {
        process.env_remove(variable);
    }
    process.spawn().map_err(|error| {
        command::CommandError::Broken(format!("{}: {error}", args.program.display()))
    })
}

/// Until this process is told to end. By a handler: signals that are blocked would stay so in everything that it starts.
#[tokio::main(flavor = "current_thread")]
async fn signalled() -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        _ = hangup.recv() => {}
    }
    Ok(())
}

/// From the start of gamescope to its end: why it ended, and its exit status.
fn live(mut child: Child, leash: bool, board: &Arc<Board>) -> (String, u8) {
    let process = i32::try_from(child.id()).unwrap_or(i32::MAX);
    board.publish(Fact::Process(process));
    let told = Arc::new(AtomicBool::new(false));
    let over = Arc::new(AtomicBool::new(false));
    let end = {
        let (told, over) = (Arc::clone(&told), Arc::clone(&over));
        move || {
            told.store(true, Ordering::Release);
            for signal in [Signal::SIGTERM, Signal::SIGKILL] {
                if over.load(Ordering::Acquire) {
                    return;
                }
                family::signal(process, signal);
                thread::sleep(GRACE);
            }
        }
    };
    if leash {
        let end = end.clone();
        thread::spawn(move || {
            let _ = io::copy(&mut io::stdin(), &mut io::sink());
            end();
        });
    }
    thread::spawn(move || {
        if let Err(error) = signalled() {
            eprintln!("punktfunk-agent {COMMAND}: signals: {error}");
        }
        end();
    });
    let last_words = Arc::new(Mutex::new(VecDeque::new()));
    let log = child.stderr.take().map(|log| {
        let (words, board) = (Arc::clone(&last_words), Arc::clone(board));
        thread::spawn(move || read_log(log, &words, &board))
    });
    let status = family::wait_for(process);
    over.store(true, Ordering::Release);
    // What it said last is in the pipe; a program that it left behind may hold the other end open.
    if let Some(log) = log {
        for _ in 0..10 {
            if log.is_finished() {
                break;
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
    let words = last_words.lock().unwrap_or_else(PoisonError::into_inner);
    let words = words.iter().cloned().collect::<Vec<_>>().join(" | ");
    let why = reason(
        status,
        told.load(Ordering::Acquire),
        board.has_node(),
        &words,
    );
    (why, exit_code(status))
}

fn reason(status: ExitStatus, told: bool, shown: bool, last_words: &str) -> String {
    if told {
        "gamescope was told to end".to_owned()
    } else if status.success() && shown {
        "the program inside gamescope ended".to_owned()
    } else {
        let how = match (status.code(), status.signal()) {
            (Some(code), _) => format!("with status {code}"),
            (None, Some(signal)) => format!("by signal {signal}"),
            (None, None) => "in an unknown way".to_owned(),
        };
        let when = if shown {
            ""
        } else {
            " before there was a picture"
        };
        format!("gamescope ended{when}, {how}; its last words: {last_words}")
    }
}

fn exit_code(status: ExitStatus) -> u8 {
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok())
        .unwrap_or(u8::MAX)
}

/// Pass the log on, line by line, and take from it what is worth knowing.
fn read_log(log: ChildStderr, last_words: &Mutex<VecDeque<String>>, board: &Board) {
    let mut log = BufReader::new(log);
    let mut line = Vec::new();
    loop {
        line.clear();
        match log.by_ref().take(MAX_LINE).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let _ = io::stderr().write_all(&line);
        let text = String::from_utf8_lossy(&line);
        if let Some(fact) = Fact::of_line(&text) {
            board.publish(fact);
        }
        let text = facts::without_colours(text.trim());
        if !text.is_empty() {
            let mut words = last_words.lock().unwrap_or_else(PoisonError::into_inner);
            if words.len() >= LAST_WORDS {
                words.pop_front();
            }
            words.push_back(text.chars().take(200).collect());
        }
    }
}

#[cfg(test)]
mod tests;
