//! punktfunk-agent: one user's session, offered to the streaming service.

use clap::Parser;
use punktfunk_agent::{
    audio, bus,
    cli::{Cli, Command, RunArgs},
    encode, logging, on_demand, privileges,
    source::{gamescope::keeper, notes, warden},
    spike,
};
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    // Its output is gamescope's log and nothing else.
    if let Some(Command::GamescopeKeeper(args)) = &cli.command {
        return keeper::keep(args);
    }
    if let Some(Command::GamescopeBound(args)) = &cli.command {
        return keeper::bound::become_it(args);
    }
    // What its user's programs inherit stays as PAM gave it: it is the session.
    if let Some(Command::OnDemandSession) = cli.command {
        logging::start("punktfunk-session");
        return answered(on_demand::run());
    }
    logging::start("punktfunk-agent");
    privileges::shed();
    let result = match cli.command {
        Some(Command::Spike(args)) => spike::run(&args).map(|figures| println!("{figures}")),
        Some(Command::Warden { task }) => warden::watch(&task),
        Some(Command::Encoders(args)) => encode::print_report(args),
        Some(
            Command::OnDemandSession | Command::GamescopeKeeper(_) | Command::GamescopeBound(_),
        ) => return ExitCode::FAILURE,
        Some(Command::Run(args)) => agent(args),
        None => agent(cli.run),
    };
    answered(result)
}

fn answered(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("punktfunk-agent: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The control plane: one thread is enough for a few messages a second.
fn agent(args: RunArgs) -> anyhow::Result<()> {
    notes::put_in_order_soon();
    // it may have to wait for PipeWire
    let put_back = std::thread::Builder::new().name("pf-sound-back".into());
    if let Err(error) = put_back.spawn(audio::put_back_after_crash) {
        tracing::warn!("no thread to look after the default sink: {error}");
    }
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(bus::run(args))
}
