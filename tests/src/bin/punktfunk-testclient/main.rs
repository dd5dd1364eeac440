//! `punktfunk-testclient`: the headless GameStream client as a program. Exit status: 0 clean, 1 no stream, 2 the host broke
//! a rule or an expectation failed.

mod arguments;
mod live;
mod stream;

use arguments::{Arguments, Command};
use clap::Parser;
use punktfunk_tests::Client;
use std::process::ExitCode;

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("punktfunk-testclient: {error:#}");
            ExitCode::from(1)
        }
    }
}

fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let state = arguments.state_dir();
    let mut client = Client::open(arguments.host, &state)?;
    match &arguments.command {
        Command::Pair { pin } => {
            let pin = pin.clone().unwrap_or_else(|| {
                format!(
                    "{:04}",
                    u32::from_le_bytes(punktfunk_tests::crypto::random()) % 10_000
                )
            });
            println!("PIN: {pin}");
            eprintln!("enter it on the host, for instance: punktfunkctl pair --pin {pin}");
            client.pair(&pin)?;
            client.save(&state)?;
            println!("paired as {}", client.identity.fingerprint());
        }
        Command::Unpair => {
            client.discover()?;
            client.unpair()?;
            client.pinned = None;
            client.save(&state)?;
            println!(
                "forgot the host's certificate; remove this client on the host with punktfunkctl"
            );
        }
        Command::Info => {
            client.discover()?;
            let info = client.server_info(client.pinned.is_some())?;
            println!(
                "{}\t{}\tHTTPS port {}\tpaired {}\trunning app {}",
                info.hostname, info.unique_id, info.https_port, info.paired, info.current_game
            );
        }
        Command::List => {
            client.discover()?;
            client
                .app_list()?
                .iter()
                .for_each(|app| println!("{}\t{}", app.id, app.title));
        }
        Command::Asset { app, out } => {
            client.discover()?;
            let id = client.app_by(app)?;
            let png = client.app_asset(id)?;
            std::fs::write(out, &png)?;
            println!("{id}\t{} bytes", png.len());
        }
        Command::Cancel => {
            client.discover()?;
            client.cancel()?;
            println!("cancelled");
        }
        Command::Stream(stream) => {
            client.discover()?;
            return stream::run(&client, stream);
        }
    }
    for breach in client.breaches.list() {
        eprintln!(
            "BREACH {} (section {}): {}",
            breach.rule, breach.section, breach.detail
        );
    }
    Ok(ExitCode::from(if client.breaches.is_empty() {
        0
    } else {
        2
    }))
}
