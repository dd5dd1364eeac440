//! punktfunkctl: look at and manage this machine's streaming host from a terminal or a script.
#![forbid(unsafe_code)]

mod age;
mod agents;
mod authentication;
mod bus;
mod cli;
mod clients;
mod doctor;
mod failure;
mod pair;
mod report;
mod snapshot;
mod status;
mod streams;
mod table;

use clap::Parser;
use cli::{Cli, Command};
use failure::Failure;
use report::Report;

fn main() {
    let cli = Cli::parse();
    let outcome = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::service(format!("cannot start: {e}")))
        .and_then(|runtime| runtime.block_on(run(&cli)));
    // Not a return: a thread may still be waiting for a line from the terminal.
    std::process::exit(report::print(outcome, cli.json));
}

async fn run(cli: &Cli) -> Result<Report, Failure> {
    if let Command::Doctor = cli.command {
        return Ok(doctor::run(cli.bus.as_deref()).await);
    }
    let bus = bus::Bus::connect(cli.bus.as_deref()).await?;
    bus.require_service().await?;
    match &cli.command {
        Command::Status => status::run(&bus).await,
        Command::Pair(arguments) => pair::run(&bus, arguments).await,
        Command::Clients(arguments) => clients::run(&bus, arguments).await,
        Command::Streams(arguments) => streams::run(&bus, arguments, cli.json).await,
        Command::Agents => agents::run(&bus).await,
        Command::Doctor => unreachable!("answered above, because it must work without a bus"),
    }
}
