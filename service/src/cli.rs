//! The command line of `punktfunkd`.
use clap::Parser;
use std::path::PathBuf;

/// The punktfunk host: streams the sessions of this machine's users to Moonlight clients.
///
/// Usually started by systemd (`systemctl enable --now punktfunk`).
#[derive(Debug, Clone, Parser)]
#[command(name = "punktfunkd", version)]
pub struct Cli {
    /// Configuration file [default: /etc/punktfunk/punktfunk.toml; none with --dev]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Look for mistakes in the configuration, say so, and do nothing else
    #[arg(long)]
    pub check: bool,
    /// Development mode: no polkit, no logind; obeys callers of its own uid on the bus in
    /// DBUS_SYSTEM_BUS_ADDRESS, else on the session bus
    #[arg(long)]
    pub dev: bool,
    /// Where paired clients are kept (with --dev also the host's identity)
    #[arg(long, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
    /// Move all ports: this one is HTTP, the others keep their distance to it
    #[arg(long, value_name = "PORT")]
    pub base_port: Option<u16>,
}
