//! Applications: published by the real agent from the files of a home directory, shown with pictures, run, tracked, stopped.

mod fixture;

use fixture::{Host, Setup, process::wait_until};
use punktfunk_dbus::proxies::ClientProxy;
use punktfunk_tests::{Client, Ending, Options, control::End, nvhttp::ServerInfo};
use std::{fs, path::PathBuf, time::Duration};

const SOON: Duration = Duration::from_secs(60);
const NORMAL: End = End::Terminated(0x8003_0023);

/// Notes its surroundings, and runs until it finds a file named `finish`.
const GAME: &str = r#"
echo "$$" >>starts
printf '%s\n%s\n%s\n' "$(pwd)" "$SPEED" "$PUNKTFUNK_WIDTH" >ran
trap 'echo told >told; exit 0' TERM
while ! [ -e finish ]; do sleep 0.1; done
"#;

const OWN: &str = r#"
hide = ["desktop:hidden"]

[[app]]
title = "Emulator"
name = "emulator"
command = "sh ./game.sh"
directory = "~/play"
environment = { SPEED = "fast" }
prepare = ["sh -c 'echo before >>order'"]
undo = ["sh -c 'echo after >>order'"]

[[app]]
title = "Nowhere"
command = "no-such-program"
"#;

/// A host whose user has a game and an own entry, and a client of it.
struct Played {
    host: Host,
    client: Client,
}

impl Played {
    fn new() -> Self {
        let host = Setup::default().start();
        let this = Self {
            client: host.client(),
            host,
        };
        this.write(".config/punktfunk/apps.toml", OWN);
        this.write("play/game.sh", GAME);
        for (name, title) in [("chess", "Chess & Co"), ("hidden", "Hidden")] {
            this.write(
                &format!(".local/share/applications/{name}.desktop"),
                &format!("[Desktop Entry]\nType=Application\nName={title}\nExec=sh -c true\nCategories=Game;\n"),
            );
        }
        this
    }

