//! `punktfunk-agent-double`: see the library. Prints one line for each order that it is given.

use anyhow::{Context, Result, bail};
use clap::Parser;
use futures_util::StreamExt;
use punktfunk_agent_double::{
    AgentDouble, Behaviour, Mode, Offer, Orders, PlayerSettings, Recording, player,
};
use punktfunk_dbus::{names::BUS_NAME, open_stream::OpenStream};
use std::{collections::BTreeMap, sync::Arc};
use tokio::signal::unix::{SignalKind, signal};

/// An agent for tests: replays recorded access units.
#[derive(Parser)]
struct Arguments {
    /// The session to register for.
    #[arg(long)]
    session: String,
    /// What can be streamed, like h265:1920x1080@60; made with ffmpeg at the first use. May be given several times.
    #[arg(long = "recording", required = true, value_parser = |text: &str| text.parse::<Mode>())]
    recordings: Vec<Mode>,
    /// Make the recordings and end.
    #[arg(long)]
    only_record: bool,
    /// Flag the frame after an invalidation of references, instead of answering with a key frame.
    #[arg(long)]
    invalidates_refs: bool,
    /// Fill every frame up to the bitrate that was ordered.
    #[arg(long)]
    fill: bool,
}

#[tokio::main(worker_threads = 1)]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut recordings = BTreeMap::new();
    for mode in arguments.recordings {
        recordings.insert(mode, Arc::new(Recording::of(mode)?));
    }
    if arguments.only_record {
        return Ok(());
    }
    let mut codecs: Vec<String> = recordings
        .keys()
        .map(|mode| mode.codec.name().to_owned())
        .collect();
    codecs.dedup();
    let settings = PlayerSettings {
        invalidates_refs: arguments.invalidates_refs,
        fill: arguments.fill,
        ..PlayerSettings::default()
    };
    let connection = zbus::connection::Builder::system()?
        .build()
        .await
        .context("no connection to the bus in DBUS_SYSTEM_BUS_ADDRESS")?;
    let mut changes = zbus::fdo::DBusProxy::new(&connection)
        .await?
        .receive_name_owner_changed_with_args(&[(0, BUS_NAME)])
        .await?;
    let offer = Offer {
        codecs,
        invalidates_refs: arguments.invalidates_refs,
        touch: true,
        behaviour: Behaviour::Honest,
        patient: true,
        orders: Orders::aloud(),
    };
    let open = move |options: &OpenStream| player::open(&recordings, settings, options);
    let _agent = AgentDouble::register(connection, &arguments.session, offer, open)
        .await
        .context("punktfunkd refused this agent")?;
    println!("registered");
    let (mut terminate, mut interrupt) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
        _ = changes.next() => bail!("punktfunkd or the bus went away"),
    }
}
