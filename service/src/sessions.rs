//! What logind knows of sessions: whose they are, and what becomes of them.
//!
//! Decides nothing. In development mode there is no logind: every session id is one of our own user's.
use crate::ids::{SessionId, Uid};
use futures_util::StreamExt;
use punktfunk_dbus::session::leader_is_gone;
use std::collections::HashMap;
use zbus::{
    Connection, fdo,
    names::InterfaceName,
    zvariant::{ObjectPath, OwnedObjectPath, OwnedValue},
};

const LOGIND: &str = "org.freedesktop.login1";
const SESSION_INTERFACE: InterfaceName<'static> =
    InterfaceName::from_static_str_unchecked("org.freedesktop.login1.Session");
/// logind answers from memory; longer means that it hangs.
const LIMIT: std::time::Duration = std::time::Duration::from_secs(5);

#[zbus::proxy(
    interface = "org.freedesktop.login1.Manager",
    default_service = "org.freedesktop.login1",
    default_path = "/org/freedesktop/login1"
)]
trait LoginManager {
    fn get_session(&self, session_id: &str) -> zbus::Result<OwnedObjectPath>;
    fn get_user(&self, uid: u32) -> zbus::Result<OwnedObjectPath>;
    #[zbus(signal)]
    fn session_removed(&self, session_id: String, path: ObjectPath<'_>) -> zbus::Result<()>;
}

#[zbus::proxy(
    interface = "org.freedesktop.login1.User",
    default_service = "org.freedesktop.login1"
)]
trait LoginUser {
    #[zbus(property)]
    fn sessions(&self) -> zbus::Result<Vec<(String, OwnedObjectPath)>>;
}

/// How often a question that failed is asked, and how soon again: logind may just be starting anew.
const TRIES: u32 = 3;
const TRY_AGAIN: std::time::Duration = std::time::Duration::from_millis(300);

/// This user's sessions that show a desktop, or could (somebody sits there), and are not about to end: one whose first process is gone is,
/// for as long as PAM takes to close it. One from afar without either is no desktop.
///
/// # Errors
/// No logind, or one that does not answer.
pub async fn desktops(connection: &Connection, user: Uid) -> Result<Vec<SessionId>, SessionError> {
    let mut left = TRIES;
    loop {
        left = left.saturating_sub(1);
        let asked = tokio::time::timeout(LIMIT, look_for_desktops(connection, user)).await;
        let error = match asked {
            Ok(Ok(there)) => return Ok(there),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".into(),
        };
        if left == 0 {
            return Err(SessionError::Unavailable(error));
        }
        tokio::time::sleep(TRY_AGAIN).await;
    }
}

async fn look_for_desktops(connection: &Connection, user: Uid) -> zbus::Result<Vec<SessionId>> {
    let manager = LoginManagerProxy::builder(connection)
        .cache_properties(zbus::proxy::CacheProperties::No)
        .build()
        .await?;
    let path = match manager.get_user(user.0).await {
        Ok(path) => path,
        Err(zbus::Error::MethodError(name, ..))
            if name.as_str() == "org.freedesktop.login1.NoSuchUser" =>
        {
            return Ok(Vec::new());
        }
        Err(error) => return Err(error),
    };
    let user = LoginUserProxy::builder(connection)
        .path(path)?
        .cache_properties(zbus::proxy::CacheProperties::No)
        .build()
        .await?;
    let mut desktops = Vec::new();
    for (id, path) in user.sessions().await? {
        let all = properties(connection, &path)
            .await?
            .get_all(SESSION_INTERFACE)
            .await;
        // One that is gone since is none.
        let Ok(mut all) = all else { continue };
        let leader: Option<u32> = take(&mut all, "Leader");
        if leader.is_some_and(leader_is_gone) {
            continue;
        }
        let kind: Option<String> = take(&mut all, "Type");
        let graphical = matches!(kind.as_deref(), Some("wayland" | "x11" | "mir"));
        let shown = parse(all).is_some_and(|session| {
            let desktop = graphical || !session.seat.is_empty();
            desktop && session.class == Class::User && !session.closing
        });
        if shown {
            desktops.push(SessionId(id));
        }
    }
    Ok(desktops)
}

/// One logind session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    pub user: Uid,
    pub class: Class,
    /// Being torn down: nothing new begins in it.
    pub closing: bool,
    /// Empty for a headless session.
    pub seat: String,
    /// In front on its seat. logind says the same of sessions without a seat as long as they live.
    pub active: bool,
    pub locked: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    User,
    Greeter,
    /// Background jobs, the lock screen, user managers: nothing to stream.
    Other,
}

#[derive(Debug, Clone, thiserror::Error)]
pub enum SessionError {
    #[error("there is no session {0}")]
    Unknown(SessionId),
    #[error("logind (org.freedesktop.login1) did not answer: {0}")]
    Unavailable(String),
}

/// Where sessions are looked up; cheap to clone.
#[derive(Debug, Clone)]
pub enum Sessions {
    Logind(Connection),
    /// Every id is a session of this user.
    Development(Uid),
}

