use super::*;
use std::{fs, os::unix::fs::PermissionsExt};

struct Scratch(PathBuf);
impl Scratch {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("punktfunk-store-{}", uuid::Uuid::new_v4()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }
    fn file(&self) -> PathBuf {
        self.0.join(file::NAME)
    }
    fn set_aside(&self) -> Vec<PathBuf> {
        fs::read_dir(&self.0)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.to_string_lossy().contains(".bad-"))
            .collect()
    }
}
impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn records_survive_a_restart_in_a_private_file() {
    let scratch = Scratch::new();
    let store = ClientStore::open(&scratch.0).unwrap();
    let record = store.add("tablet", b"certificate", Uid(1000)).unwrap();
    store
        .set_permissions(&record.id, &["unlock".into(), "view".into(), "view".into()])
        .unwrap();
    store.set_owner(&record.id, Uid(1001)).unwrap();
    drop(store);
    let again = ClientStore::open(&scratch.0).unwrap();
    let found = again.by_certificate(b"certificate").unwrap();
    assert_eq!((found.name.as_str(), found.owner), ("tablet", Uid(1001)));
    assert_eq!(found.permissions, ["view", "unlock"]);
    assert!(found.may(PERMISSION_UNLOCK) && !found.may(PERMISSION_POINTER));
    assert!(again.by_certificate(b"another").is_none());
    let mode = fs::metadata(scratch.file()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_damaged_file_is_set_aside_and_the_store_starts_empty() {
    let scratch = Scratch::new();
    for (number, bad) in [
        &b"{\"version\":1,\"clients\":[{"[..],
        b"",
        b"\xff\xfe",
        b"[]",
    ]
    .iter()
    .enumerate()
    {
        fs::write(scratch.file(), bad).unwrap();
        let store = ClientStore::open(&scratch.0).unwrap();
        assert!(store.list().is_empty());
        assert_eq!(
            scratch.set_aside().len(),
            number + 1,
            "nothing set aside is overwritten"
        );
        assert!(!scratch.file().exists());
    }
    let mut kept: Vec<_> = scratch
        .set_aside()
        .iter()
        .map(|path| fs::read(path).unwrap())
        .collect();
    kept.sort();
    assert_eq!(kept[0], b"");
}

#[test]
fn a_file_of_a_newer_version_is_kept_and_not_touched() {
    let scratch = Scratch::new();
    let newer = br#"{"version":4,"clients":[],"shiny":true}"#;
    fs::write(scratch.file(), newer).unwrap();
    assert!(ClientStore::open(&scratch.0).unwrap().list().is_empty());
    assert_eq!(fs::read(&scratch.set_aside()[0]).unwrap(), newer);
}

#[test]
fn when_the_disk_refuses_the_old_state_stays() {
    let scratch = Scratch::new();
    let store = ClientStore::open(&scratch.0).unwrap();
    let kept = store.add("kept", b"one", Uid(1000)).unwrap();
    let before = fs::read(scratch.file()).unwrap();
    // A directory in the way of the temporary file fails for root as well, unlike permissions.
    let obstacle = scratch.file().with_extension("json.new");
    fs::create_dir(&obstacle).unwrap();
    let changes = store.changes();
    assert!(matches!(
        store.add("lost", b"two", Uid(1000)),
        Err(StoreError::Io { .. })
    ));
    assert!(matches!(store.remove(&kept.id), Err(StoreError::Io { .. })));
    assert_eq!(store.list(), [kept]);
    assert_eq!(fs::read(scratch.file()).unwrap(), before);
    assert!(!changes.has_changed().unwrap(), "nothing changed");
    fs::remove_dir(obstacle).unwrap();
    assert!(store.add("late", b"two", Uid(1000)).is_ok());
}

#[test]
fn a_left_over_of_a_crash_does_not_matter() {
    let scratch = Scratch::new();
    fs::write(scratch.file().with_extension("json.new"), "half a fi").unwrap();
    let store = ClientStore::open(&scratch.0).unwrap();
    store.add("a", b"one", Uid(1)).unwrap();
    assert_eq!(ClientStore::open(&scratch.0).unwrap().list().len(), 1);
}

#[test]
fn pairing_again_replaces_the_record_and_names_are_made_presentable() {
    let scratch = Scratch::new();
    let store = ClientStore::open(&scratch.0).unwrap();
    store.add("old", b"one", Uid(1)).unwrap();
    let name = format!("  tv\n\u{7}{}", "x".repeat(100));
    let record = store.add(&name, b"one", Uid(2)).unwrap();
    assert!(record.name.starts_with("tvx") && record.name.chars().count() <= MAX_NAME);
    assert_eq!(store.list(), [record]);
    assert_eq!(store.add("\n", b"two", Uid(2)).unwrap().name, "unnamed");
}

#[test]
fn unknown_clients_and_permissions_are_refused() {
    let scratch = Scratch::new();
    let store = ClientStore::open(&scratch.0).unwrap();
    let unknown = ClientId::of_certificate(b"nobody");
    assert!(matches!(
        store.remove(&unknown),
        Err(StoreError::NoSuchClient)
    ));
    let record = store.add("a", b"one", Uid(1)).unwrap();
    let error = store
        .set_permissions(&record.id, &["root".into()])
        .unwrap_err();
    assert!(error.to_string().contains("root"));
}

#[test]
fn the_store_is_bounded() {
    let scratch = Scratch::new();
    let store = ClientStore::open(&scratch.0).unwrap();
    let mut records = Records::new();
    for number in 0..MAX_CLIENTS {
        let certificate = number.to_string().into_bytes();
        let id = ClientId::of_certificate(&certificate);
        records.insert(
            id.clone(),
            ClientRecord {
                id,
                name: "n".into(),
                certificate_der: certificate,
                owner: Uid(1),
                paired_at: 0,
                last_seen: 0,
                permissions: Vec::new(),
                terms: Terms::default(),
            },
        );
    }
    *store.records() = records;
    assert!(matches!(
        store.add("one too many", b"x", Uid(1)),
        Err(StoreError::Full)
    ));
    assert!(
        store.add("again", b"7", Uid(1)).is_ok(),
        "pairing again needs no room"
    );
}

#[test]
fn a_file_of_the_first_version_keeps_its_clients_and_what_they_could_do() {
    let scratch = Scratch::new();
    let entry = |certificate: &str, permissions: &str| {
        format!(
            r#"{{"name":"old","certificate":"{certificate}","owner":1,"paired_at":5,"last_seen":6,"permissions":{permissions}}}"#
        )
    };
    let first = format!(
        r#"{{"version":1,"clients":[{},{},{}]}}"#,
        entry("01", r#"["view","input","gamepad","audio"]"#),
        entry("02", r#"["view","audio"]"#),
        entry("03", r#"["input","unlock"]"#),
    );
    fs::write(scratch.file(), first).unwrap();
    let store = ClientStore::open(&scratch.0).unwrap();
    assert!(scratch.set_aside().is_empty());
    let may = |store: &ClientStore, certificate: u8| {
        let record = store.by_certificate(&[certificate]).unwrap();
        record.permissions.join(" ")
    };
    let expected = [
        (1, "view audio pointer keyboard gamepad launch"),
        (2, "view audio launch"),
        (3, "pointer keyboard unlock"),
    ];
    for (certificate, words) in expected {
        assert_eq!(may(&store, certificate), words);
    }
    // Written anew in today's words, and read back the same: what was taken away stays away.
    let id = store.by_certificate(&[2]).unwrap().id;
    store.set_permissions(&id, &["view".into()]).unwrap();
    let again = ClientStore::open(&scratch.0).unwrap();
    assert_eq!(may(&again, 1), expected[0].1);
    assert_eq!(may(&again, 2), "view");
}

#[test]
fn terms_are_kept_and_a_file_without_them_means_none() {
    let scratch = Scratch::new();
    let store = ClientStore::open(&scratch.0).unwrap();
    let guest = Terms {
        greeter: true,
        expires_at: 5,
        one_time: true,
        used: false,
    };
    let id = store
        .add_on("guest", b"one", Uid(1), guest.clone())
        .unwrap()
        .id;
    assert_eq!(store.get(&id).unwrap().terms, guest);
    store.set_terms(&id, |terms| terms.used = true).unwrap();
    let again = ClientStore::open(&scratch.0).unwrap().get(&id).unwrap();
    assert!(again.terms.used && again.expired());
    let second = r#"{"version":2,"clients":[{"name":"old","certificate":"01","owner":1,"paired_at":5,"last_seen":6,"permissions":["view"]}]}"#;
    fs::write(scratch.file(), second).unwrap();
    let old = ClientStore::open(&scratch.0).unwrap().list().remove(0);
    assert_eq!(
        (old.terms, old.permissions),
        (Terms::default(), vec!["view".to_owned()])
    );
}

#[test]
fn the_old_word_for_input_is_taken_for_both_of_the_new_ones() {
    let scratch = Scratch::new();
    let store = ClientStore::open(&scratch.0).unwrap();
    let id = store.add("a", b"one", Uid(1)).unwrap().id;
    let set = store.set_permissions(&id, &["input".into(), "view".into(), "keyboard".into()]);
    assert_eq!(set.unwrap(), ["view", "pointer", "keyboard"]);
    assert_eq!(
        store.get(&id).unwrap().permissions,
        ["view", "pointer", "keyboard"]
    );
}
