//! Which logind session this agent offers.

use crate::cli::RunArgs;
use anyhow::{Context, bail};
use futures_util::{
    Stream, StreamExt,
    stream::{self, BoxStream},
};
use std::time::Duration;
use zbus::{
    Connection, MatchRule, MessageStream, fdo,
    zvariant::{ObjectPath, OwnedObjectPath},
};

const LOGIND: &str = "org.freedesktop.login1";
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
    loop {
        match display_session(connection).await {
            Ok(Some(id)) => return Ok(id),
            Ok(None) => {
                if !told {
                    tracing::info!("this user has no session yet; waiting for one");
                    told = true;
                }
                tokio::time::sleep(RETRY).await;
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

/// The ids of sessions as they end. Never anything where logind cannot be watched.
pub async fn removals(connection: &Connection) -> BoxStream<'static, String> {
    match watch_removals(connection).await {
        Ok(removals) => removals.boxed(),
        Err(error) => {
            tracing::debug!("the end of the session will not be noticed: {error}");
            stream::pending().boxed()
        }
    }
}

async fn watch_removals(
    connection: &Connection,
) -> zbus::Result<impl Stream<Item = String> + Send + 'static> {
    let rule = MatchRule::builder()
        .msg_type(zbus::message::Type::Signal)
        .sender(LOGIND)?
        .interface("org.freedesktop.login1.Manager")?
        .member("SessionRemoved")?
        .build();
    let messages = MessageStream::for_match_rule(rule, connection, None).await?;
    Ok(messages.filter_map(|message| async {
        let (id, _path): (String, OwnedObjectPath) = message.ok()?.body().deserialize().ok()?;
        Some(id)
    }))
}

/// logind's idea of the session that shows this user's desktop.
async fn display_session(connection: &Connection) -> zbus::Result<Option<String>> {
    let manager = zbus::Proxy::new(
        connection,
        LOGIND,
        "/org/freedesktop/login1",
        "org.freedesktop.login1.Manager",
    )
    .await?;
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
    let (id, _path): (String, OwnedObjectPath) = user.get_property("Display").await?;
    Ok((!id.is_empty()).then_some(id))
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
