use super::*;
use std::{ffi::OsString, fs, os::unix::fs::PermissionsExt, path::PathBuf};

/// A home directory with programs of our own.
struct Home {
    root: PathBuf,
    variables: Vec<(&'static str, String)>,
}

impl Home {
    fn new(name: &str) -> Self {
        let root =
            std::env::temp_dir().join(format!("punktfunk-home-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        let variables = vec![
            ("HOME", root.display().to_string()),
            ("PATH", root.join("bin").display().to_string()),
            ("XDG_DATA_DIRS", root.join("system").display().to_string()),
        ];
        let home = Self { root, variables };
        for program in ["game", "steam", "lutris", "heroic"] {
            home.write(&format!("bin/{program}"), "#!/bin/sh\n");
            let path = home.root.join("bin").join(program);
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        home
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn desktop(&self, path: &str, keys: &str) {
        self.write(
            path,
            &format!("[Desktop Entry]\nType=Application\nExec=game %U\n{keys}\n"),
        );
    }

    fn places(&self) -> Places {
        let places = Places::of(|name| {
            let found = self.variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| OsString::from(value))
        });
        places.unwrap()
    }

    fn read(&self) -> Catalogue {
        Catalogue::read(&self.places())
    }

    fn titles(&self) -> Vec<String> {
        self.read()
            .sorted()
            .iter()
            .map(|(_, entry)| entry.title.clone())
            .collect()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

#[test]
fn games_and_what_the_user_names_are_published_and_nothing_else() {
    let mut home = Home::new("desktop");
    let local = ".local/share/applications";
    home.desktop(
        &format!("{local}/chess.desktop"),
        "Name=Chess\nCategories=Game;BoardGame;",
    );
    home.desktop(
        "system/applications/editor.desktop",
        "Name=Editor\nCategories=Utility;",
    );
    home.desktop(
        "system/applications/kde/mines.desktop",
        "Name=Mines\nCategories=Game;\nOnlyShowIn=KDE;",
    );
    home.desktop(
        "system/applications/gone.desktop",
        "Name=Gone\nCategories=Game;\nTryExec=not-installed",
    );
    home.desktop(
        "system/applications/quiet.desktop",
        "Name=Quiet\nCategories=Game;\nNoDisplay=true",
    );
    home.desktop(
        "system/applications/text.desktop",
        "Name=Text\nCategories=Game;\nTerminal=true",
    );
    // the user's own file of the same id hides the system's
    home.desktop(
        "system/applications/old.desktop",
        "Name=Old\nCategories=Game;",
    );
    home.desktop(
        &format!("{local}/old.desktop"),
        "Hidden=true\nName=Old\nCategories=Game;",
    );
    assert_eq!(home.titles(), ["Chess"]);
    home.write(
        ".config/punktfunk/apps.toml",
        "publish = [\"editor.desktop\"]\nhide = [\"desktop:chess\"]\n",
    );
    home.variables.push(("XDG_CURRENT_DESKTOP", "KDE".into()));
    assert_eq!(home.titles(), ["Editor", "Mines"]);
}

#[test]
fn a_broken_entry_is_left_out_with_its_file_and_the_reason_and_the_others_stay() {
    let home = Home::new("broken");
    let local = home.root.join(".local/share/applications");
    home.desktop(
        ".local/share/applications/good.desktop",
        "Name=Good\nCategories=Game;",
    );
    home.write(
        ".local/share/applications/bad.desktop",
        "[Desktop Entry]\nType=Application\nName=Bad\nCategories=Game;\nExec=game %y\n",
    );
    home.write(
        ".local/share/applications/huge.desktop",
        &"#".repeat(300 * 1024),
    );
    home.write(
        ".local/share/Steam/steamapps/libraryfolders.vdf",
        "\"libraryfolders\" {",
    );
    home.write(".config/punktfunk/apps.toml", "[[app]]\ntitle = \"Mine\"\ncommand = \"game\"\n\n[[app]]\ntitle = \"Typo\"\ncomand = \"game\"\n");
    nix::unistd::mkfifo(&local.join("pipe.desktop"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let catalogue = home.read();
    let titles: Vec<_> = catalogue
        .sorted()
        .iter()
        .map(|(_, entry)| entry.title.as_str())
        .collect();
    assert_eq!(titles, ["Good", "Mine"]);
    let said = |file: &str, word: &str| {
        catalogue
            .problems
            .iter()
            .any(|problem| problem.file.ends_with(file) && problem.reason.contains(word))
    };
    assert!(said("bad.desktop", "%y"), "{:?}", catalogue.problems);
    assert!(said("huge.desktop", "larger"), "{:?}", catalogue.problems);
    assert!(said("pipe.desktop", "regular"), "{:?}", catalogue.problems);
    assert!(
        said("libraryfolders.vdf", "end"),
        "{:?}",
        catalogue.problems
    );
    assert!(
        said("apps.toml", "application 2"),
        "{:?}",
        catalogue.problems
    );
}

#[test]
fn own_entries_carry_everything_that_the_file_says() {
    let home = Home::new("own");
    home.write(
        ".config/punktfunk/apps.toml",
        "[[app]]\ntitle = \"Emulator\"\nname = \"emu\"\ncommand = \"game 'a b'\"\ndirectory = \"~/roms\"\n\
         environment = { SPEED = \"1\" }\nprepare = [[\"game\", \"before\"]]\nundo = [\"game after\"]\n\
         picture = \"~/emu.png\"\ncompositor = \"gamescope\"\n\n\
         [[app]]\ntitle = \"Not shown\"\ncommand = \"game\"\nhidden = true\n\n\
         [[app]]\ntitle = \"Twin\"\nname = \"emu\"\ncommand = \"game\"\n",
    );
    let catalogue = home.read();
    let list = catalogue.sorted();
    assert_eq!(list.len(), 1);
    let (id, entry) = list[0];
    assert_eq!(entry.key(), "own:emu");
    assert_eq!(entry.run.command, ["game", "a b"]);
    assert_eq!(
        entry.run.directory.as_deref(),
        Some(home.root.join("roms").as_path())
    );
    assert_eq!(
        entry.run.environment,
        [("SPEED".to_owned(), "1".to_owned())]
    );
    assert_eq!(entry.run.prepare, [["game", "before"]]);
    assert_eq!(entry.run.undo, [["game", "after"]]);
    assert!(entry.run.gamescope);
    assert!(catalogue.problems[0].reason.contains("taken"));
    // A new title under the same name keeps the id.
    home.write(
        ".config/punktfunk/apps.toml",
        "[[app]]\ntitle = \"Renamed\"\nname = \"emu\"\ncommand = \"game\"\n",
    );
    assert_eq!(home.read().get(id).unwrap().title, "Renamed");
}

#[test]
fn installed_games_of_steam_are_launched_through_steam() {
    let home = Home::new("steam");
    let steam = ".local/share/Steam";
    let other = home.root.join("games").display().to_string();
    home.write(
        &format!("{steam}/steamapps/libraryfolders.vdf"),
        &format!("\"libraryfolders\"\n{{\n\"0\"\n{{\n\"path\" \"/nowhere\"\n}}\n\"1\"\n{{\n\"path\" \"{other}\"\n}}\n}}\n"),
    );
    let manifest = |id: u32, name: &str, flags: u32| {
        format!(
            "\"AppState\"\n{{\n\"appid\" \"{id}\"\n\"name\" \"{name}\"\n\"StateFlags\" \"{flags}\"\n}}\n"
        )
    };
    home.write(
        &format!("{steam}/steamapps/appmanifest_220.acf"),
        &manifest(220, "Half-Life 2", 4),
    );
    home.write(
        "games/steamapps/appmanifest_400.acf",
        &manifest(400, "Portal", 6),
    );
    home.write(
        "games/steamapps/appmanifest_620.acf",
        &manifest(620, "Still downloading", 1026),
    );
    home.write(
        "games/steamapps/appmanifest_1.acf",
        &manifest(1, "Proton 9.0", 4),
    );
    // Steam's own shortcut to the same game is no second one.
    home.write(
        ".local/share/applications/Portal.desktop",
        "[Desktop Entry]\nType=Application\nName=Portal\nCategories=Game;\nExec=steam steam://rungameid/400\n",
    );
    let catalogue = home.read();
    let list: Vec<_> = catalogue
        .sorted()
        .into_iter()
        .map(|(_, entry)| (entry.title.as_str(), entry.key()))
        .collect();
    assert_eq!(
        list,
        [
            ("Half-Life 2", "steam:220".to_owned()),
            ("Portal", "steam:400".to_owned())
        ]
    );
    let portal = catalogue.sorted()[1].1;
    assert!(portal.run.command[0].ends_with("/bin/steam"));
    assert_eq!(portal.run.command[1], "steam://rungameid/400");
    assert!(
        portal
            .art
            .covers
            .iter()
            .any(|path| path.ends_with("librarycache/400/library_600x900.jpg"))
    );
}

#[test]
fn games_of_lutris_and_heroic_are_found_in_their_files() {
    let home = Home::new("launchers");
    home.write(
        ".local/share/lutris/games/the-witness-1700000000.yml",
        "game:\n  exe: /x\n",
    );
    home.write(
        ".config/heroic/store_cache/legendary_library.json",
        "{\"library\":[{\"app_name\":\"Sugar\",\"title\":\"Rocket\",\"is_installed\":true},\
          {\"app_name\":\"Owned\",\"title\":\"Not installed\",\"is_installed\":false},{\"app_name\":\"a b\",\"is_installed\":true}]}",
    );
    home.write(
        ".config/heroic/store_cache/gog_library.json",
        "{\"games\":[{\"app_name\":\"123\",\"title\":\"Old Game\"}]}",
    );
    home.write(
        ".config/heroic/gog_store/installed.json",
        "{\"installed\":[{\"appName\":\"123\"}]}",
    );
    let catalogue = home.read();
    let list: Vec<_> = catalogue
        .sorted()
        .into_iter()
        .map(|(_, entry)| {
            (
                entry.title.as_str(),
                entry.run.command.last().unwrap().as_str(),
            )
        })
        .collect();
    assert_eq!(
        list,
        [
            ("Old Game", "heroic://launch/gog/123"),
            ("Rocket", "heroic://launch/legendary/Sugar"),
            ("The Witness", "lutris:rungame/the-witness"),
        ]
    );
    assert_eq!(catalogue.problems.len(), 1, "{:?}", catalogue.problems);
}

#[test]
fn a_catalogue_has_at_most_512_applications() {
    let home = Home::new("many");
    let apps: String = (0..600)
        .map(|n| format!("[[app]]\ntitle = \"App {n}\"\ncommand = \"game\"\n"))
        .collect();
    home.write(".config/punktfunk/apps.toml", &apps);
    let catalogue = home.read();
    assert_eq!(catalogue.sorted().len(), MAX_APPLICATIONS);
    assert!(
        catalogue.problems[0]
            .reason
            .starts_with("88 applications more"),
        "{:?}",
        catalogue.problems
    );
}

#[test]
fn the_word_for_a_monitor_is_read_and_bounded() {
    let home = Home::new("portal");
    assert_eq!(own::portal_monitor(&home.places()), None);
    let write = |text: &str| home.write(".config/punktfunk/apps.toml", text);
    write("[portal]\nmonitor = \"left\"\n");
    assert_eq!(own::portal_monitor(&home.places()).as_deref(), Some("left"));
    assert!(home.read().problems.is_empty());
    write(&format!("[portal]\nmonitor = \"{}\"\n", "x".repeat(65)));
    assert_eq!(own::portal_monitor(&home.places()), None);
    assert!(home.read().problems[0].reason.contains("64 bytes"));
}

#[test]
fn the_name_of_a_monitor_is_read_and_bounded_and_is_not_the_portals_word() {
    let home = Home::new("wlroots");
    let write = |text: &str| home.write(".config/punktfunk/apps.toml", text);
    write("[wlroots]\nmonitor = \"DP-1\"\n");
    assert_eq!(
        own::wlroots_monitor(&home.places()).as_deref(),
        Some("DP-1")
    );
    assert_eq!(own::portal_monitor(&home.places()), None);
    assert!(home.read().problems.is_empty());
    write("[wlroots]\nmonitor = \"\"\n");
    assert_eq!(own::wlroots_monitor(&home.places()), None);
    assert!(home.read().problems[0].reason.contains("wlroots"));
}

#[test]
fn what_the_file_says_of_gamescope_is_read_and_checked() {
    let home = Home::new("gamescope");
    assert_eq!(own::Nesting::read(&home.places()), own::Nesting::default());
    let write = |text: &str| home.write(".config/punktfunk/apps.toml", text);
    write("[gamescope]\ncommand = \"steam -gamepadui\"\noptions = [\"--steam\"]\n");
    let nesting = own::Nesting::read(&home.places());
    assert_eq!(nesting.command.unwrap(), ["steam", "-gamepadui"]);
    assert_eq!(nesting.options, ["--steam"]);
    assert!(home.read().problems.is_empty());
    // It would make everything behind it a command.
    write("[gamescope]\noptions = [\"--\"]\n");
    assert!(own::Nesting::read(&home.places()).options.is_empty());
    assert!(home.read().problems[0].reason.contains("is no option"));
}
