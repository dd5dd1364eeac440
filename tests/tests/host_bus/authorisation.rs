//! Every method, for callers who may not.
use crate::{
    mocks::{Answer, Session},
    rig::{CHALLENGE, DENIED, HOST, ROOT, Rig, call, name_of},
};
use punktfunk_dbus::interfaces;
use roxmltree::{Document, ParsingOptions};
use zbus::{
    Connection, Message,
    message::Flags,
    zvariant::{ObjectPath, StructureBuilder, Value},
};

/// Interface, member and the types of the arguments, from the documentation.
fn documented_methods() -> Vec<(String, String, Vec<String>)> {
    let mut methods = Vec::new();
    for xml in [
        interfaces::HOST,
        interfaces::PAIRING,
        interfaces::CLIENT,
        interfaces::AGENT,
        interfaces::STREAM,
    ] {
        let options = ParsingOptions {
            allow_dtd: true,
            ..ParsingOptions::default()
        };
        let document = Document::parse_with_options(xml, options).unwrap();
        for method in document
            .descendants()
            .filter(|node| node.has_tag_name("method"))
        {
            let interface = method
                .parent()
                .unwrap()
                .attribute("name")
                .unwrap()
                .to_owned();
            let arguments = method
                .children()
                .filter(|node| node.attribute("direction") == Some("in"))
                .map(|node| node.attribute("type").unwrap().to_owned())
                .collect();
            methods.push((
                interface,
                method.attribute("name").unwrap().to_owned(),
                arguments,
            ));
        }
    }
    assert!(methods.len() >= 11, "{methods:?}");
    methods
}

fn value(signature: &str) -> Value<'static> {
    match signature {
        "u" => Value::from(1000u32),
        "s" => Value::from("1234"),
        "b" => Value::from(true),
        "t" => Value::from(5u64),
        "o" => Value::from(ObjectPath::try_from("/org/punktfunk/Agent1").unwrap()),
        "as" => Value::from(vec!["view".to_owned()]),
        "a{sv}" => Value::from(std::collections::HashMap::<String, Value<'_>>::new()),
        other => panic!("the documentation uses {other}: say here what a value of it is"),
    }
}

async fn attempt(
    connection: &Connection,
    path: &str,
    method: &(String, String, Vec<String>),
) -> zbus::Result<Message> {
    let (interface, member, arguments) = method;
    if arguments.is_empty() {
        return call(connection, path, interface, member, &()).await;
    }
    let mut body = StructureBuilder::new();
    for argument in arguments {
        body = body.append_field(value(argument));
    }
    call(connection, path, interface, member, &body.build().unwrap()).await
}

/// An own and a foreign object for an interface, and one that is not there.
fn targets(rig: &Rig, interface: &str) -> Vec<String> {
    match interface {
        HOST => vec![ROOT.to_owned()],
        "org.punktfunk.Host1.Client" => {
            vec![
                rig.own_client(),
                rig.foreign_client(),
                format!("{ROOT}/clients/none"),
            ]
        }
        "org.punktfunk.Host1.Pairing" => vec![format!("{ROOT}/pairings/1")],
        _ => vec![format!("{ROOT}/streams/1")],
    }
}

#[tokio::test]
async fn every_method_is_refused_to_the_unauthorised_and_has_no_effect() {
    let rig = Rig::start().await;
    rig.logind.add("1234", Session::of(rig.own.0)).await;
    let caller = rig.bus.connect().await;
    for (answer, expected) in [(Answer::No, DENIED), (Answer::Challenge, CHALLENGE)] {
        rig.polkit.answer_all(answer);
        for method in documented_methods() {
            for target in targets(&rig, &method.0) {
                let clients = rig.host.clients.list();
                let outcome = attempt(&caller, &target, &method).await;
                assert_eq!(name_of(&outcome), expected, "{method:?} on {target}");
                assert_eq!(rig.host.clients.list(), clients);
                assert!(!rig.host.pairings.window_open() && rig.host.agents.list().is_empty());
            }
        }
    }
}

