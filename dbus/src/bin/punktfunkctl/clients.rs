//! `punktfunkctl clients`: paired devices.
use crate::{
    age,
    authentication::TerminalAgent,
    bus::Bus,
    cli::{ClientArguments, ClientCommand, Switch},
    failure::Failure,
    lasting,
    report::Report,
    snapshot::{Account, Client, Snapshot},
    table::{printable, table},
};
use serde_json::json;

pub async fn run(bus: &Bus, arguments: &ClientArguments) -> Result<Report, Failure> {
    let snapshot = bus.snapshot().await?;
    let Some(command) = &arguments.command else {
        return Report::new(human(&snapshot, age::now()), &snapshot.clients);
    };
    let client = named(&snapshot.clients, command.id())?;
    let _agent = TerminalAgent::start().await;
    let proxy = bus.client(&client.path).await?;
    let name = printable(&client.name);
    match command {
        ClientCommand::Remove { .. } => {
            proxy.unpair().await?;
            let text = format!("Forgot {name} ({}).", client.short_id());
            Report::new(text, &json!({ "removed": client }))
        }
        ClientCommand::Owner { account, .. } => {
            let account = Account::named(account)?;
            proxy.set_owner(account.uid).await?;
            let text = format!("{name} belongs to {account} now.");
            Report::new(text, &json!({ "client": client.id, "owner": account }))
        }
        ClientCommand::Permissions { words, .. } => {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            proxy.set_permissions(&words).await?;
            let text = match words.as_slice() {
                [] => format!("{name} may do nothing now."),
                words => format!("{name} may {} now.", words.join(", ")),
            };
            Report::new(text, &json!({ "client": client.id, "permissions": words }))
        }
        ClientCommand::Greeter { allowed, .. } => {
            let allowed = *allowed == Switch::On;
            proxy.set_greeter(allowed).await?;
            let word = if allowed { "may" } else { "may not" };
            let text = format!("{name} {word} watch log-in screens now.");
            Report::new(text, &json!({ "client": client.id, "greeter": allowed }))
        }
        ClientCommand::Expires { until, .. } => {
            let (until, now) = (*until, age::now());
            proxy.set_expiry(until).await?;
            let text = match until {
                0 => format!("The pairing of {name} does not expire."),
                until => format!("The pairing of {name} has {}.", lasting::left(until, now)),
            };
            Report::new(text, &json!({ "client": client.id, "expires_at": until }))
        }
    }
}

fn human(snapshot: &Snapshot, now: u64) -> String {
    if snapshot.clients.is_empty() {
        return "No paired devices. Pair one with `punktfunkctl pair`.".into();
    }
    let row = |client: &Client| {
        [
            client.short_id().to_owned(),
            client.name.clone(),
            client.owner.to_string(),
            age::ago(client.paired_at, now),
            age::ago(client.last_seen, now),
            client.permissions.join(", "),
            terms(client, now),
        ]
    };
    let rows: Vec<_> = snapshot.clients.iter().map(row).collect();
    table(
        [
            "ID",
            "NAME",
            "OWNER",
            "PAIRED",
            "LAST SEEN",
            "PERMISSIONS",
            "TERMS",
        ],
        &rows,
    )
}

/// What is special about the pairing.
fn terms(client: &Client, now: u64) -> String {
    let left = lasting::left(client.expires_at, now);
    let words = [
        (client.one_time, "one stream"),
        (client.expires_at != 0, left.as_str()),
        (client.greeter, "log-in screens"),
    ];
    let words: Vec<&str> = words
        .iter()
        .filter(|(on, _)| *on)
        .map(|(_, w)| *w)
        .collect();
    words.join(", ")
}

/// The one client with this id, this beginning of an id, or this name.
fn named<'a>(clients: &'a [Client], wanted: &str) -> Result<&'a Client, Failure> {
    if let Some(client) = clients.iter().find(|client| client.id == wanted) {
        return Ok(client);
    }
    let matches: Vec<&Client> = clients
        .iter()
        .filter(|client| {
            client.name == wanted || (!wanted.is_empty() && client.id.starts_with(wanted))
        })
        .collect();
    match matches.as_slice() {
        [client] => Ok(client),
        [] => Err(
            Failure::not_found(format!("no client of yours is called {wanted}"))
                .with_remedy("list them with `punktfunkctl clients`"),
        ),
        several => {
            let ids: Vec<&str> = several.iter().map(|client| client.id.as_str()).collect();
            Err(Failure::not_found(format!(
                "{wanted} may be any of {}: say more of the id",
                ids.join(", ")
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::Account;

    fn client(id: &str, name: &str) -> Client {
        Client {
            path: String::new(),
            id: id.into(),
            name: name.into(),
            fingerprint: String::new(),
            owner: Account { uid: 7, name: None },
            paired_at: 0,
            last_seen: 0,
            permissions: Vec::new(),
            greeter: false,
            expires_at: 0,
            one_time: false,
        }
    }

    #[test]
    fn a_client_is_found_by_what_is_unmistakable_and_by_nothing_less() {
        let clients = [
            client("ab12", "TV"),
            client("ab34", "Phone"),
            client("cd", "ab12x"),
        ];
        assert_eq!(named(&clients, "ab12").map(|c| &*c.name), Ok("TV"));
        assert_eq!(named(&clients, "Phone").map(|c| &*c.id), Ok("ab34"));
        assert_eq!(named(&clients, "ab3").map(|c| &*c.id), Ok("ab34"));
        for wrong in ["ab", "", "x"] {
            assert_eq!(named(&clients, wrong).unwrap_err().kind.exit_code(), 6);
        }
    }
}
