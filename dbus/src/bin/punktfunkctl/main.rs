//! punktfunkctl: look at and manage this machine's streaming host from a terminal or a script.
#![forbid(unsafe_code)]

mod age;
mod agents;
mod authentication;
mod bus;
mod cli;
mod clients;
mod config;
mod doctor;
mod failure;
mod lasting;
mod logs;
mod on_demand;
mod pair;
mod report;
mod snapshot;
mod status;
mod streams;
mod table;

use clap::{CommandFactory, Parser};
use cli::{Cli, Command, ConfigArguments, ConfigCommand};
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
    // What works without a bus.
    match &cli.command {
        Command::Doctor => return Ok(doctor::run(cli.bus.as_deref()).await),
        Command::Logs(arguments) => return Err(logs::run(arguments, cli.json)),
        Command::Completions { shell } => return completions(*shell),
        Command::OnDemand(arguments) => return on_demand::run(arguments),
        Command::Config(ConfigArguments {
            command: Some(ConfigCommand::Check { file }),
        }) => return config::check(file.as_ref()),
        _ => {}
    }
    let bus = bus::Bus::connect(cli.bus.as_deref()).await?;
    bus.require_service().await?;
    match &cli.command {
        Command::Status => status::run(&bus).await,
        Command::Pair(arguments) => pair::run(&bus, arguments).await,
        Command::Clients(arguments) => clients::run(&bus, arguments).await,
        Command::Streams(arguments) => streams::run(&bus, arguments, cli.json).await,
        Command::Agents => agents::run(&bus).await,
        Command::Config(arguments) => config::run(&bus, arguments).await,
        Command::Doctor | Command::Logs(_) | Command::OnDemand(_) | Command::Completions { .. } => {
            unreachable!("answered above, because it must work without a bus")
        }
    }
}

fn completions(shell: clap_complete::Shell) -> Result<Report, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "punktfunkctl", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    Report::new(script.as_str(), &script)
}
