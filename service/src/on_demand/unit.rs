//! The unit of a session on demand, as the system's manager knows it: start, stop, and which there are.
use super::is_persons;
use crate::ids::Uid;
use futures_util::StreamExt;
use std::time::Duration;
use tokio::time::timeout;
use zbus::{Connection, zvariant::OwnedObjectPath};

/// A manager that hangs holds nobody up for longer.
const LIMIT: Duration = Duration::from_secs(5);
/// What a session says of its failure, as far as it is told on.
const STATUS_CHARS: usize = 200;

#[zbus::proxy(
    interface = "org.freedesktop.systemd1.Manager",
    default_service = "org.freedesktop.systemd1",
    default_path = "/org/freedesktop/systemd1",
    gen_blocking = false
)]
trait Manager {
    fn subscribe(&self) -> zbus::Result<()>;
    fn start_unit(&self, name: &str, mode: &str) -> zbus::Result<OwnedObjectPath>;
    fn stop_unit(&self, name: &str, mode: &str) -> zbus::Result<OwnedObjectPath>;
    fn get_unit(&self, name: &str) -> zbus::Result<OwnedObjectPath>;
    fn list_units_by_patterns(
        &self,
        states: &[&str],
        patterns: &[&str],
    ) -> zbus::Result<
        Vec<(
            String,
            String,
            String,
            String,
            String,
            String,
            OwnedObjectPath,
            u32,
            String,
            OwnedObjectPath,
        )>,
    >;
    #[zbus(signal)]
    fn job_removed(
        &self,
        id: u32,
        job: OwnedObjectPath,
        unit: String,
        result: String,
    ) -> zbus::Result<()>;
}

fn name(uid: Uid) -> String {
    format!("punktfunk-session@{}.service", uid.0)
}

#[zbus::proxy(
    interface = "org.freedesktop.systemd1.Service",
    default_service = "org.freedesktop.systemd1",
    gen_blocking = false
)]
trait Service {
    #[zbus(property)]
    fn status_text(&self) -> zbus::Result<String>;
}

async fn manager(connection: &Connection) -> zbus::Result<ManagerProxy<'static>> {
    ManagerProxy::builder(connection)
        .cache_properties(zbus::proxy::CacheProperties::No)
        .build()
        .await
}

/// Answered when the unit is ready.
///
/// # Errors
/// The manager's words, or how the start went wrong.
pub(super) async fn start(connection: &Connection, uid: Uid) -> Result<(), String> {
    let text = |error: zbus::Error| match error {
        zbus::Error::MethodError(name, text, _) => text.unwrap_or_else(|| name.to_string()),
        other => other.to_string(),
    };
    let manager = manager(connection).await.map_err(text)?;
    // Without it the manager tells of no jobs. Twice is once.
    let _ = manager.subscribe().await;
    // Before it is asked for: no moment is missed.
    let mut jobs = manager.receive_job_removed().await.map_err(text)?;
    let job = manager
        .start_unit(&name(uid), "replace")
        .await
        .map_err(text)?;
    while let Some(signal) = jobs.next().await {
        let Ok(ended) = signal.args() else { continue };
        if ended.job != job {
            continue;
        }
        return match ended.result.as_str() {
            "done" => Ok(()),
            "assert" => Err(
                "log-ins are held back on this machine (/run/nologin, /etc/nologin), or the account was just disabled".into(),
            ),
            result => {
                let said = timeout(LIMIT, status(connection, &manager, uid)).await;
                let said = said.ok().and_then(Result::ok);
                let said = said.unwrap_or_else(|| format!("its unit ended with \"{result}\""));
                Err(format!("{said} (journalctl -t punktfunk-session)"))
            }
        };
    }
    Err("the message bus went away".into())
}

/// What the session's main process has said last: its own user's text, told to its own user's client.
async fn status(
    connection: &Connection,
    manager: &ManagerProxy<'_>,
    uid: Uid,
) -> zbus::Result<String> {
    let service = ServiceProxy::builder(connection)
        .path(manager.get_unit(&name(uid)).await?)?
        .cache_properties(zbus::proxy::CacheProperties::No)
        .build()
        .await?;
    let text = service.status_text().await?;
    let printable = text.chars().filter(|letter| !letter.is_control());
    match printable.take(STATUS_CHARS).collect::<String>() {
        text if text.is_empty() => Err(zbus::Error::Failure("it has said nothing".into())),
        text => Ok(text),
    }
}

/// Whether no session of this account is just being started or ended. Without an answer it counts as settled.
pub(super) async fn is_settled(connection: &Connection, uid: Uid) -> bool {
    let name = name(uid);
    let moving = units(connection, &["activating", "deactivating"], &name);
    match timeout(LIMIT, moving).await {
        Ok(Ok(moving)) => moving.is_empty(),
        _ => true,
    }
}

/// Whether this account's session on demand runs. Without an answer it does not.
pub(super) async fn is_active(connection: &Connection, uid: Uid) -> bool {
    let name = name(uid);
    let active = units(connection, &["active"], &name);
    matches!(timeout(LIMIT, active).await, Ok(Ok(active)) if !active.is_empty())
}

/// # Errors
/// Why it goes on, in the manager's words, or that there is no answer.
pub(super) async fn stop(connection: &Connection, uid: Uid) -> zbus::Result<()> {
    let stopped = async {
        manager(connection)
            .await?
            .stop_unit(&name(uid), "replace")
            .await
            .map(drop)
    };
    in_time(stopped).await
}

/// The accounts whose sessions on demand run.
///
/// # Errors
/// The manager's words, or that there is no answer.
pub(super) async fn running(connection: &Connection) -> zbus::Result<Vec<Uid>> {
    in_time(units(
        connection,
        &["active", "activating"],
        "punktfunk-session@*.service",
    ))
    .await
}

async fn in_time<T>(asked: impl Future<Output = zbus::Result<T>>) -> zbus::Result<T> {
    let late = || zbus::Error::Failure("the manager does not answer".into());
    timeout(LIMIT, asked).await.unwrap_or_else(|_| Err(late()))
}

/// The accounts with such a unit in one of these states.
async fn units(connection: &Connection, states: &[&str], pattern: &str) -> zbus::Result<Vec<Uid>> {
    let units = manager(connection)
        .await?
        .list_units_by_patterns(states, &[pattern])
        .await?;
    let uid = |unit: &str| {
        let digits = unit
            .strip_prefix("punktfunk-session@")?
            .strip_suffix(".service")?;
        digits.parse().ok().map(Uid).filter(|uid| is_persons(*uid))
    };
    Ok(units.iter().filter_map(|unit| uid(&unit.0)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_peoples_accounts_have_a_unit() {
        assert_eq!(name(Uid(1000)), "punktfunk-session@1000.service");
        for uid in [0, 1, 999, 60_514, 65_534, 65_535, u32::MAX] {
            assert!(!is_persons(Uid(uid)), "{uid}");
        }
        assert!(is_persons(Uid(1000)) && is_persons(Uid(60_001)));
    }
}
