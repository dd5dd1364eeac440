//! What streams cost the service, and how late and how evenly their frames arrive. A bench, not a test: `make bench-streams` runs it.
//!
//! Streams of 1920x1080 at 60 and 20 Mbit/s come from a double of the agent that replays a recording, so that no encoder takes part; the
//! clients receive in this process and decode nothing. CPU and memory are those of the service alone. `PUNKTFUNK_BENCH_STREAMS`: how
//! many (default "1 2 4 8 16"); `PUNKTFUNK_BENCH_SECONDS`: for how long each (default 20). `PUNKTFUNK_BENCH_EVENNESS`: for how many seconds one
//! stream's evenness is watched (default 60), of the double and of the real agent that encodes its test pattern in software.

#[path = "../tests/fixture/mod.rs"]
mod fixture;

use fixture::{
    Host, Setup,
    replay::{mode, replaying, wishing},
};
use punktfunk_agent_double::{Codec, PlayerSettings};
use punktfunk_tests::{Ending, Options, Report, Running};
use std::{
    env, fs,
    time::{Duration, Instant},
};

const SOON: Duration = Duration::from_secs(60);
const FPS: u32 = 60;

fn setting(name: &str, default: &str) -> String {
    env::var(name).unwrap_or_else(|_| default.to_owned())
}

/// CPU seconds that a process has used, in user space and in the kernel.
fn cpu_seconds(process: u32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).expect("stat");
    let fields: Vec<&str> = text.rsplit(") ").next().unwrap_or("").split(' ').collect();
    let ticks: f64 = [11, 12]
        .iter()
        .map(|at| fields[*at].parse::<f64>().expect("ticks"))
        .sum();
    // USER_HZ is 100 on every Linux.
    ticks / 100.0
}

