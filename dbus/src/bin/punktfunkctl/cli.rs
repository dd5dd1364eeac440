//! The command line.
use crate::{age, lasting};
use clap::{Args, Parser, Subcommand};
use punktfunk_dbus::on_demand::{Keep, compositor};

const EXIT_CODES: &str = "\
Exit codes:
  0    done (doctor: nothing failed)
  1    the service refused or failed (doctor: a check failed)
  2    the command line was wrong
  3    the message bus cannot be reached
  4    the service does not run
  5    access denied, or authentication is needed and nobody could be asked
  6    no such client, stream or waiting device
  7    the pairing failed: wrong PIN, or the device gave up
  130  interrupted

A client or stream is named by its id, the beginning of its id, or its whole name.";

/// Look at and manage this machine's streaming host.
#[derive(Debug, Parser)]
#[command(name = "punktfunkctl", version, after_help = EXIT_CODES)]
pub struct Cli {
    /// Print one JSON value instead of text (`streams watch`: one each second)
    #[arg(long, global = true)]
    pub json: bool,
    /// Bus address of a development host, instead of the system bus
    #[arg(long, global = true, value_name = "ADDRESS", hide = true)]
    pub bus: Option<String>,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// The host in a few lines
    Status,
    /// Pair a device: wait for it, then enter the PIN that it shows
    Pair(PairArguments),
    /// List paired devices, forget or change one
    Clients(ClientArguments),
    /// List running streams, watch or change one
    Streams(StreamArguments),
    /// List the sessions that can be streamed
    Agents,
    /// List, enable or disable the accounts that have a session started when a client asks for one
    OnDemand(OnDemandArguments),
    /// Show or change the host's settings
    Config(ConfigArguments),
    /// Show the journal of the service, or of the own agent
    Logs(LogArguments),
    /// Check the installation, and say how to mend what is wrong
    Doctor,
    /// Print the completions for a shell
    Completions { shell: clap_complete::Shell },
}

#[derive(Debug, Args)]
pub struct ConfigArguments {
    #[command(subcommand)]
    pub command: Option<ConfigCommand>,
}

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Show settings, and where their values are from; all of them if none is named
    Get { keys: Vec<String> },
    /// Set over the files, lastingly
    Set {
        #[arg(value_name = "KEY=VALUE", required = true)]
        settings: Vec<String>,
    },
    /// Let the files decide again
    Reset {
        keys: Vec<String>,
        /// About everything that was set
        #[arg(long, conflicts_with = "keys")]
        all: bool,
    },
    /// Read the files again; running streams go on
    Reload,
    /// Look for mistakes in the files, without the service
    Check {
        /// Another file than /etc/punktfunk/punktfunk.toml
        #[arg(long, value_name = "FILE")]
        file: Option<std::path::PathBuf>,
    },
}

#[derive(Debug, Args)]
pub struct OnDemandArguments {
    #[command(subcommand)]
    pub command: Option<OnDemandCommand>,
}

#[derive(Debug, Subcommand)]
pub enum OnDemandCommand {
    /// Let clients of this account log in to it without a password, when it is not logged in (for root)
    Enable {
        /// Name or uid
        account: String,
        /// What shows the session: gnome, sway, mutter, kwin, gamescope; auto: the first that is installed
        #[arg(long, value_name = "NAME", default_value = "auto", value_parser = compositor)]
        compositor: String,
        /// How long it is kept without a stream: 30s, 10m, 2h, stream (not at all) or always
        #[arg(long, value_name = "TIME", default_value_t)]
        keep: Keep,
    },
    /// No more (for root)
    Disable {
        /// Name or uid
        account: String,
    },
}

#[derive(Debug, Default, Args)]
pub struct LogArguments {
    /// Go on as lines come
    #[arg(long, short)]
    pub follow: bool,
    /// Explain the lines that the catalogue knows
    #[arg(long, short = 'x')]
    pub explain: bool,
    /// Only lines from then on, as journalctl understands it: "today", "-1h"
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub since: Option<String>,
    /// Only the last so many lines
    #[arg(long, short = 'n', value_name = "LINES")]
    pub lines: Option<u32>,
    /// Only lines about this client, by its whole id
    #[arg(long, value_name = "ID")]
    pub client: Option<String>,
    /// Only lines about this stream
    #[arg(long, value_name = "ID")]
    pub stream: Option<String>,
    /// Only lines about what is this account's
    #[arg(long, value_name = "UID")]
    pub user: Option<String>,
    /// The journal of the own session's agent instead
    #[arg(long, conflicts_with_all = ["client", "stream", "user"])]
    pub agent: bool,
}

