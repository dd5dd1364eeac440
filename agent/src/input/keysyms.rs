//! Characters by their keysyms, for Mutter to type in the layout that is in force: in an input session of its own on the session's bus,
//! made at the first of them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use tokio::{
    sync::mpsc::{Receiver, Sender, channel, error::TrySendError},
    time::timeout,
};
use xkbcommon::xkb;
use zbus::{Connection, connection::Builder};

use super::{
    beside::beside,
    mutter::{RemoteDesktopProxy, RemoteDesktopSessionProxy},
};

/// How long a character may hold up what the client sends after it; one that takes longer may be overtaken.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long Mutter may take for a character, with the session for it.
const LIMIT: Duration = Duration::from_secs(8);
/// One that could not be typed for so long is left out: by then something else may have the keyboard.
const STALE: Duration = Duration::from_secs(2);
/// After a character that Mutter did not take.
const PAUSE: Duration = Duration::from_millis(250);
/// Characters that wait for it; what comes then is left out.
const WAITING: usize = 256;

/// A character, when it came, and where to say that it was typed.
type Order = (char, Instant, mpsc::Sender<()>);

/// How the thread comes to the session's bus.
type Bus = dyn Fn() -> zbus::Result<Builder<'static>> + Send + Sync;

/// The thread that types ends with this, and Mutter's session with the thread's connection.
pub struct Keysyms {
    bus: Arc<Bus>,
    stale: Duration,
    orders: Option<Sender<Order>>,
    /// What was not waited for to its end.
    late: Option<mpsc::Receiver<()>>,
    told: Told,
}

impl Default for Keysyms {
    fn default() -> Self {
        Self::on_bus(Builder::session, STALE)
    }
}

impl Keysyms {
    /// On a bus that is connected to at the first character; what could not be typed for so long is left out.
    pub fn on_bus(
        bus: impl Fn() -> zbus::Result<Builder<'static>> + Send + Sync + 'static,
        stale: Duration,
    ) -> Self {
        Self {
            bus: Arc::new(bus),
            stale,
            orders: None,
            late: None,
            told: Told::default(),
        }
    }

    fn start(&self) -> Sender<Order> {
        let (orders, ordered) = channel::<Order>(WAITING);
        let (bus, stale, told) = (Arc::clone(&self.bus), self.stale, self.told.clone());
        let spawned = beside("pf-keysyms", move || serve(bus, ordered, stale, told));
        if let Err(error) = spawned {
            tracing::warn!(%error, "no thread for text");
        }
        orders
    }

    /// Type a character; the next thing is done after it.
    pub fn press(&mut self, character: char) {
        let (typed, answer) = mpsc::channel();
        let orders = match &self.orders {
            Some(orders) => orders,
            None => self.orders.insert(self.start()),
        };
        match orders.try_send((character, Instant::now(), typed)) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                return self.told.left_out("too many others wait for Mutter");
            }
            Err(TrySendError::Closed(_)) => {
                self.orders = None;
                return self.told.left_out("the thread that types has ended");
            }
        }
        // A Mutter that hangs holds the client's input up once.
        let hangs = self
            .late
            .take()
            .is_some_and(|late| late.try_recv() == Err(mpsc::TryRecvError::Empty));
        if hangs || answer.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
            self.late = Some(answer);
        }
    }
}

/// Whether it has been said that characters are left out, since the last one that was not: once is enough for a row of them.
#[derive(Clone, Default)]
struct Told(Arc<AtomicBool>);

impl Told {
    fn left_out(&self, why: &str) {
        if !self.0.swap(true, Ordering::Relaxed) {
            tracing::warn!(why, "text is left out");
        }
    }

    fn typed(&self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

async fn serve(bus: Arc<Bus>, mut ordered: Receiver<Order>, stale: Duration, told: Told) {
    let mut session = None;
    while let Some((character, came, typed)) = ordered.recv().await {
        // whoever wanted it is gone
        if ordered.is_closed() {
            break;
        }
        if came.elapsed() > stale {
            told.left_out("Mutter took too long for what came before");
            continue;
        }
        let done = timeout(LIMIT, press(&*bus, &mut session, character)).await;
        let _ = typed.send(());
        let why = match done {
            Ok(Ok(())) => {
                told.typed();
                continue;
            }
            Ok(Err(error)) => format!("Mutter does not type it: {error}"),
            Err(_) => format!("Mutter did not type it within {} s", LIMIT.as_secs()),
        };
        told.left_out(&why);
        session = None;
        tokio::time::sleep(PAUSE).await;
    }
}

type Session = RemoteDesktopSessionProxy<'static>;

async fn press(bus: &Bus, session: &mut Option<Session>, character: char) -> zbus::Result<()> {
    let keysym = xkb::utf32_to_keysym(u32::from(character)).raw();
    // Mutter may have closed the one that was kept since, and then has not pressed anything.
    let mut pressed = false;
    if let Some(kept) = session {
        match kept.notify_keyboard_keysym(keysym, true).await {
            Ok(()) => pressed = true,
            Err(error) => tracing::debug!(%error, "Mutter has closed the session for text"),
        }
    }
    let keyboard = match session {
        Some(kept) if pressed => kept,
        _ => {
            *session = None;
            let fresh = session.insert(open(bus).await?);
            fresh.notify_keyboard_keysym(keysym, true).await?;
            fresh
        }
    };
    keyboard.notify_keyboard_keysym(keysym, false).await
}

/// A session without a screen. One of our own, as the stream's takes from its socket only.
async fn open(bus: &Bus) -> zbus::Result<Session> {
    let bus: Connection = bus()?.build().await?;
    let path = RemoteDesktopProxy::new(&bus)
        .await?
        .create_session()
        .await?;
    let session = Session::builder(&bus).path(path)?.build().await?;
    session.start().await?;
    Ok(session)
}
