//! Which logind session this agent offers.

use crate::cli::RunArgs;
use anyhow::{Context, bail};
use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use punktfunk_dbus::session::leader_is_gone;
use std::time::Duration;
use zbus::{
    Connection, MatchRule, MessageStream, fdo,
    zvariant::{ObjectPath, OwnedObjectPath},
};

const LOGIND: &str = "org.freedesktop.login1";
const MANAGER: &str = "org.freedesktop.login1.Manager";
const SESSION: &str = "org.freedesktop.login1.Session";
/// The session of development hosts, where there is no logind.
const DEV_SESSION: &str = "dev";
/// How often logind is asked while the user has no session to show.
const RETRY: Duration = Duration::from_secs(3);

/// The session's id: from the command line, from the environment, else the user's display session, for which this waits
/// as long as it takes (a user's manager may start long before the desktop does).
///
/// # Errors
/// logind is missing and this is not a development host, or it does not answer.
pub async fn find(connection: &Connection, args: &RunArgs) -> anyhow::Result<String> {
    let given = |id: &String| !id.is_empty();
    if let Some(id) = args.session.clone().filter(given) {
        return Ok(id);
    }
    if let Some(id) = std::env::var("XDG_SESSION_ID").ok().filter(given) {
        return Ok(id);
    }
    let mut told = false;
    // watched before it is asked for: no moment is missed
    let mut changes = changes(connection).await;
    loop {
        match display_session(connection).await {
            Ok(Some(id)) => return Ok(id),
            Ok(None) => {
                if !told {
                    tracing::info!("this user has no session yet; waiting for one");
                    told = true;
                }
                tokio::select! {
                    _ = changes.next() => {}
                    () = tokio::time::sleep(RETRY) => {}
                }
            }
            Err(error) if missing(&error) && args.dev => return Ok(DEV_SESSION.to_owned()),
            Err(error) if missing(&error) => bail!(
                "logind does not run on this bus, so there is no session to offer; name one with --session, or use --dev on \
                 a development host"
            ),
            Err(error) => return Err(error).context("logind did not name this user's session"),
        }
    }
}

/// Something about sessions, perhaps other users', is not as it was.
pub struct Change {
    /// This one has ended.
    pub ended: Option<String>,
}

/// Sessions as they come, go and change. Never anything where logind cannot be watched.
pub async fn changes(connection: &Connection) -> BoxStream<'static, Change> {
    match watch(connection).await {
        Ok(changes) => changes,
        Err(error) => {
            tracing::debug!("other sessions will not be noticed: {error}");
            stream::pending().boxed()
        }
    }
}

async fn watch(connection: &Connection) -> zbus::Result<BoxStream<'static, Change>> {
    let uid = nix::unistd::getuid().as_raw();
    let rule = || {
        MatchRule::builder()
            .msg_type(zbus::message::Type::Signal)
            .sender(LOGIND)
    };
    let manager = |member: &'static str| rule()?.interface(MANAGER)?.member(member);
    let ended = manager("SessionRemoved")?.build();
    let begun = manager("SessionNew")?.build();
    // its Display is another one
    let user = rule()?
        .interface("org.freedesktop.DBus.Properties")?
        .path(format!("/org/freedesktop/login1/user/_{uid}"))?
        .build();
    let ended = MessageStream::for_match_rule(ended, connection, None)
        .await?
        .filter_map(|message| async {
            let (id, _path): (String, OwnedObjectPath) = message.ok()?.body().deserialize().ok()?;
            Some(Change { ended: Some(id) })
        });
    let begun = MessageStream::for_match_rule(begun, connection, None).await?;
    let user = MessageStream::for_match_rule(user, connection, None).await?;
    let other = stream::select(begun, user).map(|_| Change { ended: None });
    Ok(stream::select(ended.boxed(), other.boxed()).boxed())
}

/// The session to offer now, if there is one and it was not given to this program.
pub async fn best(connection: &Connection, args: &RunArgs) -> Option<String> {
    if args.session.is_some() || std::env::var_os("XDG_SESSION_ID").is_some() {
        return None;
    }
    display_session(connection).await.ok().flatten()
}