/// Follows one session; made before it is first looked at, so that nothing is missed.
pub struct SessionWatch {
    id: SessionId,
    sessions: Sessions,
    signals: Option<Signals>,
}

struct Signals {
    path: OwnedObjectPath,
    removed: SessionRemovedStream,
    changed: fdo::PropertiesChangedStream,
}

impl Sessions {
    /// Look at a session and follow it from now on.
    ///
    /// # Errors
    /// Unknown session, or no logind.
    pub async fn follow(&self, id: &SessionId) -> Result<(Session, SessionWatch), SessionError> {
        let mut watch = SessionWatch {
            id: id.clone(),
            sessions: self.clone(),
            signals: None,
        };
        match self {
            Self::Development(user) => Ok((development(*user), watch)),
            Self::Logind(connection) => {
                let signals = within(subscribe(connection, id), id).await?;
                let session = within(read(connection, &signals.path), id).await?;
                watch.signals = Some(signals);
                Ok((session, watch))
            }
        }
    }
}

impl SessionWatch {
    /// The session as it is after the next change; None once it is gone or logind is.
    pub async fn changed(&mut self) -> Option<Session> {
        let Some(signals) = &mut self.signals else {
            return std::future::pending().await;
        };
        loop {
            tokio::select! {
                removed = signals.removed.next() => {
                    let removed = removed?;
                    if removed.args().is_ok_and(|args| args.session_id == self.id.0) {
                        return None;
                    }
                }
                changed = signals.changed.next() => {
                    changed?;
                    let Sessions::Logind(connection) = &self.sessions else { return None };
                    match within(read(connection, &signals.path), &self.id).await {
                        Ok(session) => return Some(session),
                        Err(SessionError::Unknown(_)) => return None,
                        Err(error) => tracing::warn!(session = %self.id, %error, "cannot look at a session that changed"),
                    }
                }
            }
        }
    }
}

fn development(user: Uid) -> Session {
    Session {
        user,
        class: Class::User,
        closing: false,
        seat: String::new(),
        active: true,
        locked: false,
    }
}

async fn within<T>(
    asked: impl Future<Output = zbus::Result<T>>,
    id: &SessionId,
) -> Result<T, SessionError> {
    match tokio::time::timeout(LIMIT, asked).await {
        Err(_) => Err(SessionError::Unavailable("no answer in time".into())),
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(if is_unknown(&error) {
            SessionError::Unknown(id.clone())
        } else {
            SessionError::Unavailable(error.to_string())
        }),
    }
}

fn is_unknown(error: &zbus::Error) -> bool {
    let name = match error {
        zbus::Error::MethodError(name, ..) => name.to_string(),
        zbus::Error::FDO(error) => zbus::DBusError::name(error.as_ref()).to_string(),
        _ => return false,
    };
    matches!(
        name.as_str(),
        "org.freedesktop.login1.NoSuchSession"
            | "org.freedesktop.DBus.Error.UnknownObject"
            | "org.freedesktop.DBus.Error.UnknownMethod"
    )
}

async fn subscribe(connection: &Connection, id: &SessionId) -> zbus::Result<Signals> {
    let manager = LoginManagerProxy::builder(connection)
        .cache_properties(zbus::proxy::CacheProperties::No)
        .build()
        .await?;
    let removed = manager.receive_session_removed().await?;
    let path = manager.get_session(&id.0).await?;
    let changed = properties(connection, &path)
        .await?
        .receive_properties_changed()
        .await?;
    Ok(Signals {
        path,
        removed,
        changed,
    })
}

async fn properties<'a>(
    connection: &Connection,
    path: &'a OwnedObjectPath,
) -> zbus::Result<fdo::PropertiesProxy<'a>> {
    fdo::PropertiesProxy::builder(connection)
        .destination(LOGIND)?
        .path(path)?
        .build()
        .await
}

async fn read(connection: &Connection, path: &OwnedObjectPath) -> zbus::Result<Session> {
    let all = properties(connection, path)
        .await?
        .get_all(SESSION_INTERFACE)
        .await?;
    parse(all).ok_or_else(|| {
        zbus::Error::Failure("logind describes the session in an unknown way".into())
    })
}

fn parse(mut all: HashMap<String, OwnedValue>) -> Option<Session> {
    let (user, _): (u32, OwnedObjectPath) = take(&mut all, "User")?;
    let (seat, _): (String, OwnedObjectPath) = take(&mut all, "Seat")?;
    let class: String = take(&mut all, "Class")?;
    let state: String = take(&mut all, "State")?;
    Some(Session {
        user: Uid(user),
        class: match class.as_str() {
            // "user-early" and "user-light" (newer systemd) are users' as well.
            "user" | "user-early" | "user-light" => Class::User,
            "greeter" => Class::Greeter,
            _ => Class::Other,
        },
        closing: state == "closing",
        seat,
        active: take(&mut all, "Active")?,
        locked: take(&mut all, "LockedHint").unwrap_or(false),
    })
}

fn take<T: TryFrom<OwnedValue>>(all: &mut HashMap<String, OwnedValue>, name: &str) -> Option<T> {
    all.remove(name)?.try_into().ok()
}
