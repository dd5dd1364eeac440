//! `punktfunkctl pair`: open the window, name the device that waits, send the PIN, say what came of it.
mod choice;
mod prompt;

use crate::{
    age,
    authentication::TerminalAgent,
    bus::Bus,
    cli::PairArguments,
    failure::{Failure, FailureKind},
    report::{Report, progress},
    snapshot::{Account, Pairing, Snapshot},
    table::printable,
};
use choice::{Choice, choose};
use futures_util::StreamExt;
use serde_json::json;
use std::{collections::HashMap, time::Duration};
use tokio::time::Instant;
use zbus::fdo::ObjectManagerProxy;

/// The device answers the PIN in three more requests; its user may have to confirm nothing.
const COMPLETION: Duration = Duration::from_secs(60);
/// Between two looks, should a signal have been missed.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
const STANDARD_HTTP_PORT: u16 = 47989;

pub async fn run(bus: &Bus, arguments: &PairArguments) -> Result<Report, Failure> {
    let _agent = TerminalAgent::start().await;
    if arguments.cancel {
        bus.host().await?.close_pairing().await?;
        return Ok(Report::of_value(
            "Pairing is closed.",
            json!({ "cancelled": true }),
        ));
    }
    if arguments.reject {
        return reject(bus, arguments).await;
    }
    let granted = bus.host().await?.open_pairing(arguments.wait).await?;
    let outcome = tokio::select! {
        outcome = pair(bus, arguments, granted) => outcome,
        _ = tokio::signal::ctrl_c() => Err(Failure::interrupted()),
    };
    // Whatever happened: no window stays open behind the person's back.
    let _ = bus.host().await?.close_pairing().await;
    outcome
}

async fn pair(bus: &Bus, arguments: &PairArguments, granted: u32) -> Result<Report, Failure> {
    // Said before anybody types a PIN in vain.
    let owner = arguments.owner.as_deref().map(Account::named).transpose()?;
    let window = Duration::from_secs(granted.into());
    let Some(device) = wait_for_device(bus, arguments, Instant::now() + window, granted).await?
    else {
        return Err(Failure::not_found(format!("no device asked to be paired within {granted} s"))
            .with_remedy("on the device, add this host by its address; a firewall may be in the way: `punktfunkctl doctor`"));
    };
    progress(&introduce(&device));
    let pin = match &arguments.pin {
        Some(pin) => pin.clone(),
        None => prompt::pin().await?,
    };
    let mut options = HashMap::new();
    if let Some(name) = &arguments.name {
        options.insert("name", name.as_str().into());
    }
    if let Some(owner) = owner {
        options.insert("owner", owner.uid.into());
    }
    if let Some(until) = arguments.expires {
        options.insert("expires", until.into());
    }
    if arguments.once {
        options.insert("once", true.into());
    }
    if arguments.greeter {
        options.insert("greeter", true.into());
    }
    let pairing = bus.pairing(&device.path).await?;
    let accepted = tokio::time::timeout(COMPLETION, pairing.accept(&pin, options));
    let id = accepted.await.map_err(|_| {
        Failure::new(
            FailureKind::Pairing,
            "the device did not complete the pairing",
        )
        .with_remedy("start the pairing again on the device")
    })??;
    let snapshot = bus.snapshot().await?;
    let client = snapshot.clients.iter().find(|client| client.id == id);
    let text = match client {
        Some(client) => format!(
            "Paired {} with the account {} (client {}).",
            printable(&client.name),
            client.owner,
            client.short_id()
        ),
        None => format!("Paired (client {id})."),
    };
    Report::new(text, &json!({ "paired": id, "client": client }))
}

/// The device to pair; `None` when the window closed without one.
async fn wait_for_device(
    bus: &Bus,
    arguments: &PairArguments,
    deadline: Instant,
    granted: u32,
) -> Result<Option<Pairing>, Failure> {
    let manager = ObjectManagerProxy::new(
        bus.connection(),
        punktfunk_dbus::names::BUS_NAME,
        punktfunk_dbus::names::ROOT_PATH,
    )
    .await?;
    let mut added = manager.receive_interfaces_added().await?;
    let mut invited = false;
    loop {
        let snapshot = bus.snapshot().await?;
        match choose(&snapshot.pairings, arguments.device.as_deref()) {
            Choice::One(device) => return Ok(Some(device.clone())),
            Choice::Several(devices) => return prompt::device(&devices).await.map(Some),
            Choice::None => {}
        }
        if !std::mem::replace(&mut invited, true) {
            progress(&invite(&snapshot, granted));
        }
        let look_again = deadline.min(Instant::now() + LOOK_AGAIN);
        tokio::select! {
            _ = added.next() => {}
            () = tokio::time::sleep_until(look_again) => {
                if Instant::now() >= deadline {
                    return Ok(None);
                }
            }
        }
    }
}

async fn reject(bus: &Bus, arguments: &PairArguments) -> Result<Report, Failure> {
    let waiting = bus.snapshot().await?.pairings;
    let device = match choose(&waiting, arguments.device.as_deref()) {
        Choice::One(device) => device.clone(),
        Choice::Several(devices) => prompt::device(&devices).await?,
        Choice::None => return Err(Failure::not_found("no such device is waiting")),
    };
    bus.pairing(&device.path).await?.reject().await?;
    let text = format!("Sent {} away.", name_of(&device));
    Report::new(text, &json!({ "rejected": device }))
}

fn invite(snapshot: &Snapshot, granted: u32) -> String {
    // Clients take the standard port for granted.
    let port = match snapshot.host.ports.get("http") {
        Some(&port) if port != STANDARD_HTTP_PORT => format!(":{port}"),
        _ => String::new(),
    };
    let addresses: Vec<String> = prompt::own_addresses()
        .iter()
        .map(|address| format!("{address}{port}"))
        .collect();
    let addresses = if addresses.is_empty() {
        String::new()
    } else {
        format!(" ({})", addresses.join(", "))
    };
    format!(
        "Pairing is open for {granted} s. On the device, choose {}{addresses}; it will show a PIN.",
        printable(&snapshot.host.host_name)
    )
}

fn introduce(device: &Pairing) -> String {
    format!(
        "{} at {} asks to be paired ({}).",
        name_of(device),
        printable(&device.address),
        age::ago(device.since, age::now())
    )
}

/// The device's own word for itself, in quotes because it is only that.
fn name_of(device: &Pairing) -> String {
    match printable(&device.name) {
        name if name.is_empty() => "A device without a name".into(),
        name => format!("\"{name}\""),
    }
}
