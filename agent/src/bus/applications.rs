//! Applications on the bus: the catalogue as the contract has it, and the news of what has ended.
use super::agent1::Agent1;
use crate::apps::{Catalogue, Ended};
use punktfunk_dbus::{
    applications::{ApplicationEntry, MAX_REASON},
    names::{AGENT_PATH, BUS_NAME},
};
use std::collections::HashMap;
use tokio::sync::mpsc::UnboundedReceiver;
use zbus::{
    Connection,
    names::BusName,
    object_server::SignalEmitter,
    zvariant::{OwnedValue, Str},
};

/// The catalogue, sorted by title.
pub fn listed(catalogue: &Catalogue) -> Vec<ApplicationEntry> {
    let word = |word: &'static str| OwnedValue::from(Str::from_static(word));
    let entries = catalogue.sorted().into_iter().map(|(id, entry)| {
        let compositor = if entry.run.gamescope {
            "gamescope"
        } else {
            "session"
        };
        let details = HashMap::from([
            ("source".to_owned(), word(entry.source.word())),
            ("compositor".to_owned(), word(compositor)),
        ]);
        (id, entry.title.clone(), details)
    });
    entries.collect()
}

/// Tell the service of every end, for as long as there is a connection.
pub async fn tell(connection: Connection, mut ends: UnboundedReceiver<Ended>) {
    while let Some(ended) = ends.recv().await {
        if let Err(error) = tell_one(&connection, &ended).await {
            tracing::warn!(
                app = ended.app,
                "the end of an application could not be told: {error}"
            );
        }
    }
}

async fn tell_one(connection: &Connection, ended: &Ended) -> zbus::Result<()> {
    let emitter = SignalEmitter::new(connection, AGENT_PATH)?;
    let service = BusName::try_from(BUS_NAME)?;
    let mut end = ended.reason.len().min(MAX_REASON);
    while !ended.reason.is_char_boundary(end) {
        end -= 1;
    }
    Agent1::application_ended(
        &emitter.set_destination(service),
        ended.app,
        ended.status,
        &ended.reason[..end],
    )
    .await
}
