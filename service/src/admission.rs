//! Who may register as an agent, and how the end of one is noticed.
//!
//! The gate is the uid that the bus attests against the session's user as logind knows it; never a process id.
mod bus_source;

use crate::{
    agents::{AdmitError, AgentHandle, AgentInfo, Agents},
    ids::{SessionId, Uid},
    logging::Rarely,
    sessions::{Class, Session, SessionError, SessionWatch, Sessions},
};
use bus_source::BusSource;
use futures_util::StreamExt;
use punktfunk_core::sdp::{Codec, Codecs};
use punktfunk_dbus::open_stream::AgentOffer;
use std::{sync::Arc, time::Duration};
use zbus::{Connection, MessageStream, fdo, names::OwnedUniqueName, zvariant::OwnedObjectPath};

/// Callers decide how often they are refused; the log hears of it at most once in this time.
const LOG_PAUSE: Duration = Duration::from_secs(1);
/// Longest session id, name of a compositor, encoder or codec, in bytes.
const MAX_WORD: usize = 64;
/// Most encoders or codecs in an offer.
const MAX_WORDS: usize = 16;

#[derive(Debug, thiserror::Error)]
pub enum AdmissionError {
    #[error(transparent)]
    Registry(#[from] AdmitError),
    #[error(transparent)]
    Session(#[from] SessionError),
    #[error("session {session} belongs to uid {user}; you are uid {caller}")]
    NotYours {
        session: SessionId,
        user: Uid,
        caller: Uid,
    },
    #[error("session {0} is being closed")]
    Closing(SessionId),
    #[error("session {0} is neither a user's nor a greeter's")]
    NothingToStream(SessionId),
    #[error("the offer is not acceptable: {0}")]
    Offer(&'static str),
    #[error("the caller is gone")]
    CallerGone,
    #[error("the bus: {0}")]
    Bus(#[from] zbus::Error),
}

/// Takes registrations; cheap to clone.
#[derive(Clone)]
pub struct Admission {
    connection: Connection,
    sessions: Sessions,
    agents: Agents,
}

impl Admission {
    pub fn new(connection: Connection, sessions: Sessions, agents: Agents) -> Self {
        Self {
            connection,
            sessions,
            agents,
        }
    }

    /// Take `caller` as the agent of `session`, if the session is its own. From the agent that the session has already
    /// it is a new offer in place of the old one.
    ///
    /// # Errors
    /// Every reason not to.
    pub async fn register(
        &self,
        caller: &OwnedUniqueName,
        path: OwnedObjectPath,
        session: SessionId,
        offer: AgentOffer,
    ) -> Result<AgentHandle, AdmissionError> {
        check_offer(&session, &offer)?;
        // Watch first, look afterwards: a caller that leaves in between is noticed.
        let bus = fdo::DBusProxy::new(&self.connection).await?;
        let leaving = bus
            .receive_name_owner_changed_with_args(&[(0, caller.as_str())])
            .await?;
        let uid = bus
            .get_connection_credentials(caller.as_ref().into())
            .await
            .ok()
            .and_then(|credentials| credentials.unix_user_id())
            .map(Uid)
            .ok_or(AdmissionError::CallerGone)?;
        let (state, watch) = self.sessions.follow(&session).await?;
        check_session(&session, &state, uid)?;
        // It has moved; without the word it serves both.
        let left = offer.replaces.clone().map(SessionId);
        let left = left
            .filter(|left| *left != session)
            .and_then(|left| self.agents.of_session(&left))
            .filter(|handle| handle.is_at(caller.as_str(), path.as_str()));
        if let Some(handle) = self.agents.of_session(&session)
            && handle.is_at(caller.as_str(), path.as_str())
        {
            handle.update(|info| apply(offer, info));
            if let Some(left) = left {
                left.end();
            }
            return Ok(handle);
        }
        let source = BusSource::new(self.connection.clone(), caller.clone(), path);
        let ends = source.application_ends().await?;
        let mut info = AgentInfo {
            session,
            uid,
            seat: state.seat,
            compositor: String::new(),
            encoders: Vec::new(),
            codecs: Vec::new(),
            invalidates_refs: false,
            touch: false,
            hdr: Codecs::NONE,
            hdr_sources: Vec::new(),
            chroma_444: Codecs::NONE,
            hdr_chroma_444: Codecs::NONE,
            active: state.active,
            locked: state.locked,
            greeter: state.class == Class::Greeter,
            version: String::new(),
        };
        apply(offer, &mut info);
        let handle = self.agents.admit(info, Arc::new(source))?;
        tracing::info!(session = %handle.info().session, uid = uid.0, "an agent registered");
        tokio::spawn(follow(handle.clone(), leaving, watch, ends));
        // The new one first: streams find it at once.
        if let Some(left) = left {
            left.end();
        }
        Ok(handle)
    }
}

fn check_offer(session: &SessionId, offer: &AgentOffer) -> Result<(), AdmissionError> {
    let word = |word: &str| word.len() <= MAX_WORD && !word.chars().any(char::is_control);
    if session.0.is_empty() || !word(&session.0) {
        return Err(AdmissionError::Offer("a session id has 1 to 64 bytes"));
    }
    if !word(&offer.version) || !word(&offer.compositor) {
        return Err(AdmissionError::Offer("version or compositor is too long"));
    }
    let none = Vec::new();
    let lists = [
        &offer.encoders,
        &offer.codecs,
        offer.hdr.as_ref().unwrap_or(&none),
        offer.hdr_sources.as_ref().unwrap_or(&none),
        offer.chroma_444.as_ref().unwrap_or(&none),
        offer.hdr_chroma_444.as_ref().unwrap_or(&none),
    ];
    for list in lists {
        if list.len() > MAX_WORDS || !list.iter().all(|entry| word(entry)) {
            return Err(AdmissionError::Offer(
                "too many or too long encoders or codecs",
            ));
        }
    }
    Ok(())
}

/// What an agent says of itself, now or anew.
fn apply(offer: AgentOffer, info: &mut AgentInfo) {
    info.version = offer.version;
    info.compositor = offer.compositor;
    info.encoders = offer.encoders;
    info.codecs = offer.codecs;
    info.invalidates_refs = offer.invalidates_refs.unwrap_or(false);
    info.touch = offer.touch.unwrap_or(false);
    info.hdr = codecs(offer.hdr.as_deref(), &[Codec::Hevc, Codec::Av1]);
    info.hdr_sources = offer.hdr_sources.unwrap_or_default();
    info.chroma_444 = codecs(
        offer.chroma_444.as_deref(),
        &[Codec::H264, Codec::Hevc, Codec::Av1],
    );
    info.hdr_chroma_444 = codecs(offer.hdr_chroma_444.as_deref(), &[Codec::Hevc, Codec::Av1]);
}

/// Those of `known` that are named. Other names are of newer agents.
fn codecs(names: Option<&[String]>, known: &[Codec]) -> Codecs {
    let named = names.unwrap_or_default().iter();
    named
        .filter_map(|name| Codec::from_name(name))
        .filter(|codec| known.contains(codec))
        .collect()
}

fn check_session(id: &SessionId, session: &Session, caller: Uid) -> Result<(), AdmissionError> {
    if session.user != caller {
        static SAID: Rarely = Rarely::new(LOG_PAUSE);
        if SAID.now() {
            tracing::warn!(session = %id, user = session.user.0, caller = caller.0, "refused an agent for another user's session");
        }
        return Err(AdmissionError::NotYours {
            session: id.clone(),
            user: session.user,
            caller,
        });
    }
    if session.class == Class::Other {
        return Err(AdmissionError::NothingToStream(id.clone()));
    }
    if session.closing {
        return Err(AdmissionError::Closing(id.clone()));
    }
    Ok(())
}

/// Keep what is known of the session fresh, and end the registration with the session or with the connection.
async fn follow(
    handle: AgentHandle,
    mut leaving: fdo::NameOwnerChangedStream,
    mut session: SessionWatch,
    mut ends: MessageStream,
) {
    let why = loop {
        tokio::select! {
            () = handle.gone() => break "it was dropped",
            signal = leaving.next() => match signal {
                Some(signal) if signal.args().is_ok_and(|args| args.new_owner().is_some()) => {}
                _ => break "its connection ended",
            },
            Some(message) = ends.next() => {
                if let Some((app, end)) = message.ok().as_ref().and_then(bus_source::application_end) {
                    handle.application_ended(app, end);
                }
            }
            state = session.changed() => match state {
                Some(state) if !state.closing => handle.update(|info| {
                    info.seat = state.seat;
                    info.active = state.active;
                    info.locked = state.locked;
                }),
                _ => break "its session ended",
            },
        }
    };
    tracing::info!(session = %handle.info().session, "an agent is gone: {why}");
    handle.end();
}
