//! The person's own default sink, kept on disk while ours has its place, so that a crash does not lose it: the session
//! manager remembers the choice of a sink that is gone, and would give the place to whatever it ranks first.

use std::{
    cell::{Cell, RefCell},
    env, fs,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    rc::Rc,
    time::{Duration, Instant},
};

use pipewire::{
    context::ContextRc,
    loop_::Timeout,
    main_loop::MainLoopRc,
    metadata::{Metadata, MetadataListener},
    types::ObjectType,
};

use super::default_sink::{KEY, Place, TYPE, is_ours, names};

/// A longer file is not ours.
const MAX_FILE: u64 = 4096;

/// How long a starting agent waits for the session's PipeWire and its session manager, and how often it looks.
const LIMIT: Duration = Duration::from_secs(60);
const ROUND: Duration = Duration::from_secs(2);
/// How long they may take to tell what there is.
const ANSWER: Duration = Duration::from_secs(5);

/// What was there before ours: a choice as the session manager spells it, or none.
pub type Choice = Option<String>;

/// The file of this user.
fn file() -> Option<PathBuf> {
    let absolute = |name: &str| {
        env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let state = absolute("XDG_STATE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))?;
    Some(state.join("punktfunk/default-sink"))
}

/// The choice that was kept; None: nothing was.
pub fn kept() -> Option<Choice> {
    read(&file()?)
}

/// Keep it until [`forget`].
pub fn keep(choice: Option<&str>) {
    let Some(file) = file() else { return };
    if let Err(error) = write(&file, choice) {
        tracing::warn!(
            file = %file.display(),
            "the default sink is not put back if the agent is killed: {error}"
        );
    }
}

/// It has its place again.
pub fn forget() {
    if let Some(file) = file() {
        let _ = fs::remove_file(file);
    }
}

fn read(file: &Path) -> Option<Choice> {
    let known = fs::metadata(file).is_ok_and(|about| about.len() <= MAX_FILE);
    let text = known.then(|| fs::read_to_string(file).ok()).flatten()?;
    let choice = text.trim_end();
    // a name of ours would be no person's choice
    Some((!choice.is_empty() && !is_ours(choice)).then(|| choice.to_owned()))
}

fn write(file: &Path, choice: Option<&str>) -> std::io::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    let fresh = file.with_extension(format!("{}.new", std::process::id()));
    let written = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&fresh)
        .and_then(|mut out| writeln!(out, "{}", choice.unwrap_or_default()))
        .and_then(|()| fs::rename(&fresh, file));
    if written.is_err() {
        let _ = fs::remove_file(&fresh);
    }
    written
}

/// Put the person's choice back if an agent was killed while its sink had the place. Waits for PipeWire, a minute at most;
/// a choice that is not one of our sinks, or whose sink is there, is left alone.
pub fn put_back_after_crash() {
    let end = Instant::now() + LIMIT;
    while let Some(before) = kept() {
        // a stream that began meanwhile has taken it over
        if Place::lock().taken() {
            return;
        }
        match put_back(before.as_deref()) {
            Ok(Found::Stale) => {
                tracing::info!(
                    "an agent was killed while it had the default sink; it is given back"
                );
                return forget();
            }
            Ok(Found::Anothers) => return forget(),
            Ok(Found::InUse) => return,
            Err(why) if Instant::now() >= end => {
                tracing::debug!(why, "the default sink was not given back yet");
                return;
            }
            Err(_) => std::thread::sleep(ROUND),
        }
    }
}

enum Found {
    /// Ours, of a sink that is gone.
    Stale,
    /// Ours, and the sink is there: of another agent of this user.
    InUse,
    Anothers,
}

/// What a session says of itself.
#[derive(Default)]
struct Session {
    metadata: RefCell<Option<(Metadata, MetadataListener)>>,
    current: RefCell<Choice>,
    sinks: RefCell<Vec<String>>,
    answers: Cell<u32>,
}

fn put_back(before: Option<&str>) -> Result<Found, String> {
    let said = |error: pipewire::Error| error.to_string();
    pipewire::init();
    let main_loop = MainLoopRc::new(None).map_err(said)?;
    let context = ContextRc::new(&main_loop, None).map_err(said)?;
    let core = context.connect_rc(None).map_err(said)?;
    let registry = core.get_registry_rc().map_err(said)?;
    let session = Rc::<Session>::default();
    let (heard, answered, binder) = (Rc::clone(&session), Rc::clone(&session), registry.clone());
    let _globals = registry
        .add_listener_local()
        .global(move |global| {
            let property = |key| global.props.and_then(|props| props.get(key));
            if global.type_ == ObjectType::Node
                && let Some(name) = property("node.name").filter(|name| is_ours(name))
            {
                heard.sinks.borrow_mut().push(name.to_owned());
            }
            if global.type_ == ObjectType::Metadata
                && property("metadata.name") == Some("default")
                && let Ok(metadata) = binder.bind::<Metadata, _>(global)
            {
                let current = Rc::clone(&heard);
                let listener = metadata
                    .add_listener_local()
                    .property(move |_, key, _, value| {
                        if key == Some(KEY) {
                            current.current.replace(value.map(str::to_owned));
                        }
                        0
                    })
                    .register();
                heard.metadata.replace(Some((metadata, listener)));
            }
        })
        .register();
    let _answers = core
        .add_listener_local()
        .done(move |_, _| answered.answers.set(answered.answers.get() + 1))
        .register();
    // first what there is, then what it says
    let end = Instant::now() + ANSWER;
    for round in 1..=2 {
        core.sync(0).map_err(said)?;
        while session.answers.get() < round {
            if Instant::now() >= end {
                return Err("PipeWire does not answer".to_owned());
            }
            main_loop
                .loop_()
                .iterate(Timeout::Finite(Duration::from_millis(100)));
        }
    }
    let Some((metadata, _listener)) = session.metadata.take() else {
        return Err("no session manager answers".to_owned());
    };
    let current = session.current.borrow().clone();
    let Some(current) = current.filter(|current| is_ours(current)) else {
        return Ok(Found::Anothers);
    };
    let there = session
        .sinks
        .borrow()
        .iter()
        .any(|sink| names(&current, sink));
    if there {
        return Ok(Found::InUse);
    }
    metadata.set_property(0, KEY, before.map(|_| TYPE), before);
    // Let it leave before the connection closes.
    core.sync(0).map_err(said)?;
    while session.answers.get() < 3 && Instant::now() < end {
        main_loop
            .loop_()
            .iterate(Timeout::Finite(Duration::from_millis(100)));
    }
    Ok(Found::Stale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_and_the_lack_of_one_are_kept_and_nothing_of_ours_is_believed() {
        let folder = env::temp_dir().join(format!("punktfunk-former-{}", std::process::id()));
        let file = folder.join("punktfunk/default-sink");
        assert_eq!(read(&file), None);
        let speaker = "{\"name\":\"alsa_output.pci\"}";
        write(&file, Some(speaker)).unwrap();
        assert_eq!(read(&file), Some(Some(speaker.to_owned())));
        write(&file, None).unwrap();
        assert_eq!(read(&file), Some(None));
        write(&file, Some("{\"name\":\"punktfunk-6\"}")).unwrap();
        assert_eq!(read(&file), Some(None));
        fs::write(&file, vec![b'x'; 5000]).unwrap();
        assert_eq!(read(&file), None);
        fs::remove_dir_all(folder).unwrap();
    }
}
