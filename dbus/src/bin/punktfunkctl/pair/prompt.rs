//! Questions to the person at the terminal. Without a terminal, the PIN is a line of standard input, so that a
//! script need not put it where every account can read it (the list of processes).
use crate::{
    age, cli,
    failure::{Failure, FailureKind},
    snapshot::Pairing,
    table::table,
};
use std::io::{BufRead, IsTerminal, Write};
use tokio::sync::oneshot;

const TRIES: u8 = 3;

pub async fn pin() -> Result<String, Failure> {
    for _ in 0..TRIES {
        let answer = ask("PIN shown on the device: ").await?;
        match cli::pin(answer.trim()) {
            Ok(pin) => return Ok(pin),
            Err(why) if std::io::stdin().is_terminal() => eprintln!("{why}"),
            Err(why) => return Err(Failure::new(FailureKind::Pairing, why)),
        }
    }
    Err(Failure::new(FailureKind::Pairing, "no PIN was given"))
}

pub async fn device(waiting: &[&Pairing]) -> Result<Pairing, Failure> {
    let rows: Vec<[String; 4]> = waiting
        .iter()
        .map(|device| {
            let age = age::ago(device.since, age::now());
            [
                device.id.clone(),
                device.name.clone(),
                device.address.clone(),
                age,
            ]
        })
        .collect();
    eprintln!("{}", table(["NUMBER", "NAME", "ADDRESS", "SINCE"], &rows));
    if !std::io::stdin().is_terminal() {
        return Err(Failure::not_found("several devices are waiting")
            .with_remedy("say which: --device NUMBER"));
    }
    for _ in 0..TRIES {
        let answer = ask("Which one? ").await?;
        let number = answer.trim();
        let device = waiting.iter().find(|device| device.id == number);
        if let Some(device) = device {
            return Ok((*device).clone());
        }
    }
    Err(Failure::not_found("no device was chosen"))
}

/// One line, read in a thread of its own so that an interrupt or the end of the window need not wait for it.
async fn ask(question: &str) -> Result<String, Failure> {
    if std::io::stdin().is_terminal() {
        eprint!("{question}");
        let _ = std::io::stderr().flush();
    }
    let (answer, answered) = oneshot::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = std::io::stdin().lock().read_line(&mut line);
        let _ = answer.send(read.map(|_| line));
    });
    match answered.await {
        Ok(Ok(line)) if !line.is_empty() => Ok(line),
        _ => Err(Failure::new(
            FailureKind::Pairing,
            "there is nobody to ask for the PIN: standard input is at its end",
        )
        .with_remedy("give it with --pin, or on standard input")),
    }
}

/// The addresses at which devices of the local network find this machine, the common ones first.
pub fn own_addresses() -> Vec<String> {
    use nix::net::if_::InterfaceFlags;
    let interfaces = nix::ifaddrs::getifaddrs().into_iter().flatten();
    let up = interfaces.filter(|interface| {
        interface
            .flags
            .contains(InterfaceFlags::IFF_UP | InterfaceFlags::IFF_RUNNING)
            && !interface.flags.contains(InterfaceFlags::IFF_LOOPBACK)
    });
    let v4 = up.filter_map(|interface| {
        let address = interface.address?;
        address
            .as_sockaddr_in()
            .map(|address| address.ip().to_string())
    });
    v4.take(3).collect()
}
