//! punktfunk-agent: one user's session, offered to the streaming service.

use clap::Parser;
use punktfunk_agent::{
    cli::{Cli, Command},
    logging, spike,
};
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    logging::start();
    let result = match cli.command {
        Some(Command::Spike(args)) => spike::run(&args).map(|figures| println!("{figures}")),
        Some(Command::Run(_)) | None => Ok(()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("punktfunk-agent: {error:#}");
            ExitCode::FAILURE
        }
    }
}
