//! Who may follow whom: which session a stream shows next. Decided from what the registry knows, and nothing is done here.
//!
//! A stream shows sessions of its client's owner, and log-in screens if the client may watch those: never anybody else's.
//! From a log-in screen it goes to the owner's session as soon as there is one, from a session out of sight to one that
//! comes to the front of a seat. Otherwise it stays for as long as what it shows lives. An application lives in its own
//! session alone.
use crate::{
    agents::{AgentHandle, AgentInfo, Agents},
    store::ClientRecord,
};
use punktfunk_core::sdp::StreamParams;
use punktfunk_dbus::applications::DESKTOP;

/// What a stream should do.
#[derive(Debug, PartialEq)]
pub(super) enum Next {
    Stay,
    Go(AgentHandle),
    /// There is a session, but it cannot go on with what was announced to the client.
    Unfit(String),
}

/// Where to go from `shown`; `held`: nothing comes from there any more.
pub(super) fn next(
    agents: &Agents,
    client: &ClientRecord,
    app: u32,
    params: &StreamParams,
    shown: &AgentInfo,
    held: bool,
) -> Next {
    let candidate = if app == DESKTOP {
        agents.for_client(client)
    } else {
        let same = agents.of_session(&shown.session);
        same.filter(|agent| agent.info().uid == client.owner)
    };
    let Some(candidate) = candidate else {
        return Next::Stay;
    };
    let info = candidate.info();
    let better = shown.greeter && !info.greeter || !in_sight(shown) && in_sight(&info);
    if !held && (info.session == shown.session || !better) {
        return Next::Stay;
    }
    match fits(params, &info) {
        Ok(()) => Next::Go(candidate),
        // What is shown is good enough, unless it is about to close.
        Err(_) if !held && !shown.greeter => Next::Stay,
        Err(why) => Next::Unfit(why),
    }
}

/// In front on a seat.
fn in_sight(info: &AgentInfo) -> bool {
    info.active && !info.seat.is_empty()
}

/// Whether this agent makes what the client was told to expect.
fn fits(params: &StreamParams, info: &AgentInfo) -> Result<(), String> {
    let (codec, session) = (params.codec, &info.session);
    let name = codec.name();
    if !info.codecs.iter().any(|known| known == name) {
        return Err(format!(
            "the agent of session {session} does not make {name}"
        ));
    }
    if params.hdr && !info.hdr.has(codec) {
        return Err(format!(
            "the agent of session {session} does not make {name} with 10 bits"
        ));
    }
    if params.chroma_444 && !info.chroma_444.has(codec) {
        return Err(format!(
            "the agent of session {session} does not make {name} with 4:4:4 chroma"
        ));
    }
    if params.hdr && params.chroma_444 && !info.hdr_chroma_444.has(codec) {
        return Err(format!(
            "the agent of session {session} does not make {name} with 10 bits and 4:4:4 chroma at once"
        ));
    }
    Ok(())
}
