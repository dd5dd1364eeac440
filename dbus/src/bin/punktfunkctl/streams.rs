//! `punktfunkctl streams`: who watches whom, with live figures.
use crate::{
    authentication::TerminalAgent,
    bus::Bus,
    cli::{StreamArguments, StreamCommand},
    failure::Failure,
    report::{self, Report},
    snapshot::{Snapshot, Stream},
    table::table,
};
use serde_json::json;
use std::{io::IsTerminal, time::Duration};

pub async fn run(bus: &Bus, arguments: &StreamArguments, json: bool) -> Result<Report, Failure> {
    let Some(command) = &arguments.command else {
        let snapshot = bus.snapshot().await?;
        return Report::new(human(&snapshot), &snapshot.streams);
    };
    match command {
        StreamCommand::Watch => watch(bus, json).await,
        StreamCommand::Stop { id } => {
            let (stream, _agent) = chosen(bus, id).await?;
            bus.stream(&stream.path).await?.stop().await?;
            done("Stopped", &stream)
        }
        StreamCommand::Keyframe { id } => {
            let (stream, _agent) = chosen(bus, id).await?;
            bus.stream(&stream.path).await?.request_keyframe().await?;
            done("Asked for a key frame of", &stream)
        }
        StreamCommand::Bitrate { id, kbps } => {
            let (stream, _agent) = chosen(bus, id).await?;
            bus.stream(&stream.path).await?.set_bitrate(*kbps).await?;
            done(&format!("Set {kbps} kbit/s for"), &stream)
        }
    }
}

async fn chosen(bus: &Bus, id: &str) -> Result<(Stream, Option<TerminalAgent>), Failure> {
    let streams = bus.snapshot().await?.streams;
    let found = streams
        .into_iter()
        .find(|stream| stream.id == id || stream.watcher() == id);
    let stream = found.ok_or_else(|| {
        Failure::not_found(format!("no stream of yours is called {id}"))
            .with_remedy("list them with `punktfunkctl streams`")
    })?;
    Ok((stream, TerminalAgent::start().await))
}

fn done(what: &str, stream: &Stream) -> Result<Report, Failure> {
    let text = format!(
        "{what} stream {} ({}).",
        stream.id,
        crate::table::printable(stream.watcher())
    );
    Report::new(text, &json!({ "stream": stream.id }))
}

/// Prints until the service goes away or the caller interrupts.
async fn watch(bus: &Bus, json: bool) -> Result<Report, Failure> {
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => return Err(Failure::interrupted()),
            _ = tick.tick() => {}
        }
        let snapshot = bus.snapshot().await?;
        if json {
            report::line(&json!(snapshot.streams).to_string());
        } else {
            // Home and clear, where there is a screen to clear.
            let clear = if std::io::stdout().is_terminal() {
                "\x1b[H\x1b[J"
            } else {
                ""
            };
            report::line(&format!(
                "{clear}{}\n{}",
                human(&snapshot),
                figures(&snapshot)
            ));
        }
    }
}

pub fn human(snapshot: &Snapshot) -> String {
    if snapshot.streams.is_empty() {
        return "Nobody is watching.".into();
    }
    let row = |stream: &Stream| {
        [
            stream.id.clone(),
            stream.watcher().to_owned(),
            stream.user.to_string(),
            stream.session.clone(),
            format!("{}x{}@{}", stream.width, stream.height, stream.fps),
            stream.codec.clone(),
            rate(stream),
            state(stream),
            loss(stream),
            stream
                .figure("frames_sent")
                .map_or("-".into(), |frames| frames.to_string()),
        ]
    };
    let rows: Vec<_> = snapshot.streams.iter().map(row).collect();
    table(
        [
            "ID", "CLIENT", "USER", "SESSION", "MODE", "CODEC", "BITRATE", "STATE", "LOSS",
            "FRAMES",
        ],
        &rows,
    )
}

/// The state, and why the session gives no picture where it gives none.
fn state(stream: &Stream) -> String {
    if stream.source_reason.is_empty() {
        return stream.state.clone();
    }
    format!("{} ({})", stream.state, stream.source_reason)
}

/// What the encoder aims at, and the budget where that is less; whether it is the host's total that leaves no more.
fn rate(stream: &Stream) -> String {
    let (budget, limit) = (stream.bitrate_kbps, stream.bitrate_limit_kbps);
    let told = stream.figure("bitrate_target_kbps");
    let target = match told.filter(|target| (1..u64::from(budget)).contains(target)) {
        Some(target) => target,
        None if limit > 0 => limit.into(),
        None => return format!("{budget} kbit/s"),
    };
    let why = if limit > 0 { " (host limit)" } else { "" };
    format!("{target} of {budget} kbit/s{why}")
}

/// Loss as reported lately, and the parity against it.
fn loss(stream: &Stream) -> String {
    let (Some(loss), Some(parity)) = (
        stream.figure("loss_permille"),
        stream.figure("parity_percent"),
    ) else {
        return "-".into();
    };
    format!("{}.{} %, parity {parity} %", loss / 10, loss % 10)
}

/// Every figure of every stream, below each other.
fn figures(snapshot: &Snapshot) -> String {
    let mut text = String::new();
    for stream in &snapshot.streams {
        let rows: Vec<(&str, String)> = stream
            .statistics
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_string()))
            .collect();
        text.push_str(&format!(
            "\nstream {}\n{}\n",
            stream.id,
            crate::table::fields(&rows)
        ));
    }
    text
}