/// logind's idea of the session that shows this user's desktop.
async fn display_session(connection: &Connection) -> zbus::Result<Option<String>> {
    let manager = zbus::Proxy::new(connection, LOGIND, "/org/freedesktop/login1", MANAGER).await?;
    let uid = nix::unistd::getuid().as_raw();
    let user: OwnedObjectPath = match manager.call("GetUser", &(uid,)).await {
        Ok(path) => path,
        Err(error) if named(&error, "org.freedesktop.login1.NoSuchUser") => return Ok(None),
        Err(error) => return Err(error),
    };
    let user = zbus::Proxy::new(
        connection,
        LOGIND,
        ObjectPath::from(user),
        "org.freedesktop.login1.User",
    )
    .await?;
    let (display, _path): (String, OwnedObjectPath) = user.get_property("Display").await?;
    let sessions: Vec<(String, OwnedObjectPath)> = user.get_property("Sessions").await?;
    let mut candidates = Vec::new();
    for (id, path) in sessions {
        // one that is gone since is none
        if let Ok(candidate) = look(connection, id, path).await {
            candidates.push(candidate);
        }
    }
    Ok(choose(candidates, &display))
}

/// One of the user's sessions.
#[derive(Debug, Clone, Default)]
struct Candidate {
    id: String,
    /// Where people log in or work, and not about to end.
    lives: bool,
    graphical: bool,
    /// In front on a seat.
    in_sight: bool,
}

async fn look(
    connection: &Connection,
    id: String,
    path: OwnedObjectPath,
) -> zbus::Result<Candidate> {
    let session = zbus::Proxy::new(connection, LOGIND, path, SESSION).await?;
    let state: String = session.get_property("State").await?;
    let kind: String = session.get_property("Type").await?;
    let class: String = session.get_property("Class").await?;
    let active: bool = session.get_property("Active").await?;
    let (seat, _path): (String, OwnedObjectPath) = session.get_property("Seat").await?;
    let leader: u32 = session.get_property("Leader").await.unwrap_or_default();
    let closes = state == "closing" || leader_is_gone(leader);
    Ok(Candidate {
        id,
        lives: !closes && (class.starts_with("user") || class == "greeter"),
        graphical: matches!(kind.as_str(), "wayland" | "x11" | "mir"),
        in_sight: active && !seat.is_empty(),
    })
}

/// The desktop in front on a seat, else logind's choice, else any desktop. One that is being closed is no desktop any more.
fn choose(candidates: Vec<Candidate>, display: &str) -> Option<String> {
    let rank = |candidate: &Candidate| match candidate {
        Candidate {
            graphical: true,
            in_sight: true,
            ..
        } => Some(0),
        candidate if candidate.id == display => Some(1),
        candidate if candidate.graphical => Some(2),
        _ => None,
    };
    candidates
        .into_iter()
        .filter(|candidate| candidate.lives)
        .filter_map(|candidate| Some((rank(&candidate)?, candidate.id)))
        .min()
        .map(|(_, id)| id)
}

/// Nobody owns logind's name, and nobody can be started for it.
fn missing(error: &zbus::Error) -> bool {
    matches!(error, zbus::Error::FDO(error) if matches!(**error, fdo::Error::ServiceUnknown(_) | fdo::Error::NameHasNoOwner(_)))
        || named(error, "org.freedesktop.DBus.Error.ServiceUnknown")
        || named(error, "org.freedesktop.DBus.Error.NameHasNoOwner")
        || named(error, "org.freedesktop.DBus.Error.Spawn.ServiceNotFound")
        || named(error, "org.freedesktop.systemd1.NoSuchUnit")
}

fn named(error: &zbus::Error, name: &str) -> bool {
    matches!(error, zbus::Error::MethodError(found, _, _) if found.as_str() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_desktop_in_front_is_offered_and_never_one_that_closes() {
        let desktop = |id: &str, in_sight| Candidate {
            id: id.to_owned(),
            lives: true,
            graphical: true,
            in_sight,
        };
        let closing = Candidate {
            lives: false,
            ..desktop("1", true)
        };
        let terminal = Candidate {
            id: "9".to_owned(),
            lives: true,
            ..Candidate::default()
        };
        let chosen = |candidates: &[&Candidate], display: &str| {
            choose(candidates.iter().map(|&one| one.clone()).collect(), display)
        };
        let (headless, seated) = (desktop("2", false), desktop("3", true));
        assert_eq!(chosen(&[&headless, &seated], "2").as_deref(), Some("3"));
        assert_eq!(chosen(&[&closing, &headless], "1").as_deref(), Some("2"));
        assert_eq!(chosen(&[&terminal, &headless], "9").as_deref(), Some("9"));
        assert_eq!(chosen(&[&terminal], "9").as_deref(), Some("9"));
        assert_eq!(chosen(&[&terminal, &closing], "1"), None);
        assert_eq!(chosen(&[], ""), None);
    }
}