#[tokio::test]
async fn without_polkit_everything_is_refused_and_reading_own_things_goes_on() {
    let rig = Rig::start().await;
    let own = rig.own_client();
    let caller = rig.bus.connect().await;
    rig.polkit.die().await;
    for method in documented_methods() {
        let outcome = attempt(&caller, &targets(&rig, &method.0)[0], &method).await;
        assert_eq!(name_of(&outcome), DENIED, "{method:?}");
    }
    let read = call(
        &caller,
        &own,
        "org.freedesktop.DBus.Properties",
        "GetAll",
        &"org.punktfunk.Host1.Client",
    )
    .await;
    assert_eq!(name_of(&read), "ok");
}

#[tokio::test]
async fn polkit_is_asked_about_the_senders_name_and_the_action_that_fits_the_owner() {
    let rig = Rig::start().await;
    let caller = rig.bus.connect().await;
    let name = caller.unique_name().unwrap().to_string();
    let client = "org.punktfunk.Host1.Client";
    for (path, member, action) in [
        (rig.own_client(), "Unpair", "manage-own"),
        (rig.foreign_client(), "Unpair", "manage-all"),
        (format!("{ROOT}/clients/none"), "Unpair", "manage-all"),
    ] {
        rig.polkit.asked();
        call(&caller, &path, client, member, &()).await.unwrap_err();
        let asked = rig.polkit.asked();
        assert_eq!(asked.len(), 1, "{asked:?}");
        assert_eq!(asked[0].kind, "system-bus-name");
        assert_eq!(asked[0].name, name);
        assert_eq!(asked[0].action, format!("org.punktfunk.host.{action}"));
        assert!(!asked[0].interactive);
    }
    // Giving a client away is never the owner's own business.
    rig.polkit.answer("manage-own", Answer::Yes);
    let given = call(&caller, &rig.own_client(), client, "SetOwner", &rig.own.0).await;
    assert_eq!(name_of(&given), DENIED);
}

#[tokio::test]
async fn a_person_is_asked_only_if_the_message_allows_it() {
    let rig = Rig::start().await;
    rig.polkit.answer_all(Answer::Challenge);
    let caller = rig.bus.connect().await;
    let message = Message::method_call(ROOT, "ClosePairing")
        .unwrap()
        .destination(HOST)
        .unwrap()
        .interface(HOST)
        .unwrap()
        .with_flags(Flags::AllowInteractiveAuth)
        .unwrap()
        .build(&())
        .unwrap();
    let mut stream = zbus::MessageStream::from(&caller);
    caller.send(&message).await.unwrap();
    let serial = message.primary_header().serial_num();
    let reply = loop {
        let message = futures_util::StreamExt::next(&mut stream)
            .await
            .unwrap()
            .unwrap();
        if message.header().reply_serial() == Some(serial) {
            break message;
        }
    };
    // They were asked and failed: no challenge any more.
    assert_eq!(reply.header().error_name().unwrap().as_str(), DENIED);
    assert!(rig.polkit.asked()[0].interactive);
}

#[tokio::test]
async fn a_flood_of_one_caller_is_limited_and_others_are_answered() {
    let rig = Rig::start().await;
    rig.polkit.answer_all(Answer::Yes);
    rig.polkit.gate.forget_permits(usize::MAX);
    let (flood, other) = (rig.bus.connect().await, rig.bus.connect().await);
    let mut held = tokio::task::JoinSet::new();
    for _ in 0..40 {
        let flood = flood.clone();
        held.spawn(async move { call(&flood, ROOT, HOST, "ClosePairing", &()).await });
    }
    // The first refusal shows that all slots of this caller are taken.
    let first = held.join_next().await.unwrap().unwrap();
    assert_eq!(name_of(&first), "org.freedesktop.DBus.Error.LimitsExceeded");
    let read = call(
        &other,
        ROOT,
        "org.freedesktop.DBus.Properties",
        "GetAll",
        &HOST,
    );
    assert_eq!(name_of(&read.await), "ok");
    rig.polkit.gate.add_permits(1000);
    let outcomes = held.join_all().await;
    let answered = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(answered, 16, "what was begun is finished");
}
