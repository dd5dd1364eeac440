//! The command line of gamescope: which program, what this version of it can, and what is asked of it.

use std::{
    io::Read,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use punktfunk_dbus::gamescope;

use crate::apps::Places;

/// How long gamescope may take to print its options.
const HELP_LIMIT: Duration = Duration::from_secs(5);
const MAX_HELP: u64 = 64 * 1024;

/// What runs in a gamescope, and at which mode. Pixels and pictures a second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub width: u32,
    pub height: u32,
    pub fps: u32,
    /// Further options of the user's.
    pub options: Vec<String>,
    /// The program inside and its arguments.
    pub command: Vec<String>,
}

/// Why gamescope cannot be run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    #[error(
        "gamescope is not installed (package \"gamescope\"; not in $PATH and not in /usr/games)"
    )]
    Missing,
    #[error(
        "this gamescope ({0}) cannot run without a window: it has neither --backend nor --headless; version 3.14 or later is needed"
    )]
    TooOld(String),
    #[error("gamescope cannot be started: {0}")]
    Broken(String),
}

/// Where gamescope is. Debian puts it among the games, which not every `$PATH` has.
///
/// # Errors
/// [`CommandError::Missing`].
pub fn program(places: &Places) -> Result<PathBuf, CommandError> {
    places
        .program("gamescope")
        .or_else(|| places.program("/usr/games/gamescope"))
        .ok_or(CommandError::Missing)
}

/// The arguments that run `wanted` without a window in a gamescope whose `--help` says `help`.
///
/// # Errors
/// [`CommandError::TooOld`].
pub fn arguments(wanted: &Wanted, help: &str) -> Result<Vec<String>, CommandError> {
    let (width, height) = (wanted.width.to_string(), wanted.height.to_string());
    let fps = wanted.fps.to_string();
    // -W and -H are the output's size, -w and -h the one that the programs inside see.
    let mode = [
        "-W", &width, "-H", &height, "-w", &width, "-h", &height, "-r", &fps,
    ];
    let windowless = gamescope::windowless(help)
        .ok_or_else(|| CommandError::TooOld(gamescope::version(help)))?;
    Ok(windowless
        .iter()
        .copied()
        .chain(mode)
        .map(str::to_owned)
        .chain(wanted.options.iter().cloned())
        .chain(["--".to_owned()])
        .chain(wanted.command.iter().cloned())
        .collect())
}

/// What `--help` prints, on either output.
///
/// # Errors
/// [`CommandError::Broken`]: it cannot be executed, or does not answer.
pub fn help(program: &Path) -> Result<String, CommandError> {
    let broken = |why: String| CommandError::Broken(format!("{}: {why}", program.display()));
    let mut process = Command::new(program)
        .arg("--help")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| broken(error.to_string()))?;
    let (told, tells) = mpsc::channel();
    let pipes: [Option<Box<dyn Read + Send>>; 2] = [
        process.stdout.take().map(|pipe| Box::new(pipe) as _),
        process.stderr.take().map(|pipe| Box::new(pipe) as _),
    ];
    for pipe in pipes.into_iter().flatten() {
        let told = told.clone();
        std::thread::spawn(move || {
            let mut text = Vec::new();
            let _ = pipe.take(MAX_HELP).read_to_end(&mut text);
            let _ = told.send(String::from_utf8_lossy(&text).into_owned());
        });
    }
    drop(told);
    let mut text = String::new();
    loop {
        match tells.recv_timeout(HELP_LIMIT) {
            Ok(part) => text.push_str(&part),
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                let _ = process.kill();
                let _ = process.wait();
                return Err(broken("it does not answer to --help".to_owned()));
            }
        }
    }
    let _ = process.wait();
    if text.trim().is_empty() {
        return Err(broken("it says nothing to --help".to_owned()));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> Wanted {
        Wanted {
            width: 1366,
            height: 768,
            fps: 90,
            options: vec!["--expose-wayland".into()],
            command: vec!["game".into(), "--backend".into(), "-- x".into()],
        }
    }

    #[test]
    fn the_program_inside_comes_last_and_whole() {
        let help =
            "  --backend   select rendering backend\n     headless => use headless backend\n";
        let words = arguments(&wanted(), help).unwrap();
        assert_eq!(
            words.join(" "),
            "--backend headless -W 1366 -H 768 -w 1366 -h 768 -r 90 --expose-wayland -- game --backend -- x"
        );
        assert_eq!(words.last().unwrap(), "-- x");
    }

    #[test]
    fn each_version_is_told_in_its_own_words() {
        let older =
            "  --headless                     use headless backend (no window, no DRM output)\n";
        assert!(
            arguments(&wanted(), older)
                .unwrap()
                .starts_with(&["--headless".to_owned(), "-W".to_owned()])
        );
        let oldest = "gamescope version 3.11.49\nusage: gamescope [options...] -- [command...]\n  -W, --output-width  output width\n";
        assert_eq!(
            arguments(&wanted(), oldest),
            Err(CommandError::TooOld("version 3.11.49".into()))
        );
    }

    #[test]
    fn a_program_that_is_none_of_ours_is_named() {
        let text = help(Path::new("/no/gamescope")).unwrap_err().to_string();
        assert!(text.contains("/no/gamescope"), "{text}");
    }
}
