//! `/pair` and `/unpair`: the network's side of pairing. The rules are core's, the people are [`crate::pairings`]'.
#[cfg(test)]
mod tests;

use super::{Caller, query::Query, xml::Xml};
use crate::{
    host::Host,
    pairings::{AttemptKey, Device, Refusal},
    stream::StopReason,
};
use punktfunk_core::pairing::{HostIdentity, HostPairing, PairingError, Secrets};
use ring::rand::{SecureRandom, SystemRandom};

/// Longest `uniqueid` taken; clients send 16 digits.
const MAX_UNIQUE_ID: usize = 64;

/// Stages 1 to 4, told apart by the parameter that each brings.
pub(super) async fn stage(host: &Host, caller: &Caller, query: &Query) -> Xml {
    let Some(key) = attempt_key(caller, query) else {
        return Xml::error(400, "uniqueid is missing or too long");
    };
    let result = if query.has("phrase", "getservercert") {
        first(host, key, query).await
    } else if let Some(challenge) = query.get("clientchallenge") {
        host.pairings
            .advance(&key, |machine| machine.challenge(challenge))
            .map(|answer| {
                Xml::ok()
                    .element("paired", 1)
                    .element("challengeresponse", answer)
            })
    } else if let Some(response) = query.get("serverchallengeresp") {
        let sign = |message: &[u8]| host.identity.sign(message).ok();
        host.pairings
            .advance(&key, |machine| machine.response(response, sign))
            .map(|answer| {
                Xml::ok()
                    .element("paired", 1)
                    .element("pairingsecret", answer)
            })
    } else if let Some(secret) = query.get("clientpairingsecret") {
        fourth(host, &key, secret)
    } else {
        return Xml::error(400, "This is no stage of pairing over HTTP");
    };
    result.unwrap_or_else(|refusal| refused(&refusal))
}

/// Stage 5, over HTTPS: the caller was found in the client store, which is the whole point.
pub(super) fn challenge(query: &Query) -> Xml {
    if query.has("phrase", "pairchallenge") {
        Xml::ok().element("paired", 1)
    } else {
        Xml::error(400, "This is no stage of pairing over HTTPS")
    }
}

/// A client gives up its attempt. Paired clients are removed on the host only: anybody can send this.
pub(super) fn unpair(host: &Host, caller: &Caller, query: &Query) -> Xml {
    if let Some(key) = attempt_key(caller, query) {
        host.pairings.abort(&key);
    }
    Xml::ok()
}

async fn first(host: &Host, key: AttemptKey, query: &Query) -> Result<Xml, Refusal> {
    let salt = query.get("salt").unwrap_or_default();
    let certificate = query.get("clientcert").unwrap_or_default();
    // Checked before a person is troubled.
    let parsed = HostPairing::client_certificate(certificate).map_err(Refusal::Protocol)?;
    let device = Device::of(&parsed);
    let name = query.get("devicename").unwrap_or_default();
    let approval = host
        .pairings
        .await_decision(key.clone(), device, name)
        .await?;
    let identity = HostIdentity::new(&host.identity.certificate_pem).map_err(Refusal::Protocol)?;
    let secrets = fresh_secrets().ok_or(Refusal::Protocol(PairingError::HostKey))?;
    let (machine, plaincert) =
        HostPairing::begin(identity, salt, certificate, &approval.pin, secrets)
            .map_err(Refusal::Protocol)?;
    host.pairings.begin(key, machine, approval).await;
    Ok(Xml::ok()
        .element("paired", 1)
        .element("plaincert", plaincert))
}

fn fourth(host: &Host, key: &AttemptKey, secret: &str) -> Result<Xml, Refusal> {
    host.pairings
        .finish(key, secret, |name, certificate, owner, terms| {
            let before = host.clients.by_certificate(certificate.der());
            let client = host.clients.add_on(name, certificate.der(), owner, terms)?;
            if before.is_some_and(|before| before.owner != owner) {
                // What it watches belongs to another account.
                host.launches.cancel(&client.id);
                host.streams
                    .stop_client(&client.id, StopReason::Administrator);
            }
            Ok(client.id)
        })?;
    Ok(Xml::ok().element("paired", 1))
}

/// Clients show `status_message`; those that only look at `paired` find 0 there.
fn refused(refusal: &Refusal) -> Xml {
    let status = match refusal {
        Refusal::WindowClosed | Refusal::Rejected => 403,
        Refusal::TooManyWaiting | Refusal::Penalty(_) => 429,
        Refusal::Expired => 408,
        Refusal::NotUnderway | Refusal::Protocol(_) => 400,
        Refusal::Store => 500,
    };
    Xml::error(status, refusal.to_string()).element("paired", 0)
}

fn attempt_key(caller: &Caller, query: &Query) -> Option<AttemptKey> {
    let unique_id = query
        .get("uniqueid")
        .filter(|id| !id.is_empty() && id.len() <= MAX_UNIQUE_ID)?;
    Some(AttemptKey {
        unique_id: unique_id.to_owned(),
        address: caller.peer.ip(),
    })
}

fn fresh_secrets() -> Option<Secrets> {
    let random = SystemRandom::new();
    let mut secrets = Secrets {
        secret: [0; 16],
        challenge: [0; 16],
    };
    random.fill(&mut secrets.secret).ok()?;
    random.fill(&mut secrets.challenge).ok()?;
    Some(secrets)
}
