//! Many streams at once on one port set, from one source address: all three codecs, several sizes, clients that come, go, die and
//! fall off the network. Nobody else may notice.
//!
//! `PUNKTFUNK_MANY_SECONDS`: how long they run together (default 10). `tests/rigs/test-many.sh` runs a minute, with one more client on
//! a network of its own that stops answering ARP: `PUNKTFUNK_MANY_FAR` is the prefix of its command line, `PUNKTFUNK_MANY_FAR_HOST` the
//! host's address there, `PUNKTFUNK_MANY_CUT` the command that cuts it off.

mod fixture;

use fixture::{
    Host, Setup,
    process::{Process, wait_until},
    replay::{mode, replaying, wishing},
};
use nix::sys::signal::Signal;
use punktfunk_agent_double::{AgentDouble, Codec, Mode, PlayerSettings};
use punktfunk_tests::{Client, Ending, Options, Report, Running};
use std::{
    collections::BTreeSet,
    env, fs,
    net::IpAddr,
    process::Command,
    time::{Duration, Instant},
};

const SOON: Duration = Duration::from_secs(60);

fn seconds() -> u64 {
    let set = env::var("PUNKTFUNK_MANY_SECONDS").ok();
    set.and_then(|text| text.parse().ok()).unwrap_or(10)
}

/// One client and what it watches.
struct Watcher {
    name: &'static str,
    client: Client,
    running: Running,
}

impl Watcher {
    fn of(host: &Host, name: &'static str, mode: Mode) -> Self {
        let client = host.client();
        let options = wishing(host, &client, mode);
        Self::with(name, client, &options)
    }

    /// The real agent's test pattern, decoded, so that its counters are read.
    fn of_the_real_agent(host: &Host, name: &'static str) -> Self {
        let client = host.client();
        let options = Options {
            width: 640,
            height: 360,
            fps: 30,
            bitrate_kbps: 2000,
            ..host.options(&client)
        };
        Self::with(name, client, &options)
    }

    fn with(name: &'static str, client: Client, options: &Options) -> Self {
        let running = client.stream(options, false).expect("stream");
        assert!(running.wait_frames(3, SOON), "{name} begins");
        Self {
            name,
            client,
            running,
        }
    }

    /// Leave, and be sure that this stream was what it should be.
    #[track_caller]
    fn leaves_unharmed(self) -> Report {
        let (name, started) = (self.name, self.running.started);
        let report = self.running.finish(Ending::Disconnect).expect("report");
        let video = &report.video;
        eprintln!(
            "{name:10} {:>8.1} s  {:5} frames, {:.2} Mbit/s, {} missing, {} lost, {} key, marks {:?}",
            started.elapsed().as_secs_f64(),
            video.frames_received,
            video.megabits_per_second,
            video.missing_on_arrival,
            video.frames_lost,
            video.key_frames,
            video.marks.streams
        );
        assert_eq!(
            (
                video.missing_on_arrival,
                video.frames_lost,
                video.frames_discarded
            ),
            (0, 0, 0),
            "{name}\n{report}"
        );
        let marks = &video.marks;
        assert_eq!(
            (marks.skipped, marks.backwards, marks.unmarked),
            (0, 0, 0),
            "{name}\n{report}"
        );
        assert!(
            marks.streams.len() <= 1,
            "frames of another stream: {name}\n{report}"
        );
        assert!(report.breaches.is_empty(), "{name}\n{report}");
        assert_eq!(report.ended, "left", "{name}");
        self.client.cancel().expect("cancel");
        report
    }
}

/// A client in a process of its own, paired already.
fn program(host: &Host, mode: Mode, far: Option<(&str, IpAddr)>) -> Process {
    let state = host.directory().join(match far {
        Some(_) => "far",
        None => "mortal",
    });
    fs::create_dir(&state).expect("directory");
    let mut address = host.address();
    if let Some((_, ip)) = far {
        address.ip = ip;
    }
    let mut client = Client::open(address, &state).expect("identity");
    host.pair(&mut client, "1234", "1234")
        .expect("pairing")
        .expect("the host agrees");
    client.save(&state).expect("pin");
    let prefix = far.map_or("", |(prefix, _)| prefix);
    let mut words = prefix
        .split_ascii_whitespace()
        .chain([env!("CARGO_BIN_EXE_punktfunk-testclient")]);
    let mut command = Command::new(words.next().expect("a program"));
    command
        .args(words)
        .args(["stream", "--no-decode", "--seconds", "600"])
        .args(["--codec", mode.codec.name(), "--fps", &mode.fps.to_string()])
        .args(["--width", &mode.width.to_string()])
        .args(["--height", &mode.height.to_string()])
        .args(["--host", &format!("{}:{}", address.ip, address.http_port)])
        .arg("--state")
        .arg(&state);
    let name = if far.is_some() { "far" } else { "mortal" };
    Process::start(name, command, host.directory())
}

