//! Signals: what changed is told, one by one, to the listeners who may see it.
use super::{
    Context,
    object::{LIVE, Object, Properties},
    properties::Sight,
};
use crate::authority::{Audience, Caller};
use punktfunk_dbus::names::ROOT_PATH;
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};
use tokio::sync::{mpsc, oneshot, watch};
use zbus::zvariant::{OwnedObjectPath, OwnedValue};

const MANAGER: &str = "org.freedesktop.DBus.ObjectManager";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

/// How soon the end of a pairing window is told.
const WINDOW_GRAIN: Duration = Duration::from_secs(1);
/// How often the live figures of streams are told.
const LIVE_PAUSE: Duration = Duration::from_secs(1);

/// Asks the announcing task for a round now.
pub(super) struct Announcer(mpsc::Sender<oneshot::Sender<()>>);

/// Requests for a round.
pub(super) type Wanted = mpsc::Receiver<oneshot::Sender<()>>;

impl Announcer {
    pub(super) fn new() -> (Self, Wanted) {
        let (sender, receiver) = mpsc::channel(16);
        (Self(sender), receiver)
    }

    /// Everything that changed before this call has been signalled when it returns.
    pub(super) async fn flush(&self) {
        let (done, waiting) = oneshot::channel();
        if self.0.send(done).await.is_ok() {
            // An error means that the task is gone, and the service with it.
            let _ = waiting.await;
        }
    }
}

/// An object as it was last announced.
struct Shown {
    interface: &'static str,
    audience: Audience,
    properties: Properties,
}

type State = HashMap<OwnedObjectPath, Shown>;

/// Owns what was last announced; runs until the service ends.
pub(super) async fn run(context: Arc<Context>, mut wanted: Wanted) {
    let host = &context.host;
    let mut sources = [
        host.pairings.changes(),
        host.clients.changes(),
        host.agents.changes(),
        host.streams.changes(),
        host.settings.changes(),
    ];
    let mut figures = tokio::time::interval(LIVE_PAUSE);
    figures.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut shown = look(&context);
    loop {
        let waiting = tokio::select! {
            () = any_changed(&mut sources) => None,
            // A window that runs out changes by the clock alone.
            () = tokio::time::sleep(WINDOW_GRAIN), if host.pairings.window_open() => None,
            _ = figures.tick(), if !host.streams.list().is_empty() => {
                tell_figures(&context, &mut shown).await;
                None
            }
            waiting = wanted.recv() => match waiting {
                Some(waiting) => Some(waiting),
                None => return,
            },
        };
        for source in &mut sources {
            source.mark_unchanged();
        }
        let mut now = look(&context);
        keep_figures(&shown, &mut now);
        announce(&context, &shown, &now).await;
        shown = now;
        if let Some(waiting) = waiting {
            let _ = waiting.send(());
        }
    }
}

async fn any_changed(sources: &mut [watch::Receiver<u64>; 5]) {
    let [pairings, clients, agents, streams, settings] = sources;
    // A source that ended will not change any more.
    async fn changed(source: &mut watch::Receiver<u64>) {
        if source.changed().await.is_err() {
            std::future::pending().await
        }
    }
    tokio::select! {
        () = changed(pairings) => {}
        () = changed(clients) => {}
        () = changed(agents) => {}
        () = changed(streams) => {}
        () = changed(settings) => {}
    }
}

fn look(context: &Context) -> State {
    let host = &context.host;
    Object::all(host)
        .into_iter()
        .chain([Object::Host])
        .map(|object| {
            let properties = object.properties(host);
            let shown = Shown {
                interface: object.interface(),
                audience: object.audience(),
                properties,
            };
            (object.path(), shown)
        })
        .collect()
}

/// Between two rounds for them, live figures count as unchanged: however often something else changes, they are told at
/// their own pace.
fn keep_figures(before: &State, now: &mut State) {
    for (path, shown) in now {
        if let Some(figures) = shown.properties.get_mut(LIVE)
            && let Some(old) = before.get(path).and_then(|old| old.properties.get(LIVE))
            && let Ok(old) = old.try_clone()
        {
            *figures = old;
        }
    }
}

