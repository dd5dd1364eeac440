//! Announces the host on the local network: through Avahi where it runs, else by an own mDNS responder.
//!
//! Clients look for `_nvstream._tcp`; the SRV port is the HTTP port and the TXT record is empty.
mod avahi;
mod responder;

use super::accept::stopped;
use crate::{config::Config, host::Host};
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;

const SERVICE: &str = "_nvstream._tcp";
/// DNS labels end here.
const MAX_LABEL: usize = 63;
/// Between attempts to publish after a failure or a restart of Avahi.
const RETRY: Duration = Duration::from_secs(5);

/// Announce `_nvstream._tcp` until `shutdown` turns true, under the name and for as long as the settings say; failures are logged
/// and never end the service: clients can be given the address by hand.
pub async fn serve(host: Arc<Host>, mut shutdown: watch::Receiver<bool>) {
    let id = host.identity.unique_id.clone();
    let mut changes = host.settings.changes();
    loop {
        let settings = host.settings.now();
        let name = label(&settings.name);
        let differs =
            |now: &Config| now.discovery != settings.discovery || now.name != settings.name;
        let announced = async {
            match settings.discovery {
                true => announce(&name, settings.ports.http, &id).await,
                false => std::future::pending().await,
            }
        };
        let other = async {
            // The settings live as long as the host.
            while changes.changed().await.is_ok() {
                if differs(&host.settings.now()) {
                    return;
                }
            }
        };
        tokio::select! {
            () = stopped(&mut shutdown) => return,
            () = announced => return,
            () = other => {}
        }
    }
}

/// Whichever way works; never returns while one does.
async fn announce(name: &str, port: u16, id: &str) {
    let mut reported = false;
    loop {
        match avahi::publish(name, port).await {
            // Avahi went away; it may come back, and until then the own responder would fight it for the port.
            Ok(()) => tokio::time::sleep(RETRY).await,
            Err(avahi::Failure::Absent) => match responder::publish(name, port, id) {
                Ok(responder) => {
                    tracing::info!(name, port, "announced by mDNS (Avahi is not running)");
                    avahi::appeared().await;
                    drop(responder);
                }
                Err(error) => {
                    if !reported {
                        tracing::warn!("the host cannot be announced on the network: {error}");
                        reported = true;
                    }
                    tokio::time::sleep(RETRY).await;
                }
            },
            Err(avahi::Failure::Refused(error)) => {
                if !reported {
                    tracing::warn!("Avahi does not announce the host: {error}");
                    reported = true;
                }
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

/// The name as one DNS label: at most 63 bytes, cut at a character.
fn label(name: &str) -> String {
    let mut label = String::new();
    for c in name.chars().filter(|c| !c.is_control()) {
        if label.len().saturating_add(c.len_utf8()) > MAX_LABEL {
            break;
        }
        label.push(c);
    }
    if label.trim().is_empty() {
        "punktfunk".to_owned()
    } else {
        label
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_a_label_whatever_they_are() {
        assert_eq!(label("desk"), "desk");
        assert_eq!(label(" \n"), "punktfunk");
        let long = label(&"ü".repeat(100));
        assert_eq!((long.len(), long.chars().count()), (62, 31));
    }
}
