//! Characters by their keysyms, for Mutter to type in the layout that is in force: in an input session of its own on the session's bus,
//! made at the first of them.

use std::{
    sync::mpsc,
    time::{Duration, Instant},
};

use tokio::{
    sync::mpsc::{Sender, channel, error::TrySendError},
    time::timeout,
};
use xkbcommon::xkb;
use zbus::{Connection, zvariant::OwnedObjectPath};

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

#[zbus::proxy(
    interface = "org.gnome.Mutter.RemoteDesktop",
    default_service = "org.gnome.Mutter.RemoteDesktop",
    default_path = "/org/gnome/Mutter/RemoteDesktop",
    gen_blocking = false
)]
trait RemoteDesktop {
    fn create_session(&self) -> zbus::Result<OwnedObjectPath>;
}

#[zbus::proxy(
    interface = "org.gnome.Mutter.RemoteDesktop.Session",
    default_service = "org.gnome.Mutter.RemoteDesktop",
    gen_blocking = false
)]
trait Session {
    fn start(&self) -> zbus::Result<()>;
    fn notify_keyboard_keysym(&self, keysym: u32, down: bool) -> zbus::Result<()>;
}

/// A character, when it came, and where to say that it was typed.
type Order = (char, Instant, mpsc::Sender<()>);

/// The thread that types ends with this, and Mutter's session with the thread's connection.
#[derive(Default)]
pub struct Keysyms {
    orders: Option<Sender<Order>>,
    /// What was not waited for to its end.
    late: Option<mpsc::Receiver<()>>,
}

impl Keysyms {
    /// Type a character; the next thing is done after it.
    pub fn press(&mut self, character: char) {
        let (typed, answer) = mpsc::channel();
        let sent =
            self.orders
                .get_or_insert_with(start)
                .try_send((character, Instant::now(), typed));
        match sent {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => return,
            Err(TrySendError::Closed(_)) => {
                self.orders = None;
                return;
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

fn start() -> Sender<Order> {
    let (orders, mut ordered) = channel::<Order>(WAITING);
    let spawned = std::thread::Builder::new()
        .name("pf-keysyms".into())
        .spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let Ok(runtime) = runtime else { return };
            runtime.block_on(async {
                let (mut session, mut told) = (None, false);
                while let Some((character, came, typed)) = ordered.recv().await {
                    // whoever wanted it is gone
                    if ordered.is_closed() {
                        break;
                    }
                    if came.elapsed() > STALE {
                        continue;
                    }
                    let done = timeout(LIMIT, press(&mut session, character)).await;
                    let _ = typed.send(());
                    if matches!(done, Ok(Ok(()))) {
                        told = false;
                        continue;
                    }
                    session = None;
                    if !std::mem::replace(&mut told, true) {
                        tracing::warn!(?done, "Mutter does not type text");
                    }
                    tokio::time::sleep(PAUSE).await;
                }
            });
        });
    if let Err(error) = spawned {
        tracing::warn!(%error, "no thread for text");
    }
    orders
}

async fn press(session: &mut Option<SessionProxy<'static>>, character: char) -> zbus::Result<()> {
    let keyboard = match session {
        Some(keyboard) => keyboard,
        None => session.insert(open().await?),
    };
    let keysym = xkb::utf32_to_keysym(u32::from(character)).raw();
    keyboard.notify_keyboard_keysym(keysym, true).await?;
    keyboard.notify_keyboard_keysym(keysym, false).await
}

/// A session without a screen. One of our own, as the stream's takes from its socket only.
async fn open() -> zbus::Result<SessionProxy<'static>> {
    let bus = Connection::session().await?;
    let path = RemoteDesktopProxy::new(&bus)
        .await?
        .create_session()
        .await?;
    let session = SessionProxy::builder(&bus).path(path)?.build().await?;
    session.start().await?;
    Ok(session)
}
