//! A gamescope that hears of its keeper's end, whichever way that comes: a keeper that is killed cannot end anything itself.
//!
//! The kernel tells it. A process has to ask for that on its own account, and what it asked for stays through its `exec`: so
//! this program is started in between and becomes gamescope. A gamescope with file capabilities hears nothing, because the
//! kernel forgets the wish when it grants them.

use std::{
    ffi::OsString,
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, ExitCode},
};

use clap::Args;
use nix::{
    sys::{prctl, signal::Signal},
    unistd::getppid,
};

/// The hidden command of the program.
pub const COMMAND: &str = "gamescope-bound";

/// This program as it runs, also when the file has been replaced since.
const THIS: &str = "/proc/self/exe";

/// What the process is told on its command line.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct BoundArgs {
    /// The process whose end is also that of the program.
    pub keeper: u32,
    /// The program and its arguments.
    #[arg(last = true, required = true)]
    pub command: Vec<OsString>,
}

/// `program`, to be told to end when this process is gone. To be spawned by its main thread: the kernel watches the thread.
pub fn command(program: &Path) -> Command {
    let mut command = Command::new(THIS);
    let keeper = std::process::id().to_string();
    command.args([COMMAND, &keeper, "--"]).arg(program);
    command
}

/// Become the program. Comes back only if that cannot be done, and says why.
pub fn become_it(args: &BoundArgs) -> ExitCode {
    let why = match ask(args.keeper) {
        Ok(()) => match args.command.split_first() {
            Some((program, arguments)) => {
                let error = Command::new(program).args(arguments).exec();
                format!("{}: {error}", program.display())
            }
            None => "no program".to_owned(),
        },
        Err(why) => why,
    };
    eprintln!("punktfunk-agent {COMMAND}: {why}");
    ExitCode::from(127)
}

fn ask(keeper: u32) -> Result<(), String> {
    prctl::set_pdeathsig(Signal::SIGTERM).map_err(|error| error.to_string())?;
    // it may have been gone before it was asked for
    match u32::try_from(getppid().as_raw()) {
        Ok(parent) if parent == keeper => Ok(()),
        _ => Err("the keeper is gone".to_owned()),
    }
}