    fn path(&self, name: &str) -> PathBuf {
        self.host.home().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("directory");
        fs::write(path, text).expect("file");
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    #[track_caller]
    fn appears(&self, name: &str, text: &str) {
        let there = wait_until(SOON, || self.text(name) == text);
        assert!(
            there,
            "{name} is {:?}, not {text:?}\n{}",
            self.text(name),
            self.host.service_log()
        );
    }

    fn options(&self, title: &str) -> Options {
        Options {
            app: self.client.app_by(title).expect("the app is listed"),
            width: 640,
            height: 360,
            fps: 30,
            bitrate_kbps: 2000,
            ..Options::default()
        }
    }

    fn info(&self) -> ServerInfo {
        self.client.server_info(true).expect("serverinfo")
    }

    #[track_caller]
    fn is_idle(&self) {
        let idle = wait_until(SOON, || {
            let info = self.info();
            !info.busy && info.current_game == 0
        });
        assert!(idle, "{:?}\n{}", self.info(), self.host.service_log());
    }
}

#[test]
fn the_users_applications_are_listed_with_stable_ids_and_pictures() {
    let mut played = Played::new();
    let list = played.client.app_list().expect("applist");
    let titles: Vec<_> = list.iter().map(|app| app.title.as_str()).collect();
    assert_eq!(titles, ["Desktop", "Chess & Co", "Emulator", "Nowhere"]);
    for app in &list {
        let png = played.client.app_asset(app.id).expect("a picture");
        let mut reader = png::Decoder::new(std::io::Cursor::new(png))
            .read_info()
            .expect("PNG");
        let mut pixels = vec![0; reader.output_buffer_size().expect("a sane size")];
        let frame = reader.next_frame(&mut pixels).expect("a whole picture");
        assert_eq!((frame.width, frame.height), (600, 800), "{}", app.title);
    }
    assert!(played.client.app_asset(12_345).is_err());
    // A new agent, and one entry more that comes first: nobody's id moves.
    played.host.agent().stop();
    played.write(
        ".config/punktfunk/apps.toml",
        &format!("{OWN}\n[[app]]\ntitle = \"A first one\"\ncommand = \"true\"\n"),
    );
    played.host.start_agent();
    let again = || played.client.app_list().unwrap_or_default();
    assert!(wait_until(SOON, || again().len() == list.len() + 1));
    assert!(list.iter().all(|app| again().contains(app)));
    assert!(
        played.client.breaches.is_empty(),
        "{:?}",
        played.client.breaches.list()
    );
}

#[test]
fn an_app_runs_in_its_surroundings_and_its_end_ends_the_stream() {
    let played = Played::new();
    let options = played.options("Emulator");
    let running = played.client.stream(&options, false).expect("stream");
    let play = played.path("play").canonicalize().expect("directory");
    played.appears("play/ran", &format!("{}\nfast\n640\n", play.display()));
    assert_eq!(played.text("play/order"), "before\n");
    let info = played.info();
    assert!(info.busy);
    assert_eq!(info.current_game, options.app);
    assert!(running.wait_decoded(3, SOON));
    played.write("play/finish", "");
    assert_eq!(
        running.wait_end(SOON),
        Some(NORMAL),
        "{}",
        played.host.service_log()
    );
    let report = running.finish(Ending::Disconnect).expect("report");
    assert!(report.breaches.is_empty(), "{report}");
    played.is_idle();
    assert_eq!(played.text("play/order"), "before\nafter\n");
    // The desktop has no end: a stream of it is not touched by another's.
    assert!(!played.path("play/told").exists());
}

#[test]
fn cancel_stops_the_app_and_undoes_what_was_prepared() {
    let played = Played::new();
    let running = played
        .client
        .stream(&played.options("Emulator"), false)
        .expect("stream");
    assert!(wait_until(SOON, || played.path("play/ran").exists()));
    played.client.cancel().expect("cancel");
    // Answered when it is over: nothing is left to wait for.
    assert_eq!(played.text("play/told"), "told\n");
    assert_eq!(played.text("play/order"), "before\nafter\n");
    assert_eq!(running.wait_end(SOON), Some(NORMAL));
    played.is_idle();
}

#[test]
fn an_app_outlives_its_stream_and_is_resumed_not_started_again() {
    let played = Played::new();
    let options = played.options("Emulator");
    let running = played.client.stream(&options, false).expect("stream");
    assert!(wait_until(SOON, || played.path("play/ran").exists()));
    running.finish(Ending::Disconnect).expect("report");
    played.host.await_streams(0);
    assert_eq!(played.info().current_game, options.app);
    // Another one has to wait until this one is quit.
    let other = played.client.launch(&played.options("Chess & Co"), false);
    let text = other.err().expect("refused").to_string();
    assert!(
        text.contains("400") && text.contains("already running"),
        "{text}"
    );
    let running = played.client.stream(&options, true).expect("resumed");
    assert!(running.wait_decoded(3, SOON));
    running.finish(Ending::Disconnect).expect("report");
    assert_eq!(played.text("play/starts").lines().count(), 1);
    // It ends while nobody watches.
    played.write("play/finish", "");
    played.is_idle();
    let text = played
        .client
        .launch(&options, true)
        .err()
        .expect("refused")
        .to_string();
    assert!(text.contains("503") && text.contains("has ended"), "{text}");
}

#[test]
fn unknown_apps_and_clients_without_the_permission_are_refused() {
    let played = Played::new();
    let unknown = Options {
        app: 4711,
        ..played.options("Desktop")
    };
    let text = played
        .client
        .launch(&unknown, false)
        .err()
        .expect("refused")
        .to_string();
    assert!(text.contains("404"), "{text}");
    let options = played.options("Emulator");
    played
        .host
        .block(async {
            let path = played.host.await_object("org.punktfunk.Host1.Client").await;
            let connection = played.host.connection();
            let proxy = ClientProxy::builder(connection).path(path)?.build().await?;
            proxy.set_permissions(&["view", "input", "audio"]).await
        })
        .expect("permissions");
    let list = played.client.app_list().expect("applist");
    assert_eq!(list.len(), 1, "the desktop only: {list:?}");
    let text = played
        .client
        .launch(&options, false)
        .err()
        .expect("refused")
        .to_string();
    assert!(text.contains("403"), "{text}");
    assert!(played.client.app_asset(options.app).is_err());
    assert!(
        played
            .client
            .launch(&played.options("Desktop"), false)
            .is_ok()
    );
}

#[test]
fn an_app_that_cannot_start_leaves_nothing_running() {
    let played = Played::new();
    let running = played.client.stream(&played.options("Nowhere"), false);
    // The stream ends as soon as it is known, at the latest after it began.
    if let Ok(running) = running {
        assert!(running.wait_end(SOON).is_some());
    }
    played.is_idle();
    assert!(
        played.host.service_log().contains("no-such-program"),
        "{}",
        played.host.service_log()
    );
}
