//! What exactly is executed: programs by absolute path, in the environment of the application.
use crate::{
    apps::{
        entry::{Command, Entry, Tracking},
        places::Places,
    },
    source::gamescope,
};
use std::path::PathBuf;

/// The stream that the application is started for. Pixels and frames a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    pub width: u32,
    pub height: u32,
    pub fps: u32,
}

/// A program by its path, and the words that it is called with, its own name first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub program: PathBuf,
    pub words: Vec<String>,
}

/// One application, ready to be executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub id: u32,
    pub title: String,
    pub main: Step,
    pub prepare: Vec<Step>,
    pub undo: Vec<Step>,
    pub directory: PathBuf,
    pub environment: Vec<(String, String)>,
    /// It counts as running after its command has returned.
    pub remains: bool,
}

impl Plan {
    /// `nested`: in a gamescope of its own, of the stream's size.
    ///
    /// # Errors
    /// A program that does not exist; the text names it.
    pub fn new(
        places: &Places,
        id: u32,
        entry: &Entry,
        shape: Shape,
        nested: bool,
    ) -> Result<Self, String> {
        let run = &entry.run;
        let step = |command: &Command| {
            let name = command.first().map_or("", String::as_str);
            let program = places.program(name).ok_or_else(|| {
                format!("there is no program \"{name}\", or it cannot be executed")
            })?;
            Ok(Step {
                program,
                words: command.clone(),
            })
        };
        let steps = |commands: &[Command]| {
            commands
                .iter()
                .map(step)
                .collect::<Result<Vec<_>, String>>()
        };
        let own = step(&run.command)?;
        let main = if nested {
            let (program, words) =
                gamescope::application(places, id, (shape.width, shape.height, shape.fps), {
                    let mut words = own.words;
                    if let Some(first) = words.first_mut() {
                        *first = own.program.to_string_lossy().into_owned();
                    }
                    words
                })?;
            Step { program, words }
        } else {
            own
        };
        let mut environment = vec![
            ("PUNKTFUNK_APP_ID".to_owned(), id.to_string()),
            ("PUNKTFUNK_APP_TITLE".to_owned(), entry.title.clone()),
            ("PUNKTFUNK_WIDTH".to_owned(), shape.width.to_string()),
            ("PUNKTFUNK_HEIGHT".to_owned(), shape.height.to_string()),
            ("PUNKTFUNK_FPS".to_owned(), shape.fps.to_string()),
        ];
        environment.extend(run.environment.iter().cloned());
        Ok(Self {
            id,
            title: entry.title.clone(),
            main,
            prepare: steps(&run.prepare)?,
            undo: steps(&run.undo)?,
            directory: run.directory.clone().unwrap_or_else(|| places.home.clone()),
            environment,
            // a gamescope is over when its program is
            remains: !nested && matches!(run.tracking, Tracking::HandOver | Tracking::Detached),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apps::entry::{Art, Run, Source};

    const SHAPE: Shape = Shape {
        width: 640,
        height: 360,
        fps: 30,
    };

    fn entry(command: &[&str]) -> Entry {
        Entry {
            source: Source::Own,
            native: "x".into(),
            title: "X".into(),
            run: Run::new(
                command.iter().map(|&word| word.to_owned()).collect(),
                Tracking::Processes,
            ),
            art: Art::default(),
        }
    }

    #[test]
    fn programs_are_found_before_anything_runs() {
        let places =
            Places::of(|name| std::env::var_os(name).or((name == "HOME").then(|| "/".into())))
                .unwrap();
        let plan = Plan::new(&places, 5, &entry(&["sh", "-c", "true"]), SHAPE, false).unwrap();
        assert!(plan.main.program.is_absolute());
        assert_eq!(plan.main.words, ["sh", "-c", "true"]);
        assert!(
            plan.environment
                .contains(&("PUNKTFUNK_WIDTH".into(), "640".into()))
        );
        let mut broken = entry(&["sh"]);
        broken.run.undo = vec![vec!["no-such-program".into()]];
        assert!(
            Plan::new(&places, 5, &broken, SHAPE, false)
                .unwrap_err()
                .contains("no-such-program")
        );
    }

    #[test]
    fn an_application_in_a_gamescope_is_told_to_its_keeper_word_by_word() {
        use std::os::unix::fs::PermissionsExt;
        let bin = std::env::temp_dir().join(format!("punktfunk-plan-{}", std::process::id()));
        std::fs::create_dir_all(&bin).unwrap();
        let places = |path: std::path::PathBuf| {
            Places::of(|name| match name {
                "HOME" => Some("/".into()),
                "PATH" => Some(path.clone().into()),
                "XDG_RUNTIME_DIR" => Some("/run/user/7".into()),
                _ => None,
            })
            .unwrap()
        };
        let program = |name: &str| {
            let path = bin.join(name);
            std::fs::write(&path, "").unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
            path
        };
        let game = program("game").display().to_string();
        let plan = || {
            Plan::new(
                &places(bin.clone()),
                5,
                &entry(&["game", "a b", "--x"]),
                SHAPE,
                true,
            )
        };
        if !std::path::Path::new("/usr/games/gamescope").exists() {
            let why = plan().unwrap_err();
            assert!(why.contains("package \"gamescope\""), "{why}");
        }
        program("gamescope");
        let words = plan().unwrap().main.words;
        assert_eq!(words[1], gamescope::keeper::COMMAND);
        assert_eq!(words[2], "/run/user/7/punktfunk-gamescope-app-5");
        assert!(words.contains(&"--width=640".to_owned()), "{words:?}");
        let inside = words.iter().position(|word| word == "--").unwrap();
        assert_eq!(words[inside + 1..], [&game, "a b", "--x"]);
        std::fs::remove_dir_all(&bin).unwrap();
    }
}
