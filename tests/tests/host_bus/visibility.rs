//! Nobody sees what is not theirs.
use crate::{
    mocks::Answer,
    rig::{HOST, LIMIT, ROOT, Rig, UNKNOWN_OBJECT, call, name_of},
};
use futures_util::{FutureExt, StreamExt};
use std::collections::{BTreeSet, HashMap};
use zbus::{
    Connection, Message, MessageStream,
    message::Type,
    zvariant::{OwnedObjectPath, OwnedValue},
};

type Managed = HashMap<OwnedObjectPath, HashMap<String, HashMap<String, OwnedValue>>>;

async fn managed(connection: &Connection) -> BTreeSet<String> {
    let reply = call(
        connection,
        ROOT,
        "org.freedesktop.DBus.ObjectManager",
        "GetManagedObjects",
        &(),
    )
    .await;
    let objects: Managed = reply.unwrap().body().deserialize().unwrap();
    objects.keys().map(ToString::to_string).collect()
}

/// The signals of the service until now: everything sent before the answer to a call has arrived before it.
async fn signals(connection: &Connection, stream: &mut MessageStream) -> Vec<Message> {
    call(connection, ROOT, "org.freedesktop.DBus.Peer", "Ping", &())
        .await
        .unwrap();
    let mut found = Vec::new();
    while let Some(Some(Ok(message))) = stream.next().now_or_never() {
        let header = message.header();
        if message.message_type() == Type::Signal
            && header.path().is_some_and(|path| path.starts_with(ROOT))
        {
            found.push(message);
        }
    }
    found
}

fn told(signals: &[Message]) -> Vec<(String, String)> {
    let path = |message: &Message| {
        let body = message.body();
        match message.header().member().unwrap().as_str() {
            "InterfacesAdded" => body
                .deserialize::<(
                    OwnedObjectPath,
                    HashMap<String, HashMap<String, OwnedValue>>,
                )>()
                .unwrap()
                .0
                .to_string(),
            "InterfacesRemoved" => body
                .deserialize::<(OwnedObjectPath, Vec<String>)>()
                .unwrap()
                .0
                .to_string(),
            _ => message.header().path().unwrap().to_string(),
        }
    };
    signals
        .iter()
        .map(|message| {
            (
                message.header().member().unwrap().to_string(),
                path(message),
            )
        })
        .collect()
}

#[tokio::test]
async fn managed_objects_are_the_callers_own_and_all_only_with_authorisation() {
    let rig = Rig::start().await;
    let caller = rig.bus.connect().await;
    let (own, foreign) = (rig.own_client(), rig.foreign_client());
    assert_eq!(managed(&caller).await, BTreeSet::from([own.clone()]));
    rig.polkit.answer("manage-all", Answer::Challenge);
    assert_eq!(
        managed(&caller).await,
        BTreeSet::from([own.clone()]),
        "nobody is asked for a look"
    );
    rig.polkit.answer("manage-all", Answer::Yes);
    assert_eq!(managed(&caller).await, BTreeSet::from([own, foreign]));
}

#[tokio::test]
async fn a_foreign_object_does_not_exist_for_a_reader() {
    let rig = Rig::start().await;
    let caller = rig.bus.connect().await;
    let foreign = rig.foreign_client();
    let missing = format!("{ROOT}/clients/none");
    for path in [&foreign, &missing] {
        let client = "org.punktfunk.Host1.Client";
        for (interface, member, body) in
            [("org.freedesktop.DBus.Properties", "Get", (client, "Name"))]
        {
            assert_eq!(
                name_of(&call(&caller, path, interface, member, &body).await),
                UNKNOWN_OBJECT
            );
        }
        let all = call(
            &caller,
            path,
            "org.freedesktop.DBus.Properties",
            "GetAll",
            &client,
        )
        .await;
        assert_eq!(name_of(&all), UNKNOWN_OBJECT);
        let xml = call(
            &caller,
            path,
            "org.freedesktop.DBus.Introspectable",
            "Introspect",
            &(),
        )
        .await;
        assert_eq!(name_of(&xml), UNKNOWN_OBJECT);
    }
    let folder = format!("{ROOT}/clients");
    let xml = call(
        &caller,
        &folder,
        "org.freedesktop.DBus.Introspectable",
        "Introspect",
        &(),
    )
    .await
    .unwrap();
    let xml: String = xml.body().deserialize().unwrap();
    assert!(!xml.contains(foreign.rsplit('/').next().unwrap()), "{xml}");
}

