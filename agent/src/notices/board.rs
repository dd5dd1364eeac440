//! What is shown now, and how it becomes what should be.
use super::{
    Facts,
    server::{
        ActionInvokedStream, NotificationClosedStream, NotificationRepliedStream,
        NotificationsProxy,
    },
    words,
};
use futures_util::StreamExt;
use punktfunk_dbus::proxies::{PairingProxy, StreamProxy};
use std::{collections::HashMap, time::Duration};
use tokio::time::timeout;
use zbus::{Connection, zvariant::Value};

/// A notification server that takes longer hangs; the agent does not wait for it.
const LIMIT: Duration = Duration::from_secs(5);
const APPLICATION: &str = "Punktfunk";
const ICON: &str = "video-display";
/// Typed into the notification, where the server can.
const REPLY: &str = "inline-reply";
const REJECT: &str = "reject";
const STOP: &str = "stop";

#[derive(Default)]
pub(super) struct Board {
    desk: Option<Desk>,
    /// Of waiting devices, by the pairing's path.
    pairings: HashMap<String, u32>,
    /// That somebody watches, and what it says.
    indicator: Option<(u32, String)>,
    /// Closed by the person: not shown again for the same reason.
    dismissed: bool,
}

/// The server, as long as it answers.
struct Desk {
    server: NotificationsProxy<'static>,
    takes_text: bool,
    actions: ActionInvokedStream,
    replies: NotificationRepliedStream,
    closed: NotificationClosedStream,
}

/// What the person did.
#[derive(Debug)]
pub(super) enum Answer {
    Action(u32, String),
    Text(u32, String),
    Closed(u32),
}

impl Board {
    /// Show what there is, and take back what is over. A desktop without a server is asked again at the next change.
    pub(super) async fn show(&mut self, facts: &Facts) {
        let over: Vec<String> = self
            .pairings
            .keys()
            .filter(|path| !facts.pairings.contains_key(*path))
            .cloned()
            .collect();
        for path in over {
            if let Some(id) = self.pairings.remove(&path) {
                self.close(id).await;
            }
        }
        for (path, (device, _address)) in &facts.pairings {
            if !self.pairings.contains_key(path) {
                self.announce(path, device).await;
            }
        }
        self.indicate(&facts.watchers()).await;
    }

    async fn announce(&mut self, path: &str, device: &str) {
        let Some(desk) = self.desk().await else {
            return;
        };
        let typed = desk.takes_text;
        let number = path.rsplit('/').next().unwrap_or_default();
        let summary = words::wants_to_pair(device);
        let body = words::plain(&words::how_to_pair(number, typed));
        let mut hints = HashMap::from([("urgency", Value::U8(1)), ("category", "device".into())]);
        let mut actions = vec![REJECT, "Reject"];
        if typed {
            actions.extend([REPLY, "Enter PIN"]);
            hints.insert("x-kde-reply-placeholder-text", "PIN".into());
        }
        let told = desk
            .server
            .notify(APPLICATION, 0, ICON, &summary, &body, &actions, hints, 0);
        match timeout(LIMIT, told).await {
            Ok(Ok(id)) => drop(self.pairings.insert(path.to_owned(), id)),
            _ => self.lose(),
        }
    }

    /// A quiet line for as long as anybody watches.
    async fn indicate(&mut self, watchers: &[String]) {
        if watchers.is_empty() {
            self.dismissed = false;
            if let Some((id, _)) = self.indicator.take() {
                self.close(id).await;
            }
            return;
        }
        let summary = words::watching(watchers);
        let shown = self.indicator.as_ref();
        if self.dismissed || shown.is_some_and(|(_, said)| *said == summary) {
            return;
        }
        let replaces = shown.map_or(0, |(id, _)| *id);
        let Some(desk) = self.desk().await else {
            return;
        };
        let hints = HashMap::from([
            ("urgency", Value::U8(0)),
            ("resident", true.into()),
            ("suppress-sound", true.into()),
            ("category", "presence".into()),
        ]);
        let actions = [STOP, "End"];
        let told = desk.server.notify(
            APPLICATION,
            replaces,
            ICON,
            &summary,
            "",
            &actions,
            hints,
            0,
        );
        match timeout(LIMIT, told).await {
            Ok(Ok(id)) => self.indicator = Some((id, summary)),
            _ => self.lose(),
        }
    }

    /// The next thing that the person does with something of ours. Pending while nothing is shown; cancelling loses nothing.
    pub(super) async fn answer(&mut self) -> Option<Answer> {
        let Some(desk) = &mut self.desk else {
            return std::future::pending().await;
        };
        loop {
            let answer = tokio::select! {
                Some(signal) = desk.actions.next() => {
                    let args = signal.args().ok()?;
                    Answer::Action(*args.id(), args.action_key().to_string())
                }
                Some(signal) = desk.replies.next() => {
                    let args = signal.args().ok()?;
                    Answer::Text(*args.id(), args.text().to_string())
                }
                Some(signal) = desk.closed.next() => Answer::Closed(*signal.args().ok()?.id()),
                else => return std::future::pending().await,
            };
            // Everybody's are told to everybody.
            let (Answer::Action(id, _) | Answer::Text(id, _) | Answer::Closed(id)) = &answer;
            let ours = self.pairings.values().any(|shown| shown == id)
                || self
                    .indicator
                    .as_ref()
                    .is_some_and(|(shown, _)| shown == id);
            if ours {
                return Some(answer);
            }
        }
    }

