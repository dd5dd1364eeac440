//! The layout in force, as KWin tells it.

use crate::fixture::{Bus, LIMIT};
use futures_util::StreamExt;
use punktfunk_agent::input::in_force::InForce;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::time::{sleep, timeout};
use zbus::object_server::SignalEmitter;

const NAME: &str = "org.kde.keyboard";

/// The part of KWin that knows it.
struct Layouts(Arc<AtomicU32>);

#[zbus::interface(name = "org.kde.KeyboardLayouts")]
impl Layouts {
    #[zbus(name = "getLayout")]
    fn layout_in_force(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    #[zbus(signal, name = "layoutChanged")]
    async fn layout_changed(emitter: &SignalEmitter<'_>, index: u32) -> zbus::Result<()>;
}

async fn becomes(followed: &InForce, group: Option<u32>) {
    let same = async {
        while followed.group() != group {
            sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = timeout(LIMIT, same).await;
    assert!(waited.is_ok(), "{:?} and not {group:?}", followed.group());
}

#[tokio::test]
async fn the_layout_in_force_is_followed_for_as_long_as_somebody_tells_it() {
    let bus = Bus::start();
    let address = bus.address.clone();
    let followed = InForce::on_bus(async move {
        zbus::connection::Builder::address(address.as_str())?
            .build()
            .await
    });
    assert_eq!(followed.group(), None);

    let kwin = bus.connect().await;
    let server = kwin.object_server();
    let in_force = Arc::new(AtomicU32::new(1));
    let layouts = Layouts(Arc::clone(&in_force));
    server.at("/Layouts", layouts).await.unwrap();
    kwin.request_name(NAME).await.unwrap();
    becomes(&followed, Some(1)).await;

    let layouts = server.interface::<_, Layouts>("/Layouts").await.unwrap();
    // whoever asks once more hears the same
    in_force.store(2, Ordering::Relaxed);
    Layouts::layout_changed(layouts.signal_emitter(), 2)
        .await
        .unwrap();
    becomes(&followed, Some(2)).await;

    // one layout is left: KWin says nothing about it any more
    kwin.release_name(NAME).await.unwrap();
    becomes(&followed, None).await;
}

#[tokio::test]
async fn who_has_the_name_before_the_object_is_asked_again() {
    let bus = Bus::start();
    let address = bus.address.clone();
    let kwin = bus.connect().await;
    let server = kwin.object_server();
    let mut calls = zbus::MessageStream::from(&kwin);
    kwin.request_name(NAME).await.unwrap();
    let followed = InForce::on_bus(async move {
        zbus::connection::Builder::address(address.as_str())?
            .build()
            .await
    });
    // The second question comes after the answer to the first, which was that there is nothing.
    let asked_twice = async {
        let mut asked = 0;
        while asked < 2 {
            let call = calls.next().await.unwrap().unwrap();
            let member = call.header().member().map(ToString::to_string);
            asked += u32::from(member.as_deref() == Some("getLayout"));
        }
    };
    timeout(LIMIT, asked_twice).await.unwrap();
    assert_eq!(followed.group(), None);
    let layouts = Layouts(Arc::new(AtomicU32::new(1)));
    server.at("/Layouts", layouts).await.unwrap();
    becomes(&followed, Some(1)).await;
}
