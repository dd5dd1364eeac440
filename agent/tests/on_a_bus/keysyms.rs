//! Text by keysyms, against a stand-in for Mutter.

use crate::fixture::{Bus, LIMIT};
use punktfunk_agent::input::keysyms::Keysyms;
use std::{
    sync::atomic::{AtomicU32, Ordering},
    thread,
};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::timeout,
};
use zbus::{Connection, ObjectServer, fdo, zvariant::OwnedObjectPath};

/// A key of a session that goes down or up.
type Heard = (u32, u32, bool);

struct RemoteDesktop {
    sessions: AtomicU32,
    heard: UnboundedSender<Heard>,
}

#[zbus::interface(name = "org.gnome.Mutter.RemoteDesktop")]
impl RemoteDesktop {
    async fn create_session(
        &self,
        #[zbus(object_server)] server: &ObjectServer,
    ) -> fdo::Result<OwnedObjectPath> {
        let number = self.sessions.fetch_add(1, Ordering::Relaxed) + 1;
        let heard = self.heard.clone();
        server.at(path(number), Session { number, heard }).await?;
        Ok(OwnedObjectPath::try_from(path(number)).unwrap())
    }
}

struct Session {
    number: u32,
    heard: UnboundedSender<Heard>,
}

#[zbus::interface(name = "org.gnome.Mutter.RemoteDesktop.Session")]
impl Session {
    fn start(&self) {}

    fn notify_keyboard_keysym(&self, keysym: u32, down: bool) {
        let _ = self.heard.send((self.number, keysym, down));
    }
}

fn path(session: u32) -> String {
    format!("/org/gnome/Mutter/RemoteDesktop/Session/u{session}")
}

async fn mutter(bus: &Bus) -> (Connection, UnboundedReceiver<Heard>) {
    let (heard, hears) = unbounded_channel();
    let mutter = bus.connect().await;
    let remote = RemoteDesktop {
        sessions: AtomicU32::new(0),
        heard,
    };
    let server = mutter.object_server();
    let root = "/org/gnome/Mutter/RemoteDesktop";
    server.at(root, remote).await.unwrap();
    let name = "org.gnome.Mutter.RemoteDesktop";
    mutter.request_name(name).await.unwrap();
    (mutter, hears)
}

async fn next(hears: &mut UnboundedReceiver<Heard>) -> Heard {
    let heard = timeout(LIMIT, hears.recv()).await;
    heard.expect("nothing was typed").unwrap()
}

#[tokio::test]
async fn a_session_that_mutter_has_closed_costs_no_character() {
    let bus = Bus::start();
    let (mutter, mut hears) = mutter(&bus).await;
    let address = bus.address.clone();
    let at = move || zbus::connection::Builder::address(address.as_str());
    let mut keysyms = Keysyms::on_bus(at, LIMIT);
    // it waits for Mutter, and so not here
    let (orders, ordered) = std::sync::mpsc::channel();
    let typist = thread::spawn(move || {
        for character in ordered {
            keysyms.press(character);
        }
    });
    for character in ['a', 'b'] {
        let keysym = u32::from(character);
        orders.send(character).unwrap();
        assert_eq!(next(&mut hears).await, (1, keysym, true));
        assert_eq!(next(&mut hears).await, (1, keysym, false));
    }
    let server = mutter.object_server();
    server.remove::<Session, _>(path(1)).await.unwrap();
    orders.send('ß').unwrap();
    assert_eq!(next(&mut hears).await, (2, 0xdf, true));
    assert_eq!(next(&mut hears).await, (2, 0xdf, false));
    drop(orders);
    typist.join().unwrap();
}