/// Resident memory in MB.
fn resident_mb(process: u32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{process}/status")).expect("status");
    let line = text
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .expect("VmRSS");
    let kb = line.split_ascii_whitespace().nth(1).expect("a number");
    kb.parse::<f64>().expect("a number") / 1024.0
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// Paired clients with their wishes; as many as were needed so far, because the host takes only so many pairings a minute.
#[derive(Default)]
struct Viewers(Vec<(punktfunk_tests::Client, Options)>);

impl Viewers {
    fn first(&mut self, count: usize, host: &Host) -> &[(punktfunk_tests::Client, Options)] {
        while self.0.len() < count {
            let client = host.client();
            let wanted = mode(Codec::H264, 1920, 1080, FPS);
            let options = Options {
                same_machine: true,
                ..wishing(host, &client, wanted)
            };
            self.0.push((client, options));
        }
        &self.0[..count]
    }
}

fn many(host: &mut Host, viewers: &mut Viewers, count: usize, seconds: u64) {
    let viewers = viewers.first(count, host);
    let running: Vec<Running> = viewers
        .iter()
        .map(|(client, options)| {
            let running = client.stream(options, false).expect("stream");
            assert!(running.wait_frames(30, SOON), "no frames");
            running
        })
        .collect();
    let process = host.service().id();
    let (began, cpu) = (Instant::now(), cpu_seconds(process));
    std::thread::sleep(Duration::from_secs(seconds));
    let took = began.elapsed().as_secs_f64();
    let busy = (cpu_seconds(process) - cpu) / took * 100.0;
    let memory = resident_mb(process);
    let reports: Vec<Report> = running
        .into_iter()
        .map(|running| running.finish(Ending::Disconnect).expect("report"))
        .collect();
    for (client, _) in viewers {
        client.cancel().expect("cancel");
    }
    host.await_streams(0);
    let of = |figure: &dyn Fn(&Report) -> f64| median(reports.iter().map(figure).collect());
    let made = |report: &Report| report.video.made_to_received_ms.unwrap_or_default();
    let first = |report: &Report| report.video.made_to_first_packet_ms.unwrap_or_default();
    let unseen: u64 = reports
        .iter()
        .map(|report| report.video.marks.skipped + report.video.frames_lost)
        .sum();
    println!(
        "{count:>7} {:>8.1} {busy:>9.2} {:>11.2} {memory:>9.1} {:>9.2} {:>9.2} {:>9.2} {:>9.2} {:>9.2} {:>7} {unseen:>7}",
        of(&|report| report.video.megabits_per_second),
        busy / count as f64,
        of(&|report| first(report).p50),
        of(&|report| made(report).p50),
        of(&|report| made(report).p99),
        of(&|report| report.video.arrival_jitter_ms.p99),
        of(&|report| report.video.frames_per_second),
        (reports.iter().map(|report| report.video.missed_deadlines)).sum::<u64>(),
    );
}

/// How evenly the frames of one stream come for so long.
fn evenness(what: &str, client: &punktfunk_tests::Client, options: &Options, seconds: u64) {
    let running = client.stream(options, false).expect("stream");
    assert!(running.wait_frames(1, SOON), "no frame");
    std::thread::sleep(Duration::from_secs(seconds));
    let report = running.finish(Ending::Disconnect).expect("report");
    client.cancel().expect("cancel");
    let (video, jitter) = (&report.video, report.video.arrival_jitter_ms);
    println!(
        "evenness over {:.0} s of {what}: {} deadlines missed, jitter p50 {:.2} p99 {:.2} max {:.2} ms, {} frames, {} lost",
        video.seconds,
        video.missed_deadlines,
        jitter.p50,
        jitter.p99,
        jitter.max,
        video.frames_received,
        video.frames_lost
    );
}

/// Launch to the first frame, and the same for a resumed stream, in milliseconds.
fn beginnings(host: &Host, viewers: &mut Viewers, times: usize) -> (f64, f64) {
    let (mut launched, mut resumed) = (Vec::new(), Vec::new());
    let (client, options) = &viewers.first(1, host)[0];
    for _ in 0..times {
        for (resume, into) in [(false, &mut launched), (true, &mut resumed)] {
            let began = Instant::now();
            let running = client.stream(options, resume).expect("stream");
            assert!(running.wait_frames(1, SOON), "no frame");
            let first = running.shared.snapshot().first_frame.expect("a frame");
            into.push(first.duration_since(began).as_secs_f64() * 1000.0);
            running.finish(Ending::Disconnect).expect("report");
        }
        client.cancel().expect("cancel");
        host.await_streams(0);
    }
    (median(launched), median(resumed))
}

fn main() {
    let seconds = setting("PUNKTFUNK_BENCH_SECONDS", "20")
        .parse()
        .expect("seconds");
    let counts = setting("PUNKTFUNK_BENCH_STREAMS", "1 2 4 8 16");
    let mut host = Setup::default().without_agent().start();
    let played = mode(Codec::H264, 1920, 1080, FPS);
    let settings = PlayerSettings {
        fill: true,
        ..PlayerSettings::default()
    };
    let agent = replaying(&host, "a", &[played], settings);
    host.await_agents(1);
    let mut viewers = Viewers::default();
    let (launch, resume) = beginnings(&host, &mut viewers, 7);
    println!(
        "launch to first frame {launch:.0} ms, resume to first frame {resume:.0} ms (medians of 7)"
    );
    println!(
        "resident at rest {:.1} MB",
        resident_mb(host.service().id())
    );
    println!(
        "{:>7} {:>8} {:>9} {:>11} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>7} {:>7}",
        "streams",
        "Mbit/s",
        "CPU %",
        "% a stream",
        "RSS MB",
        "first ms",
        "p50 ms",
        "p99 ms",
        "jitter",
        "fps",
        "missed",
        "unseen"
    );
    for count in counts.split_ascii_whitespace() {
        many(
            &mut host,
            &mut viewers,
            count.parse().expect("a number"),
            seconds,
        );
    }
    let long = setting("PUNKTFUNK_BENCH_EVENNESS", "60")
        .parse()
        .expect("seconds");
    let (client, options) = &viewers.first(1, &host)[0];
    evenness("1920x1080 at 60 from the double", client, options, long);
    host.await_streams(0);
    let starts = (0..7)
        .map(|_| host.restart_service().as_secs_f64() * 1000.0)
        .collect();
    println!(
        "start of the service, its key there, to bus and listening {:.0} ms (median of 7)",
        median(starts)
    );
    println!(
        "first: from the making of a frame to its first packet at the client, p50, by the frame's own mark; p50, p99: to its last needed \
         packet; jitter: p99 of the deviation of arrivals from time stamps, ms; missed: intervals without a new frame, unseen: frames \
         skipped or lost, both of all streams. Medians over the streams."
    );
    // One host at a time.
    drop((agent, host));
    let host = Setup::default().start();
    let client = host.client();
    let options = Options {
        decode: false,
        same_machine: true,
        ..host.options(&client)
    };
    evenness("1280x720 at 60, software", &client, &options, long);
}