/// Wait until a client program has frames.
fn await_frames(program: &mut Process) {
    let begun = wait_until(SOON, || {
        program.assert_alive();
        program
            .log()
            .lines()
            .any(|line| line.contains(" frames (+") && !line.contains(" 0 frames"))
    });
    assert!(begun, "no frames:\n{}", program.log());
}

fn doubles(host: &Host) -> (AgentDouble, [Mode; 6]) {
    let large = Codec::ALL.map(|codec| mode(codec, 1920, 1080, 60));
    let small = Codec::ALL.map(|codec| mode(codec, 640, 360, 30));
    let modes = [large[0], large[1], large[2], small[0], small[1], small[2]];
    // Sorts before the real agent's session: from now on clients are given this one.
    let agent = replaying(host, "a", &modes, PlayerSettings::default());
    (agent, modes)
}

#[test]
fn eight_streams_of_one_address_come_and_go_and_none_notices_another() {
    let mut host = Setup::default().start();
    let first = Watcher::of_the_real_agent(&host, "real 1");
    let second = Watcher::of_the_real_agent(&host, "real 2");
    let (agent, [avc, hevc, av1, small_avc, small_hevc, small_av1]) = doubles(&host);
    host.await_agents(2);
    let avc = Watcher::of(&host, "h264 1080", avc);
    let mut hevc = Watcher::of(&host, "h265 1080", hevc);
    let av1_mode = av1;
    let av1 = Watcher::of(&host, "av1 1080", av1);
    let small_hevc = Watcher::of(&host, "h265 360", small_hevc);
    let small_av1 = Watcher::of(&host, "av1 360", small_av1);
    let mut mortal = program(&host, small_avc, None);
    await_frames(&mut mortal);
    let far = env::var("PUNKTFUNK_MANY_FAR").ok().map(|prefix| {
        let ip = env::var("PUNKTFUNK_MANY_FAR_HOST").expect("its address");
        let mut far = program(
            &host,
            small_avc,
            Some((&prefix, ip.parse().expect("an address"))),
        );
        await_frames(&mut far);
        far
    });
    let together = if far.is_some() { 9 } else { 8 };
    host.await_streams(together);
    let begun = Instant::now();
    let sleep_until = |share: u32| {
        let at = begun + Duration::from_secs(seconds()) * share / 10;
        std::thread::sleep(at.saturating_duration_since(Instant::now()));
    };

    sleep_until(2);
    mortal.signal(Signal::SIGKILL);
    if far.is_some() {
        let cut = env::var("PUNKTFUNK_MANY_CUT").expect("how to cut it off");
        let status = Command::new("sh").args(["-c", &cut]).status().expect("sh");
        assert!(status.success(), "{cut}");
    }
    sleep_until(4);
    let mut marks = BTreeSet::new();
    let mut leaves = |watcher: Watcher| {
        let report = watcher.leaves_unharmed();
        for mark in &report.video.marks.streams {
            assert!(marks.insert(*mark), "two clients were shown stream {mark}");
        }
        report
    };
    // Not the last to come, and not the first; and somebody comes while others leave.
    leaves(av1);
    let options = hevc.running.options.clone();
    let again = Watcher::of(&host, "av1 again", av1_mode);
    leaves(Watcher {
        name: "h265 1080",
        client: hevc.client,
        running: hevc.running,
    });
    let client = host.client();
    hevc = Watcher::with("h265 again", client, &options);

    sleep_until(10);
    for watcher in [avc, small_hevc, again, small_av1, hevc] {
        leaves(watcher);
    }
    for watcher in [second, first] {
        let mut report = leaves(watcher);
        report.expect_counters(30);
        assert_eq!(report.failed_expectations, [] as [String; 0], "{report}");
    }
    // The one that was killed and the one that cannot be reached are given up.
    host.await_streams(0);
    let log = host.service_log();
    let silent = log
        .matches("the stream ends: the client went silent")
        .count();
    assert!(silent >= usize::from(far.is_some()), "{log}");
    assert_eq!(
        agent.orders().look(|seen| seen.opened),
        8 + u32::from(far.is_some())
    );
    host.service().assert_alive();
}