#[derive(Debug, Args)]
pub struct PairArguments {
    /// The four digits that the device shows; without it, asked for (or read from standard input)
    #[arg(long, value_parser = pin)]
    pub pin: Option<String>,
    /// What to call the device from now on
    #[arg(long, value_parser = client_name)]
    pub name: Option<String>,
    /// The account that the device is to belong to, by name or uid; without it, one's own
    #[arg(long, value_name = "ACCOUNT")]
    pub owner: Option<String>,
    /// How long the pairing is good: 90m, 8h, 3d, 2w
    #[arg(long, value_name = "TIME", value_parser = lasting)]
    pub expires: Option<u64>,
    /// Forget the device when its first stream has ended
    #[arg(long)]
    pub once: bool,
    /// Let the device watch log-in screens and log in there
    #[arg(long)]
    pub greeter: bool,
    /// How long to wait for a device
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u32).range(1..=300))]
    pub wait: u32,
    /// Which device, by its name or address, or by the number of its attempt, where several may be waiting
    #[arg(long, value_name = "NAME|ADDRESS|NUMBER")]
    pub device: Option<String>,
    /// Close the pairing window and do nothing else
    #[arg(long, conflicts_with_all = ["pin", "name", "device", "reject"])]
    pub cancel: bool,
    /// Send a waiting device away and do nothing else
    #[arg(long, conflicts_with_all = ["pin", "name"])]
    pub reject: bool,
}

#[derive(Debug, Args)]
pub struct ClientArguments {
    #[command(subcommand)]
    pub command: Option<ClientCommand>,
}

#[derive(Debug, Subcommand)]
pub enum ClientCommand {
    /// Forget a device; it has to be paired again
    Remove { id: String },
    /// Give a device to another account; it watches that account's sessions
    Owner {
        id: String,
        /// Name or uid
        account: String,
    },
    /// Say what a device may do: view, audio, pointer, keyboard, gamepad, launch, unlock
    Permissions {
        id: String,
        /// The whole new set; none: nothing at all
        #[arg(value_name = "WORD")]
        words: Vec<String>,
    },
    /// Say whether a device may watch log-in screens and log in there
    Greeter { id: String, allowed: Switch },
    /// Say until when a pairing is good
    Expires {
        id: String,
        /// From now on: 90m, 8h, 3d, 2w; or never
        #[arg(value_name = "TIME", value_parser = lasting)]
        until: u64,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Switch {
    On,
    Off,
}

impl ClientCommand {
    /// The client that is meant.
    pub fn id(&self) -> &str {
        match self {
            Self::Remove { id }
            | Self::Owner { id, .. }
            | Self::Permissions { id, .. }
            | Self::Greeter { id, .. }
            | Self::Expires { id, .. } => id,
        }
    }
}

#[derive(Debug, Args)]
pub struct StreamArguments {
    #[command(subcommand)]
    pub command: Option<StreamCommand>,
}

#[derive(Debug, Subcommand)]
pub enum StreamCommand {
    /// End a stream
    Stop { id: String },
    /// Have the next picture encoded whole
    Keyframe { id: String },
    /// Change the video budget
    Bitrate {
        id: String,
        #[arg(value_name = "KBPS", value_parser = clap::value_parser!(u32).range(100..=800_000))]
        kbps: u32,
    },
    /// Show the live figures each second until interrupted
    Watch,
}

/// Four decimal digits.
pub fn pin(text: &str) -> Result<String, String> {
    let four_digits = text.len() == 4 && text.bytes().all(|b| b.is_ascii_digit());
    four_digits
        .then(|| text.to_owned())
        .ok_or_else(|| "a PIN has four digits".into())
}

fn lasting(text: &str) -> Result<u64, String> {
    lasting::until(text, age::now())
}

fn client_name(text: &str) -> Result<String, String> {
    let fits = (1..=64).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    fits.then(|| text.to_owned())
        .ok_or_else(|| "a name has 1 to 64 characters, none of them control characters".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent_and_its_help_lists_the_exit_codes() {
        Cli::command().debug_assert();
        let help = Cli::command().render_help().to_string();
        assert!(help.contains("Exit codes"));
        assert!(!help.contains("--bus"));
    }

    #[test]
    fn a_pin_is_four_digits_and_nothing_else() {
        assert!(pin("0042").is_ok());
        for wrong in ["", "123", "12345", "12a4", "١٢٣٤", " 123"] {
            assert!(pin(wrong).is_err(), "{wrong:?}");
        }
    }
}
