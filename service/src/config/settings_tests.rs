use super::*;
use crate::config::Ports;
use std::{
    fs,
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
};

/// A configuration with its drop-ins and a state directory, gone with the test.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!(
            "punktfunk-settings-{}-{number}",
            std::process::id()
        ));
        fs::create_dir_all(path.join("punktfunk.toml.d")).unwrap();
        fs::create_dir(path.join("state")).unwrap();
        let place = Self(path);
        place.file("");
        place
    }
    fn main(&self) -> PathBuf {
        self.0.join("punktfunk.toml")
    }
    fn file(&self, text: &str) {
        fs::write(self.main(), text).unwrap();
    }
    fn drop_in(&self, name: &str, text: &str) {
        fs::write(self.0.join("punktfunk.toml.d").join(name), text).unwrap();
    }
    fn saved(&self) -> PathBuf {
        self.0.join("state").join(saved::NAME)
    }
    fn cli(&self) -> Cli {
        Cli {
            config: Some(self.main()),
            check: false,
            dev: false,
            state_dir: Some(self.0.join("state")),
            base_port: None,
        }
    }
    fn open(&self) -> Settings {
        self.open_with(|_| None)
    }
    fn open_with(&self, environment: fn(&'static str) -> Option<OsString>) -> Settings {
        let started = Config::load_with(&self.cli(), environment).unwrap();
        Settings::open_with(&self.cli(), environment, started).unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

fn one(key: &str, value: Value) -> BTreeMap<String, Value> {
    BTreeMap::from([(key.to_owned(), value)])
}

fn origin(settings: &Settings, key: &str) -> String {
    settings.view().origins[key].clone()
}

#[test]
fn drop_ins_are_laid_over_the_file_by_name_and_each_value_says_where_it_is_from() {
    let place = Place::new();
    place.file("name = \"main\"\nencryption = \"required\"\n");
    place.drop_in("20-b.toml", "name = \"second\"\n");
    place.drop_in("10-a.toml", "name = \"first\"\n[video]\nfec-percent = 7\n");
    place.drop_in("30-c.txt", "name = \"not a configuration\"\n");
    place.drop_in(".40-d.toml", "name = \"hidden\"\n");
    let settings = place.open();
    assert_eq!(settings.now().name, "second");
    assert_eq!(settings.now().fec_percent, 7);
    assert!(origin(&settings, "name").ends_with("20-b.toml"));
    assert!(origin(&settings, "video.fec-percent").ends_with("10-a.toml"));
    assert!(origin(&settings, "encryption-wan").ends_with("punktfunk.toml"));
    assert_eq!(origin(&settings, "gamepad"), "default");
}

#[test]
fn a_mistake_in_a_drop_in_names_that_file() {
    let place = Place::new();
    place.drop_in("10-a.toml", "\n[video]\nfec-precent = 7\n");
    let message = Config::load_with(&place.cli(), |_| None)
        .unwrap_err()
        .to_string();
    for part in [
        "10-a.toml",
        "line 3",
        "fec-precent",
        "did you mean `video.fec-percent`",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
}

#[test]
fn what_is_set_holds_at_once_lasts_and_can_be_taken_back() {
    let place = Place::new();
    place.file("name = \"file\"\n");
    let settings = place.open();
    let mut changes = settings.changes();
    let change = settings.set(one("name", text("bus"))).unwrap();
    assert_eq!(change.changed, ["name"]);
    assert!(change.restart.is_empty() && changes.has_changed().unwrap());
    changes.mark_unchanged();
    settings
        .set(one("video.fec-percent", Value::Number(9)))
        .unwrap();
    for settings in [&settings, &place.open()] {
        assert_eq!(
            (settings.now().name.as_str(), settings.now().fec_percent),
            ("bus", 9)
        );
        assert_eq!(origin(settings, "name"), "bus");
    }
    settings.reset(&["name".into()]).unwrap();
    assert_eq!(
        (settings.now().name.as_str(), settings.now().fec_percent),
        ("file", 9)
    );
    settings.reset(&[]).unwrap();
    assert_eq!(settings.now().fec_percent, Config::default().fec_percent);
    assert_eq!(
        place.open().now().fec_percent,
        Config::default().fec_percent
    );
}

#[test]
fn what_takes_a_restart_is_said_and_does_not_hold_before_it() {
    let place = Place::new();
    let settings = place.open();
    let change = settings
        .set(one("ports.http", Value::Number(5000)))
        .unwrap();
    assert_eq!(change.restart, ["ports.http"]);
    assert_eq!(settings.now().ports, Ports::default());
    assert_eq!(settings.view().values["ports.http"], Value::Number(5000));
    // Another change says it again.
    let change = settings.set(one("name", text("x"))).unwrap();
    assert_eq!(change.restart, ["ports.http"]);
    let restarted = place.open();
    assert_eq!(restarted.now().ports.http, 5000);
    assert!(restarted.view().restart.is_empty());
}

#[test]
fn what_is_not_understood_changes_nothing() {
    let place = Place::new();
    let settings = place.open();
    settings.set(one("name", text("before"))).unwrap();
    let kept = fs::read_to_string(place.saved()).unwrap();
    for (key, value, part) in [
        ("video.fec-percent", Value::Number(101), "0 to 100"),
        ("video.fec-percent", text("many"), "fec-percent"),
        ("video.source", text("vhs"), "expected one of"),
        ("nonsense", text("x"), "not a setting"),
        ("video.drop", Value::Number(3), "not a setting"),
        ("user", text("root"), "privileges"),
        ("state-dir", text("/etc"), "privileges"),
        ("identity-dir", text("/etc"), "privileges"),
        (
            "ports.http",
            Value::Number(47984),
            "ports.http and ports.https",
        ),
    ] {
        let values = BTreeMap::from([
            (key.to_owned(), value),
            ("discovery".to_owned(), Value::Flag(false)),
        ]);
        let message = settings.set(values).unwrap_err().to_string();
        assert!(message.contains(part), "{key}: {message}");
        assert!(settings.now().discovery && settings.now().name == "before");
        assert_eq!(fs::read_to_string(place.saved()).unwrap(), kept, "{key}");
    }
}

#[test]
fn a_reload_takes_the_files_as_they_are_now_or_leaves_everything() {
    let place = Place::new();
    place.file("name = \"one\"\n");
    let settings = place.open();
    place.file("name = \"two\"\ngamepad = \"xbox\"\n");
    let change = settings.reload().unwrap();
    assert_eq!(change.changed, ["name", "gamepad"]);
    assert_eq!(change.restart, ["gamepad"]);
    assert_eq!(settings.now().name, "two");
    place.file("name = 3\n");
    settings.reload().unwrap_err();
    assert_eq!(settings.now().name, "two");
}

#[test]
fn a_saved_file_that_cannot_be_used_is_set_aside_and_decides_about_no_privilege() {
    for text in [
        "user = \"root\"\n",
        "name = [[[",
        "state-dir = \"/etc\"\n",
        "video = 3\n",
    ] {
        let place = Place::new();
        fs::write(place.saved(), text).unwrap();
        let settings = place.open();
        assert_eq!(settings.now().user, Config::default().user);
        assert_eq!(settings.now().state_dir, place.0.join("state"));
        assert!(!place.saved().exists());
        let aside = place.saved().with_file_name("settings.toml.bad");
        assert_eq!(fs::read_to_string(aside).unwrap(), text);
        settings
            .set(one("name", Value::Text("again".into())))
            .unwrap();
    }
}

#[test]
fn a_state_directory_that_cannot_be_written_is_said_and_changes_nothing() {
    let place = Place::new();
    let settings = place.open();
    fs::remove_dir(place.0.join("state")).unwrap();
    let message = settings
        .set(one("name", text("x")))
        .unwrap_err()
        .to_string();
    assert!(message.contains("settings.toml"), "{message}");
    assert_ne!(settings.now().name, "x");
}

#[test]
fn the_environment_goes_before_what_was_set() {
    let place = Place::new();
    let settings = place.open_with(|name| (name == "PUNKTFUNK_FEC_PCT").then(|| "3".into()));
    settings
        .set(one("video.fec-percent", Value::Number(9)))
        .unwrap();
    assert_eq!(settings.now().fec_percent, 3);
    assert_eq!(origin(&settings, "video.fec-percent"), "environment");
}

#[test]
fn the_example_names_every_key_and_no_other() {
    let example = include_str!("../../punktfunk.toml");
    let mut section = String::new();
    let mut named = Vec::new();
    for line in example.lines() {
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            section = format!("{name}.");
        } else if let Some((key, _)) = line.trim_start_matches(['#', ' ']).split_once(" = ")
            && key
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'-')
        {
            named.push(format!("{section}{key}"));
        }
    }
    let manual = include_str!("../../../docs/man/punktfunk.toml.5").replace("\\-", "-");
    // `base` is explained beside the ports.
    named.push("ports.base".into());
    named.sort();
    let mut known: Vec<String> = KEYS.iter().map(|key| key.name.to_owned()).collect();
    known.extend(super::super::TEST_KEYS.map(str::to_owned));
    known.sort();
    assert_eq!(named, known);
    for key in known {
        assert!(
            manual.contains(&key),
            "punktfunk.toml(5) does not explain {key}"
        );
    }
}
