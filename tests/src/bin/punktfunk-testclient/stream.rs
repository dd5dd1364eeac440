//! The `stream` command: launch, watch with a line of progress each second, report.

use crate::{
    arguments::Stream,
    live::{Feedback, play_standard_input},
};
use anyhow::{Context, Result};
use punktfunk_tests::{
    Client, Ending, Running,
    input::{Step, parse_script, type_text},
};
use std::{
    process::ExitCode,
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

/// How long to wait for the first picture before giving up.
const FIRST: Duration = Duration::from_secs(12);
/// What a run may take longer than its frames.
const SLACK: Duration = Duration::from_secs(3);

pub fn run(client: &Client, arguments: &Stream) -> Result<ExitCode> {
    let steps = steps(arguments)?;
    let app = match &arguments.app {
        Some(app) => client.app_by(app)?,
        None => {
            client
                .app_list()?
                .first()
                .context("the host offers no app")?
                .id
        }
    };
    let options = arguments.options(app);
    let running = client.stream(&options, arguments.resume)?;
    eprintln!(
        "connected: encryption {}, P {}, {} ENet channels, features {}",
        running.negotiated.agreement.encryption,
        running.negotiated.agreement.packet_size,
        running.control().state().channels,
        running.negotiated.offer.feature_flags
    );
    watch(&running, arguments, &steps)?;
    let mut report = running.finish(Ending::Disconnect)?;
    if arguments.expect_counters {
        report.expect_counters(arguments.fps * arguments.seconds);
    }
    if !arguments.keep_running
        && let Err(error) = client.cancel()
    {
        eprintln!("cancel: {error:#}");
    }
    // Breaches of the goodbye count as well.
    report.breaches = client.breaches.list();
    if let Some(path) = &arguments.report {
        std::fs::write(path, serde_json::to_string_pretty(&report)?)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    print!("{report}");
    if report.video.frames_received == 0 {
        eprintln!("no frame arrived");
        return Ok(ExitCode::from(1));
    }
    Ok(ExitCode::from(if report.is_clean() { 0 } else { 2 }))
}

fn steps(arguments: &Stream) -> Result<Vec<Step>> {
    match (&arguments.keys, &arguments.input) {
        (Some(keys), _) => Ok(type_text(keys)),
        (None, Some(script)) if script.as_os_str() == "-" => Ok(Vec::new()),
        (None, Some(script)) => parse_script(
            &std::fs::read_to_string(script)
                .with_context(|| format!("cannot read {}", script.display()))?,
        ),
        (None, None) => Ok(Vec::new()),
    }
}

/// Until the frames have come, the time is over or the host ends the stream.
fn watch(running: &Running, arguments: &Stream, steps: &[Step]) -> Result<()> {
    let wanted = u64::from(arguments.fps) * u64::from(arguments.seconds);
    if !running.wait_frames(1, FIRST) {
        eprintln!("no frame within {} s", FIRST.as_secs());
        return Ok(());
    }
    let mut feedback = arguments
        .feedback
        .as_deref()
        .map(Feedback::open)
        .transpose()?;
    let live = arguments
        .input
        .as_deref()
        .is_some_and(|script| script.as_os_str() == "-");
    let over = live.then(|| {
        let flags = running.negotiated.offer.feature_flags;
        play_standard_input(running.control().commands.clone(), flags)
    });
    let step = Duration::from_millis(if live { 100 } else { 1000 });
    let give_up = Instant::now() + Duration::from_secs(arguments.seconds.into()) + SLACK;
    if !steps.is_empty() {
        running.wait_decoded(1, SLACK);
    }
    std::thread::scope(|scope| {
        scope.spawn(|| running.play(steps));
        let mut before = running.shared.snapshot();
        let mut last_line = Instant::now();
        while Instant::now() < give_up {
            let second = step.min(give_up.saturating_duration_since(Instant::now()));
            let done = running.wait_frames(wanted, second);
            let now = running.shared.snapshot();
            if last_line.elapsed() >= Duration::from_secs(1) || done || !live {
                eprintln!(
                    "{:5.1} s  {:5} frames (+{}), {} lost, {} shards repaired, {:.2} Mbit/s",
                    running.started.elapsed().as_secs_f64(),
                    now.frames_complete,
                    now.frames_complete - before.frames_complete,
                    now.frames_lost,
                    now.repaired_shards,
                    (now.bytes - before.bytes) as f64 * 8.0 / 1e6,
                );
                last_line = Instant::now();
                before = now;
            }
            let state = running.control().state();
            if let Some(feedback) = &mut feedback {
                feedback.note(&state.messages);
            }
            if let Some(end) = state.end {
                eprintln!("the host ended the stream: {end:?}");
                break;
            }
            if done
                || over
                    .as_ref()
                    .is_some_and(|over| over.load(Ordering::Acquire))
            {
                break;
            }
        }
    });
    Ok(())
}
