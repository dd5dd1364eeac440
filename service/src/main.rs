//! punktfunkd: the GameStream host for all users of a machine. This file is the table of contents.
use clap::Parser;
use punktfunk_service::{
    cli::Cli,
    config::{Config, ConfigError, Settings},
    identity::Identity,
    logging, privileges, supervisor,
};
use std::process::ExitCode;

/// As systemd and the shells have it: the program was asked for something wrong.
const EXIT_CONFIGURATION: u8 = 2;

fn main() -> ExitCode {
    let cli = Cli::parse();
    logging::start();
    match start(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Every message of ours holds its cause.
            eprintln!("punktfunkd: {error}");
            match error.is::<ConfigError>() {
                true => ExitCode::from(EXIT_CONFIGURATION),
                false => ExitCode::FAILURE,
            }
        }
    }
}

fn start(cli: &Cli) -> anyhow::Result<()> {
    // As root, if root started us: what only root may read.
    let config = Config::load(cli)?;
    if cli.check {
        println!("The configuration is valid.");
        return Ok(());
    }
    // Nothing is made on the disk of a machine that cannot run the service.
    privileges::check(&config)?;
    let early = match config.development {
        true => None,
        false => Some(Identity::open(&config.identity_dir)?),
    };
    // Before any thread exists: become somebody who can do nothing.
    let account = privileges::drop(&config)?;
    // A developer's identity belongs to the developer.
    let identity = match early {
        Some(identity) => identity,
        None => Identity::open(&config.identity_dir)?,
    };
    // What was set over the bus was written by the account that serves, and is read by it.
    let settings = Settings::open(cli, config)?;
    // Everything else: sockets, bus, streams; returns when told to stop.
    supervisor::run(settings, identity, account)?;
    Ok(())
}
