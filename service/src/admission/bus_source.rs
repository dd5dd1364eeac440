//! An agent on the far side of the bus: calls to it, and what it tells. Sizes are judged before anything is taken apart.
use crate::agents::{AgentError, ApplicationEnd, Asked, Opening, StreamSource};
use punktfunk_dbus::{
    applications::{ApplicationEntry, MAX_APPLICATIONS, MAX_LIST, MAX_PICTURE, MAX_REASON},
    names::AGENT_INTERFACE,
    open_stream::OpenStream,
    proxies::Agent1Proxy,
};
use serde::{Serialize, de::DeserializeOwned};
use std::os::fd::OwnedFd;
use zbus::{
    Connection, MatchRule, Message, MessageStream, message,
    names::OwnedUniqueName,
    zvariant::{DynamicType, Fd, OwnedObjectPath, Type},
};

/// What an answer may be longer than what is in it.
const FRAMING: usize = 64;
/// Ends that wait to be read; the bus waits beyond that.
const MAX_WAITING: usize = 64;

pub(super) struct BusSource {
    connection: Connection,
    name: OwnedUniqueName,
    path: OwnedObjectPath,
}

impl BusSource {
    pub(super) fn new(
        connection: Connection,
        name: OwnedUniqueName,
        path: OwnedObjectPath,
    ) -> Self {
        Self {
            connection,
            name,
            path,
        }
    }

    /// Every `ApplicationEnded` of this agent from now on.
    pub(super) async fn application_ends(&self) -> zbus::Result<MessageStream> {
        let rule = MatchRule::builder()
            .msg_type(message::Type::Signal)
            .sender(self.name.clone())?
            .interface(AGENT_INTERFACE)?
            .member("ApplicationEnded")?
            .build();
        MessageStream::for_match_rule(rule, &self.connection, Some(MAX_WAITING)).await
    }

    /// Call a method whose answer has at most `limit` bytes.
    async fn ask<B, T>(&self, method: &str, body: &B, limit: usize) -> Result<T, AgentError>
    where
        B: Serialize + DynamicType + Sync,
        T: DeserializeOwned + Type,
    {
        let answer = self
            .connection
            .call_method(
                Some(&self.name),
                &self.path,
                Some(AGENT_INTERFACE),
                method,
                body,
            )
            .await
            .map_err(refused)?;
        let body = answer.body();
        if body.len() > limit.saturating_add(FRAMING) {
            return Err(AgentError::Refused(format!(
                "its answer to {method} has {} bytes",
                body.len()
            )));
        }
        body.deserialize().map_err(refused)
    }
}

impl StreamSource for BusSource {
    fn is_at(&self, name: &str, path: &str) -> bool {
        self.name.as_str() == name && self.path.as_str() == path
    }

    fn open_stream(&self, options: OpenStream, ring: OwnedFd, channel: OwnedFd) -> Opening<'_> {
        Box::pin(async move {
            let proxy = Agent1Proxy::builder(&self.connection)
                .destination(&self.name)
                .and_then(|builder| builder.path(&self.path))
                .map_err(refused)?
                .cache_properties(zbus::proxy::CacheProperties::No)
                .build()
                .await
                .map_err(refused)?;
            proxy
                .open_stream(options, Fd::from(ring), Fd::from(channel))
                .await
                .map_err(refused)
        })
    }

    fn applications(&self) -> Asked<'_, Vec<ApplicationEntry>> {
        Box::pin(self.ask("ListApplications", &(), MAX_LIST))
    }

    fn application_picture(&self, app: u32) -> Asked<'_, Vec<u8>> {
        Box::pin(async move { self.ask("ApplicationPicture", &app, MAX_PICTURE).await })
    }

    fn running_applications(&self) -> Asked<'_, Vec<u32>> {
        let limit = MAX_APPLICATIONS.saturating_mul(size_of::<u32>());
        Box::pin(self.ask("RunningApplications", &(), limit))
    }

    fn stop_application(&self, app: u32) -> Asked<'_, ()> {
        Box::pin(async move { self.ask("StopApplication", &app, 0).await })
    }
}

/// What an `ApplicationEnded` says; `None` where it is none.
pub(super) fn application_end(message: &Message) -> Option<(u32, ApplicationEnd)> {
    let body = message.body();
    if body.len() > MAX_REASON.saturating_add(FRAMING) {
        return None;
    }
    let (app, status, reason): (u32, i32, String) = body.deserialize().ok()?;
    let reason = presentable(&reason);
    Some((app, ApplicationEnd { status, reason }))
}

/// The agent's own words, bounded: they go to the log and to the bus.
fn refused(error: zbus::Error) -> AgentError {
    match error {
        zbus::Error::MethodError(name, text, _) => {
            let text = text.unwrap_or_else(|| name.to_string());
            AgentError::Refused(presentable(&text))
        }
        other => AgentError::Refused(other.to_string()),
    }
}

fn presentable(text: &str) -> String {
    text.chars()
        .filter(|character| !character.is_control())
        .take(256)
        .collect()
}