#[tokio::test]
async fn changes_are_told_only_to_listeners_who_may_see_them() {
    let rig = Rig::start().await;
    rig.polkit.answer("manage-own", Answer::Yes);
    let (listener, bystander) = (rig.bus.connect().await, rig.bus.connect().await);
    // The bystander hears every broadcast of the service, and there is none.
    let rule = zbus::MatchRule::builder()
        .msg_type(Type::Signal)
        .sender(HOST)
        .unwrap()
        .build();
    let _broadcasts = MessageStream::for_match_rule(rule, &bystander, None)
        .await
        .unwrap();
    let mut heard_by_all = MessageStream::from(&bystander);
    let mut heard = MessageStream::from(&listener);
    managed(&listener).await;

    rig.foreign_client();
    let own = rig.own_client();
    rig.api.as_ref().unwrap().answers().await;
    let added = told(&signals(&listener, &mut heard).await);
    let expected = [("InterfacesAdded".to_owned(), own.clone())];
    let about_clients: Vec<_> = added
        .iter()
        .filter(|(_, path)| path != ROOT)
        .cloned()
        .collect();
    assert_eq!(about_clients, expected);

    let permissions = vec!["view".to_owned()];
    call(
        &listener,
        &own,
        "org.punktfunk.Host1.Client",
        "SetPermissions",
        &permissions,
    )
    .await
    .unwrap();
    let changed = signals(&listener, &mut heard).await;
    assert_eq!(
        told(&changed),
        [("PropertiesChanged".to_owned(), own.clone())]
    );
    let (interface, values, _): (String, HashMap<String, OwnedValue>, Vec<String>) =
        changed[0].body().deserialize().unwrap();
    assert_eq!(interface, "org.punktfunk.Host1.Client");
    assert_eq!(values.keys().collect::<Vec<_>>(), ["Permissions"]);

    call(&listener, &own, "org.punktfunk.Host1.Client", "Unpair", &())
        .await
        .unwrap();
    let removed = told(&signals(&listener, &mut heard).await);
    assert!(
        removed.contains(&("InterfacesRemoved".to_owned(), own)),
        "{removed:?}"
    );

    let overheard = signals(&bystander, &mut heard_by_all).await;
    assert!(overheard.is_empty(), "{overheard:?}");
}

#[tokio::test]
async fn a_waiting_pairing_is_shown_to_who_may_pair_and_its_pin_to_nobody() {
    use punktfunk_service::pairings::{AttemptKey, Device};
    let rig = Rig::start().await;
    rig.polkit.answer("pair", Answer::Yes);
    let (seated, stranger) = (rig.bus.connect().await, rig.bus.connect().await);
    call(&seated, ROOT, HOST, "OpenPairing", &60u32)
        .await
        .unwrap();
    let mut changes = rig.host.pairings.changes();
    let host = rig.host.clone();
    let attempt = tokio::spawn(async move {
        let key = AttemptKey {
            unique_id: "0123456789abcdef".into(),
            address: [192, 0, 2, 7].into(),
        };
        host.pairings
            .await_decision(key, Device([1; 32]), "television")
            .await
            .map(|approval| approval.pin)
    });
    let shown = tokio::time::timeout(LIMIT, async {
        while rig.host.pairings.waiting().is_empty() {
            changes.changed().await.unwrap();
        }
    });
    shown.await.unwrap();
    let path = format!("{ROOT}/pairings/{}", rig.host.pairings.waiting()[0].id);
    assert!(managed(&seated).await.contains(&path));
    let reply = call(
        &seated,
        &path,
        "org.freedesktop.DBus.Properties",
        "GetAll",
        &"org.punktfunk.Host1.Pairing",
    )
    .await;
    let properties: HashMap<String, OwnedValue> = reply.unwrap().body().deserialize().unwrap();
    assert_eq!(properties.keys().collect::<BTreeSet<_>>().len(), 3);
    assert_eq!(
        String::try_from(properties["Address"].clone()).unwrap(),
        "192.0.2.7"
    );

    // A pairing is nobody's yet: an account without a window that polkit does not let pair does not see it. Here both
    // connections are of one account, so the window is closed first.
    rig.polkit.answer("pair", Answer::No);
    assert!(
        managed(&stranger).await.contains(&path),
        "the window was opened with authorisation"
    );
    rig.polkit.answer("pair", Answer::Yes);
    let pin = "4711";
    let bad = call(
        &seated,
        &path,
        "org.punktfunk.Host1.Pairing",
        "Accept",
        &("47x1", HashMap::<String, OwnedValue>::new()),
    )
    .await;
    assert_eq!(name_of(&bad), "org.freedesktop.DBus.Error.InvalidArgs");
    let accept = {
        let (seated, path) = (seated.clone(), path.clone());
        tokio::spawn(async move {
            let options = HashMap::<String, OwnedValue>::new();
            call(
                &seated,
                &path,
                "org.punktfunk.Host1.Pairing",
                "Accept",
                &(pin, options),
            )
            .await
        })
    };
    let got = tokio::time::timeout(LIMIT, attempt).await.unwrap().unwrap();
    assert_eq!(
        got.ok().as_deref(),
        Some(pin),
        "the PIN reaches the exchange with the device"
    );
    // The device goes away: the approval is dropped with it.
    assert_eq!(
        name_of(&accept.await.unwrap()),
        "org.punktfunk.Host1.Error.Expired"
    );
}

#[tokio::test]
async fn a_pairing_window_closes_when_its_opener_leaves() {
    let rig = Rig::start().await;
    rig.polkit.answer("pair", Answer::Yes);
    let opener = rig.bus.connect().await;
    call(&opener, ROOT, HOST, "OpenPairing", &60u32)
        .await
        .unwrap();
    assert!(rig.host.pairings.window_open());
    let mut changes = rig.host.pairings.changes();
    opener.close().await.unwrap();
    let closed = tokio::time::timeout(LIMIT, async {
        while rig.host.pairings.window_open() {
            changes.changed().await.unwrap();
        }
    });
    closed.await.expect("the window stayed open");
}