    /// Do what the person wants.
    pub(super) async fn act(&mut self, answer: Answer, facts: &Facts, system: &Connection) {
        match answer {
            Answer::Closed(id) => {
                // A pairing stays in the map: it is not shown twice.
                if self
                    .indicator
                    .as_ref()
                    .is_some_and(|(shown, _)| *shown == id)
                {
                    self.indicator = None;
                    self.dismissed = true;
                }
            }
            Answer::Action(_, action) if action == STOP => {
                for path in facts.streams.keys() {
                    if let Ok(stream) = stream(system, path).await
                        && let Err(error) = stream.stop().await
                    {
                        tracing::info!("the stream could not be ended: {error}");
                    }
                }
            }
            Answer::Action(id, action) if action == REJECT => {
                if let Some(pairing) = self.pairing(id, system).await
                    && let Err(error) = pairing.reject().await
                {
                    tracing::info!("the device could not be sent away: {error}");
                }
            }
            Answer::Action(..) => {}
            Answer::Text(id, pin) => self.pair(id, pin.trim(), system).await,
        }
    }

    /// The device proves that it knows the PIN in its own time: the answer is told when it is there.
    async fn pair(&mut self, id: u32, pin: &str, system: &Connection) {
        let Some(pairing) = self.pairing(id, system).await else {
            return;
        };
        let Some(desk) = self.desk().await else {
            return;
        };
        let server = desk.server.clone();
        let pin = pin.to_owned();
        tokio::spawn(async move {
            // The PIN goes no further than this call.
            let Err(error) = pairing.accept(&pin, HashMap::new()).await else {
                return;
            };
            let why = match &error {
                zbus::Error::MethodError(_, Some(text), _) => text.clone(),
                _ => "the service did not answer".to_owned(),
            };
            let why = words::plain(&why);
            let hints = HashMap::from([("urgency", Value::U8(1)), ("transient", true.into())]);
            let told = server.notify(
                APPLICATION,
                0,
                ICON,
                "The device was not paired",
                &why,
                &[],
                hints,
                -1,
            );
            let _ = timeout(LIMIT, told).await;
        });
    }

    async fn pairing(&self, id: u32, system: &Connection) -> Option<PairingProxy<'static>> {
        let (path, _) = self.pairings.iter().find(|(_, shown)| **shown == id)?;
        let built = PairingProxy::builder(system).path(path.clone()).ok()?;
        built
            .cache_properties(zbus::proxy::CacheProperties::No)
            .build()
            .await
            .ok()
    }

    /// Take everything back.
    pub(super) async fn clear(&mut self) {
        let shown: Vec<u32> = self
            .pairings
            .drain()
            .map(|(_, id)| id)
            .chain(self.indicator.take().map(|(id, _)| id))
            .collect();
        for id in shown {
            self.close(id).await;
        }
    }

    async fn close(&mut self, id: u32) {
        if let Some(desk) = &self.desk
            && timeout(LIMIT, desk.server.close_notification(id))
                .await
                .is_err()
        {
            self.lose();
        }
    }

    /// The server is gone or hangs, and with it what it showed.
    fn lose(&mut self) {
        self.desk = None;
        self.pairings.clear();
        self.indicator = None;
    }

    async fn desk(&mut self) -> Option<&Desk> {
        if self.desk.is_none() {
            self.desk = match timeout(LIMIT, Desk::find()).await {
                Ok(Ok(desk)) => Some(desk),
                Ok(Err(error)) => {
                    tracing::debug!("no notification server: {error}");
                    None
                }
                Err(_) => None,
            };
        }
        self.desk.as_ref()
    }
}

impl Desk {
    async fn find() -> zbus::Result<Self> {
        let session = Connection::session().await?;
        let server = NotificationsProxy::new(&session).await?;
        let takes_text = server
            .get_capabilities()
            .await?
            .iter()
            .any(|can| can == REPLY);
        Ok(Self {
            takes_text,
            actions: server.receive_action_invoked().await?,
            replies: server.receive_notification_replied().await?,
            closed: server.receive_notification_closed().await?,
            server,
        })
    }
}

async fn stream(system: &Connection, path: &str) -> zbus::Result<StreamProxy<'static>> {
    StreamProxy::builder(system)
        .path(path.to_owned())?
        .cache_properties(zbus::proxy::CacheProperties::No)
        .build()
        .await
}
