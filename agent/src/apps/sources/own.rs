//! The user's own file, `apps.toml`: applications of their own, and what else is shown or hidden.
use crate::apps::{
    bounded,
    entry::{Art, Command, Entry, Found, Run, Source, Tracking},
    places::Places,
    words,
};
use serde::Deserialize;
use std::{
    collections::{BTreeMap, HashSet},
    path::{Path, PathBuf},
};

const MAX_FILE: u64 = 1 << 20;
/// Commands before and after, and variables, of one application.
const MAX_COMMANDS: usize = 32;
/// Bytes of a word for a monitor.
const MAX_MONITOR: usize = 64;
const MAX_VARIABLES: usize = 256;

/// What the file says, apart from its applications.
#[derive(Debug, Default)]
pub struct Choices {
    /// Desktop file ids that are shown though they are no games.
    pub publish: HashSet<String>,
    /// Keys (`steam:220`) that are not shown.
    pub hide: HashSet<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    publish: Vec<String>,
    #[serde(default)]
    hide: Vec<String>,
    #[serde(default)]
    gamescope: GamescopeTable,
    #[serde(default)]
    portal: MonitorTable,
    #[serde(default)]
    wlroots: MonitorTable,
    /// Each is read by itself, so that one mistake costs one application.
    #[serde(default)]
    app: Vec<toml::Table>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct GamescopeTable {
    command: Option<Line>,
    #[serde(default)]
    options: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct MonitorTable {
    monitor: Option<String>,
}

/// The user's word for the monitor that the portal is asked for, if there is one. Blocks on the disk.
pub fn portal_monitor(places: &Places) -> Option<String> {
    read(&path(places)).ok()?.portal.monitor
}

/// The name of the monitor that is captured where the compositor makes no outputs, if the user names one. Blocks on the disk.
pub fn wlroots_monitor(places: &Places) -> Option<String> {
    read(&path(places)).ok()?.wlroots.monitor
}

/// What the file says of gamescope.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Nesting {
    /// What runs in one where no application was chosen.
    pub command: Option<Command>,
    /// Options for every gamescope that is started.
    pub options: Vec<String>,
}

impl Nesting {
    /// Read it; a broken file says nothing here, and is complained of with the catalogue. Blocks on the disk.
    pub fn read(places: &Places) -> Self {
        let file = read(&path(places)).ok();
        let table = file.map(|file| file.gamescope).unwrap_or_default();
        Self {
            command: table.command.and_then(|line| words_of(places, line).ok()),
            options: table.options,
        }
    }
}

fn read(path: &Path) -> Result<File, String> {
    let text = bounded::read_text(path, MAX_FILE).map_err(|error| error.to_string())?;
    let file: File = toml::from_str(&text).map_err(|error| error.to_string())?;
    for (table, monitor) in [("portal", &file.portal), ("wlroots", &file.wlroots)] {
        if let Some(monitor) = &monitor.monitor
            && !(1..=MAX_MONITOR).contains(&monitor.len())
        {
            return Err(format!(
                "{table}: the word for a monitor has 1 to {MAX_MONITOR} bytes"
            ));
        }
    }
    let options = &file.gamescope.options;
    match options
        .iter()
        .find(|option| *option == "--" || option.contains('\0'))
    {
        Some(option) => Err(format!("gamescope: {option:?} is no option")),
        None => Ok(file),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct App {
    title: String,
    name: Option<String>,
    command: Line,
    directory: Option<String>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    #[serde(default)]
    prepare: Vec<Line>,
    #[serde(default)]
    undo: Vec<Line>,
    picture: Option<String>,
    #[serde(default)]
    compositor: Compositor,
    #[serde(default)]
    detached: bool,
    #[serde(default)]
    hidden: bool,
}

/// A command as one text, or as a list of its words.
#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Text(String),
    Words(Vec<String>),
}

#[derive(Deserialize, Default, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Compositor {
    #[default]
    Session,
    Gamescope,
}

/// Where the file lies.
pub fn path(places: &Places) -> PathBuf {
    places.config.join("punktfunk/apps.toml")
}

/// Read the file; without one there is nothing of the user's own.
pub fn find(places: &Places) -> (Choices, Found) {
    let mut found = Found::default();
    let path = path(places);
    if !path.exists() {
        return (Choices::default(), found);
    }
    let file = match read(&path) {
        Ok(file) => file,
        Err(reason) => {
            found.problem(&path, reason);
            return (Choices::default(), found);
        }
    };
    let mut names = HashSet::new();
    for (number, table) in (1u32..).zip(file.app) {
        let entry =
            entry(places, table).map_err(|reason| format!("application {number}: {reason}"));
        match entry {
            Ok(Some(entry)) if !names.insert(entry.native.clone()) => found.problem(
                &path,
                format!(
                    "application {number}: the name \"{}\" is taken",
                    entry.native
                ),
            ),
            entry => found.take(&path, entry),
        }
    }
    let id = |id: String| {
        id.strip_suffix(".desktop")
            .map_or(id.clone(), str::to_owned)
    };
    let choices = Choices {
        publish: file.publish.into_iter().map(id).collect(),
        hide: file.hide.into_iter().map(id).collect(),
    };
    (choices, found)
}

fn entry(places: &Places, table: toml::Table) -> Result<Option<Entry>, String> {
    let app: App = table
        .try_into()
        .map_err(|error: toml::de::Error| error.message().to_owned())?;
    if app.hidden {
        return Ok(None);
    }
    if app.title.trim().is_empty() {
        return Err("the title is empty".into());
    }
    if app.prepare.len() > MAX_COMMANDS || app.undo.len() > MAX_COMMANDS {
        return Err(format!(
            "more than {MAX_COMMANDS} commands to prepare or undo"
        ));
    }
    let path = |name: &str, text: Option<String>| {
        text.map(|text| {
            places
                .expand(&text)
                .ok_or(format!("{name} is not an absolute path"))
        })
        .transpose()
    };
    let lines = |lines: Vec<Line>| {
        lines
            .into_iter()
            .map(|line| words_of(places, line))
            .collect::<Result<Vec<_>, String>>()
    };
    Ok(Some(Entry {
        source: Source::Own,
        native: app.name.unwrap_or_else(|| app.title.clone()),
        run: Run {
            command: words_of(places, app.command)?,
            directory: path("directory", app.directory)?,
            environment: variables(app.environment)?,
            prepare: lines(app.prepare)?,
            undo: lines(app.undo)?,
            gamescope: app.compositor == Compositor::Gamescope,
            tracking: if app.detached {
                Tracking::Detached
            } else {
                Tracking::Processes
            },
        },
        art: Art {
            covers: path("picture", app.picture)?.into_iter().collect(),
            icon: None,
        },
        title: app.title,
    }))
}

fn words_of(places: &Places, line: Line) -> Result<Command, String> {
    let mut command = match line {
        Line::Text(text) => words::split(&text)?,
        Line::Words(words) => words,
    };
    let program = command.first_mut().filter(|program| !program.is_empty());
    let program = program.ok_or("a command is empty")?;
    if program.starts_with("~/")
        && let Some(path) = places.expand(program).as_deref().and_then(Path::to_str)
    {
        *program = path.to_owned();
    }
    if command.iter().any(|word| word.contains('\0')) {
        return Err("a command contains a null character".into());
    }
    Ok(command)
}

fn variables(table: BTreeMap<String, String>) -> Result<Vec<(String, String)>, String> {
    if table.len() > MAX_VARIABLES {
        return Err(format!("more than {MAX_VARIABLES} variables"));
    }
    for (name, value) in &table {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty()
            || name.starts_with(|c: char| c.is_ascii_digit())
            || !name.chars().all(plain)
        {
            return Err(format!("\"{name}\" is no name of a variable"));
        }
        if value.contains(|c: char| c.is_control() && c != '\t') {
            return Err(format!("the value of {name} has control characters"));
        }
    }
    Ok(table.into_iter().collect())
}