/// The live figures of streams, to listeners of the account that is watched: who may see others' is not asked every second.
async fn tell_figures(context: &Context, shown: &mut State) {
    let listeners = context.listeners.list();
    for object in Object::all(&context.host) {
        let Some(owner) = object.owner() else {
            continue;
        };
        let path = object.path();
        let (Some(figures), Some(known)) = (
            object.properties(&context.host).remove(LIVE),
            shown.get_mut(&path),
        ) else {
            continue;
        };
        if known.properties.get(LIVE) == Some(&figures) {
            continue;
        }
        for (name, uid) in listeners.iter().filter(|(_, uid)| *uid == owner) {
            let to = Caller {
                name: name.clone(),
                uid: *uid,
                interactive: false,
            };
            let changed = BTreeMap::from([(LIVE, &figures)]);
            let invalidated: [&str; 0] = [];
            let body = (known.interface, changed, invalidated.as_slice());
            let sent = signal(
                context,
                &to,
                path.as_str(),
                PROPERTIES,
                "PropertiesChanged",
                &body,
            );
            if let Err(error) = sent.await {
                tracing::debug!(%error, listener = %to.name, "live figures could not be told");
            }
        }
        known.properties.insert(LIVE, figures);
    }
}

/// Who hears is decided for each listener from what it may see now.
async fn announce(context: &Context, before: &State, now: &State) {
    let changed = || {
        let gone = before.keys().filter(|path| !now.contains_key(*path));
        let rest = now.iter().filter(|(path, shown)| {
            before.get(*path).is_none_or(|old| {
                old.properties != shown.properties || old.audience != shown.audience
            })
        });
        gone.chain(rest.map(|(path, _)| path))
    };
    if changed().next().is_none() {
        return;
    }
    for (name, uid) in context.listeners.list() {
        let listener = Caller {
            name,
            uid,
            interactive: false,
        };
        let mut sight = Sight::default();
        for path in changed() {
            let (old, new) = (before.get(path), now.get(path));
            let sees = async |sight: &mut Sight, shown: Option<&Shown>| match shown {
                Some(shown) => sight.sees(context, &listener, shown.audience).await,
                None => false,
            };
            let saw = sees(&mut sight, old).await;
            let sees = sees(&mut sight, new).await;
            let sent = match (old.filter(|_| saw), new.filter(|_| sees)) {
                (None, Some(new)) => added(context, &listener, path, new).await,
                (Some(old), None) => removed(context, &listener, path, old).await,
                (Some(old), Some(new)) => altered(context, &listener, path, old, new).await,
                (None, None) => Ok(()),
            };
            if let Err(error) = sent {
                tracing::debug!(%error, listener = %listener.name, "a change could not be told");
            }
        }
    }
}

async fn added(
    context: &Context,
    to: &Caller,
    path: &OwnedObjectPath,
    new: &Shown,
) -> zbus::Result<()> {
    let interfaces = HashMap::from([(new.interface, &new.properties)]);
    signal(
        context,
        to,
        ROOT_PATH,
        MANAGER,
        "InterfacesAdded",
        &(path, interfaces),
    )
    .await
}

async fn removed(
    context: &Context,
    to: &Caller,
    path: &OwnedObjectPath,
    old: &Shown,
) -> zbus::Result<()> {
    let interfaces = [old.interface];
    let body = (path, interfaces.as_slice());
    signal(context, to, ROOT_PATH, MANAGER, "InterfacesRemoved", &body).await
}

async fn altered(
    context: &Context,
    to: &Caller,
    path: &OwnedObjectPath,
    old: &Shown,
    new: &Shown,
) -> zbus::Result<()> {
    let changed: BTreeMap<&str, &OwnedValue> = new
        .properties
        .iter()
        .filter(|(name, value)| old.properties.get(*name) != Some(*value))
        .map(|(name, value)| (*name, value))
        .collect();
    if changed.is_empty() {
        return Ok(());
    }
    let invalidated: [&str; 0] = [];
    let body = (new.interface, changed, invalidated.as_slice());
    signal(
        context,
        to,
        path.as_str(),
        PROPERTIES,
        "PropertiesChanged",
        &body,
    )
    .await
}

async fn signal<T: serde::Serialize + zbus::zvariant::DynamicType>(
    context: &Context,
    to: &Caller,
    path: &str,
    interface: &str,
    member: &str,
    body: &T,
) -> zbus::Result<()> {
    let to = Some(to.name.as_ref());
    context
        .connection
        .emit_signal(to, path, interface, member, body)
        .await
}
