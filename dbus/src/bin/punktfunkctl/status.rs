//! `punktfunkctl status`: the host in a few lines.
use crate::{
    bus::Bus, failure::Failure, report::Report, snapshot::Snapshot, streams, table::fields,
};
use std::collections::BTreeMap;

pub async fn run(bus: &Bus) -> Result<Report, Failure> {
    let snapshot = bus.snapshot().await?;
    Report::new(human(&snapshot), &snapshot)
}

fn human(snapshot: &Snapshot) -> String {
    let host = &snapshot.host;
    let ports: Vec<String> = host
        .ports_in_order()
        .into_iter()
        .map(|(name, port)| format!("{name} {port}"))
        .collect();
    let pairing = match (host.pairing_window_open, snapshot.pairings.len()) {
        (false, 0) => "closed (open it with `punktfunkctl pair`)".to_owned(),
        (_, 0) => "open, no device yet".to_owned(),
        (_, 1) => "1 device waits for its PIN".to_owned(),
        (_, waiting) => format!("{waiting} devices wait for their PINs"),
    };
    let mut text = fields(&[
        (
            "Host",
            format!("{} (punktfunk {})", host.host_name, host.version),
        ),
        ("Identity", host.fingerprint.clone()),
        ("Ports", ports.join(", ")),
        ("Encryption", encryption(&host.encryption)),
        ("Pairing", pairing),
        ("Clients", count(snapshot.clients.len(), host.client_count)),
        ("Agents", count(snapshot.agents.len(), host.agent_count)),
        ("Streams", count(snapshot.streams.len(), host.stream_count)),
    ]);
    if !snapshot.streams.is_empty() {
        text.push_str("\n\n");
        text.push_str(&streams::human(snapshot));
    }
    text
}

/// One word where the networks agree.
fn encryption(policy: &BTreeMap<String, String>) -> String {
    let mut words = policy.values();
    match words.next() {
        Some(first) if words.all(|word| word == first) => first.clone(),
        _ => {
            let each: Vec<String> = policy
                .iter()
                .map(|(network, word)| format!("{network} {word}"))
                .collect();
            each.join(", ")
        }
    }
}

/// How many the caller sees, and how many there are besides.
fn count(seen: usize, all: u32) -> String {
    match u32::try_from(seen) {
        Ok(seen) if seen < all => format!("{seen} (and {} of other accounts)", all - seen),
        _ => seen.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_encryption_policy_is_one_word_unless_the_networks_differ() {
        let policy = |lan: &str, wan: &str| {
            encryption(&BTreeMap::from([
                ("lan".to_owned(), lan.to_owned()),
                ("wan".to_owned(), wan.to_owned()),
            ]))
        };
        assert_eq!(policy("offered", "offered"), "offered");
        assert_eq!(policy("off", "required"), "lan off, wan required");
    }

    #[test]
    fn objects_of_others_are_counted_and_not_shown() {
        assert_eq!(count(1, 3), "1 (and 2 of other accounts)");
        assert_eq!(count(3, 3), "3");
        assert_eq!(count(4, 3), "4");
    }
}
