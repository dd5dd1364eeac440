//! One application: what it is called, where it was found, how it runs and what it looks like.
use std::{
    fmt,
    path::{Path, PathBuf},
};

/// Who knows of the application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The user's own file.
    Own,
    /// A `.desktop` file.
    Desktop,
    Steam,
    Lutris,
    Heroic,
}

impl Source {
    /// Part of the ids: never to be changed.
    pub fn word(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Desktop => "desktop",
            Self::Steam => "steam",
            Self::Lutris => "lutris",
            Self::Heroic => "heroic",
        }
    }
}

/// How the end of an application is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tracking {
    /// It ends when the last process that came of its command does.
    Processes,
    /// Its launcher may hand it over to an instance that runs already and return at once; then its end is not seen.
    HandOver,
    /// The command returns at once, and the application lasts until it is stopped.
    Detached,
    /// Steam keeps a process named `reaper` around each game.
    Steam(u32),
}

/// A command: the program and its arguments.
pub type Command = Vec<String>;

/// How an application is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    pub command: Command,
    pub directory: Option<PathBuf>,
    pub environment: Vec<(String, String)>,
    /// Run before, in order; the first that fails keeps the application from starting.
    pub prepare: Vec<Command>,
    /// Run after the end, whatever it was.
    pub undo: Vec<Command>,
    /// In a gamescope of its own, at the client's size.
    pub gamescope: bool,
    pub tracking: Tracking,
}

impl Run {
    pub fn new(command: Command, tracking: Tracking) -> Self {
        Self {
            command,
            directory: None,
            environment: Vec::new(),
            prepare: Vec::new(),
            undo: Vec::new(),
            gamescope: false,
            tracking,
        }
    }
}

/// Where a picture may be found; generated where none of it exists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Art {
    /// Upright pictures that fill the frame, best first.
    pub covers: Vec<PathBuf>,
    /// An icon by name or absolute path.
    pub icon: Option<String>,
}

/// One application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub source: Source,
    /// What its source calls it; unique within the source.
    pub native: String,
    pub title: String,
    pub run: Run,
    pub art: Art,
}

impl Entry {
    /// `steam:220`: what ids are made of, and what people name an entry by.
    pub fn key(&self) -> String {
        format!("{}:{}", self.source.word(), self.native)
    }
}

/// Why something is not in the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Problem {
    pub file: PathBuf,
    pub reason: String,
}

impl Problem {
    pub fn new(file: &Path, reason: impl fmt::Display) -> Self {
        Self {
            file: file.to_owned(),
            reason: reason.to_string(),
        }
    }
}

/// What one source yields.
#[derive(Debug, Default)]
pub struct Found {
    pub entries: Vec<Entry>,
    pub problems: Vec<Problem>,
}

impl Found {
    /// Take an entry, or note why there is none.
    pub fn take(&mut self, file: &Path, entry: Result<Option<Entry>, String>) {
        match entry {
            Ok(entry) => self.entries.extend(entry),
            Err(reason) => self.problems.push(Problem::new(file, reason)),
        }
    }

    pub fn problem(&mut self, file: &Path, reason: impl fmt::Display) {
        self.problems.push(Problem::new(file, reason));
    }
}
