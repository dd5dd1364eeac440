//! What nobody can make the service do: read a huge call, or wait for a polkit that hangs.
use crate::rig::{HOST, LIMIT, ROOT, Rig, call, name_of};
use tokio::time::timeout;

const TOO_MUCH: &str = "org.freedesktop.DBus.Error.LimitsExceeded";

#[tokio::test]
async fn a_call_of_more_than_64_kib_is_refused_unread_on_every_interface() {
    let rig = Rig::start().await;
    rig.polkit.answer_all(crate::mocks::Answer::Yes);
    let caller = rig.bus.connect().await;
    let large = "x".repeat(64 << 10);
    for (interface, member) in [
        (HOST, "OpenPairing"),
        ("org.punktfunk.Host1.Client", "Unpair"),
        ("org.freedesktop.DBus.Properties", "GetAll"),
        ("org.freedesktop.DBus.Introspectable", "Introspect"),
        ("org.freedesktop.DBus.Peer", "Ping"),
        ("org.freedesktop.DBus.ObjectManager", "GetManagedObjects"),
        ("org.example", "Nothing"),
    ] {
        let answer = call(&caller, ROOT, interface, member, &large.as_str()).await;
        assert_eq!(name_of(&answer), TOO_MUCH, "{interface}.{member}");
    }
    assert!(rig.polkit.asked().is_empty());
    let small = call(
        &caller,
        ROOT,
        "org.freedesktop.DBus.Properties",
        "GetAll",
        &HOST,
    );
    assert_eq!(name_of(&small.await), "ok");
}

#[tokio::test]
async fn a_polkit_that_hangs_holds_up_neither_readers_nor_the_sign_of_life() {
    let rig = Rig::start().await;
    let mut listeners = Vec::new();
    for _ in 0..8 {
        let listener = rig.bus.connect().await;
        let manager = "org.freedesktop.DBus.ObjectManager";
        let objects = call(&listener, ROOT, manager, "GetManagedObjects", &()).await;
        assert_eq!(name_of(&objects), "ok");
        listeners.push(listener);
    }
    rig.polkit.gate.forget_permits(usize::MAX);
    let reader = rig.bus.connect().await;
    // Whether each listener may hear of it is asked of polkit; one question's time is lost, not one for each.
    for certificate in [b"one", b"two"] {
        let owner = punktfunk_service::ids::Uid(rig.own.0 + 4242);
        rig.host.clients.add("tablet", certificate, owner).unwrap();
        let own = rig.own_client();
        let read = call(
            &reader,
            &own,
            "org.freedesktop.DBus.Properties",
            "GetAll",
            &"org.punktfunk.Host1.Client",
        );
        assert_eq!(name_of(&read.await), "ok");
        let told = rig.api.as_ref().unwrap().answers();
        timeout(LIMIT, told).await.expect("a sign of life");
    }
    rig.polkit.gate.add_permits(1000);
}
