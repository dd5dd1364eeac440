//! The end of pairings that were never meant to last: those with a date, and those for one stream.
//!
//! Looks at the wall clock now and then, because a date may come to pass while the machine sleeps or the clock is set.
use crate::{
    applications,
    host::Host,
    ids::ClientId,
    store::{ClientRecord, unix_now},
    stream::StopReason,
};
use std::{sync::Arc, time::Duration};

/// The clock may jump: a date is at most so late.
const LOOK: Duration = Duration::from_secs(10);

/// End what is over, as it comes to be over; returns only when the service is torn down.
pub async fn watch(host: Arc<Host>) {
    let mut clients = host.clients.changes();
    let mut streams = host.streams.changes();
    // Those whose only stream was cut off by the end of the last service.
    for client in host.clients.list() {
        if client.terms.used {
            forget(&host, &client.id);
        }
    }
    loop {
        guests(&host);
        let next = dates(&host, unix_now());
        tokio::select! {
            changed = clients.changed() => if changed.is_err() { return },
            changed = streams.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(next) => {}
        }
    }
}

/// Clients of one stream: note that it has begun, and forget them when it has ended.
fn guests(host: &Host) {
    for id in host.streams.take_ended() {
        let guest = host.clients.get(&id);
        if guest.is_some_and(|guest| guest.terms.one_time) && host.streams.for_client(&id).is_none()
        {
            forget(host, &id);
        }
    }
    for stream in host.streams.list() {
        let begins = host
            .clients
            .get(&stream.client)
            .is_some_and(|client| client.terms.one_time && !client.terms.used);
        if begins
            && let Err(error) = host
                .clients
                .set_terms(&stream.client, |terms| terms.used = true)
        {
            tracing::warn!(client = %stream.client, %error, "that a guest's stream has begun could not be noted");
        }
    }
}

/// End the streams of those whose date has passed; how long until the next look.
fn dates(host: &Host, now: u64) -> Duration {
    let clients = host.clients.list();
    for client in clients.iter().filter(|client| client.terms.expired(now)) {
        end(host, client);
    }
    clients
        .iter()
        .filter_map(|client| client.terms.expires_at.checked_sub(now))
        .filter(|left| *left > 0)
        .map(Duration::from_secs)
        .min()
        .map_or(LOOK, |next| next.min(LOOK))
}

fn end(host: &Host, client: &ClientRecord) {
    let runs = host.launches.running_app(&client.id) != 0;
    if !runs && host.streams.for_client(&client.id).is_none() {
        return;
    }
    tracing::info!(client = %client.id, name = client.name, "the client's pairing has expired");
    if let Some(leftover) = applications::end(host, &client.id, StopReason::Expired) {
        tokio::spawn(leftover.stop());
    }
}

fn forget(host: &Host, id: &ClientId) {
    if let Some(leftover) = applications::end(host, id, StopReason::Unpaired) {
        tokio::spawn(leftover.stop());
    }
    match host.clients.remove(id) {
        Ok(()) => {
            tracing::info!(client = %id, "the guest's stream has ended; its pairing is forgotten")
        }
        Err(error) => {
            tracing::error!(client = %id, %error, "a guest's pairing could not be forgotten")
        }
    }
}
