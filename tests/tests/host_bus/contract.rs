//! The documented XML against what the service really says and answers.
use crate::{
    mocks::{Answer, Session},
    rig::{HOST, ROOT, Rig, call, name_of},
};
use punktfunk_dbus::interfaces;
use roxmltree::{Document, Node, ParsingOptions};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use zbus::{Connection, zvariant::OwnedValue};

/// A line for each member: kind, name, arguments or type, annotations.
fn members(interface: Node<'_, '_>) -> BTreeSet<String> {
    let describe = |node: Node<'_, '_>| {
        let mut text = node.tag_name().name().to_owned();
        for name in ["name", "type", "direction", "access", "value"] {
            if let Some(value) = node.attribute(name) {
                text += &format!(" {name}={value}");
            }
        }
        text
    };
    let elements = |node: Node<'_, '_>| {
        node.children()
            .filter(Node::is_element)
            .map(describe)
            .collect::<Vec<_>>()
            .join(", ")
    };
    interface
        .children()
        .filter(Node::is_element)
        .map(|member| format!("{} ({})", describe(member), elements(member)))
        .collect()
}

fn interfaces_in(xml: &str) -> BTreeMap<String, BTreeSet<String>> {
    let options = ParsingOptions {
        allow_dtd: true,
        ..ParsingOptions::default()
    };
    let document = Document::parse_with_options(xml, options).unwrap();
    let nodes = document
        .root_element()
        .children()
        .filter(|node| node.has_tag_name("interface"));
    nodes
        .map(|node| (node.attribute("name").unwrap().to_owned(), members(node)))
        .collect()
}

async fn introspect(connection: &Connection, path: &str) -> String {
    let reply = call(
        connection,
        path,
        "org.freedesktop.DBus.Introspectable",
        "Introspect",
        &(),
    )
    .await;
    reply.unwrap().body().deserialize().unwrap()
}

/// One object of each kind that needs no network.
async fn objects(rig: &Rig, agent: &Connection) -> Vec<(String, &'static str)> {
    rig.polkit.answer_all(Answer::Yes);
    rig.logind.add("c1", Session::of(rig.own.0)).await;
    let path = crate::admission::register(agent, "c1").await.unwrap();
    vec![
        (ROOT.to_owned(), interfaces::HOST),
        (rig.own_client(), interfaces::CLIENT),
        (path.to_string(), interfaces::AGENT),
    ]
}

#[tokio::test]
async fn live_introspection_is_the_documented_xml() {
    let rig = Rig::start().await;
    let caller = rig.bus.connect().await;
    for (path, xml) in objects(&rig, &caller).await {
        let mut live = interfaces_in(&introspect(&caller, &path).await);
        for (interface, documented) in interfaces_in(xml) {
            let live = live
                .remove(&interface)
                .unwrap_or_else(|| panic!("{interface} is not at {path}"));
            assert_eq!(live, documented, "{interface}");
        }
        live.retain(|name, _| !name.starts_with("org.freedesktop.DBus."));
        assert!(live.is_empty(), "not documented at {path}: {live:?}");
    }
}

#[tokio::test]
async fn every_documented_property_is_there_with_its_type_and_no_other() {
    let rig = Rig::start().await;
    let caller = rig.bus.connect().await;
    for (path, xml) in objects(&rig, &caller).await {
        let document = Document::parse_with_options(
            xml,
            ParsingOptions {
                allow_dtd: true,
                ..Default::default()
            },
        )
        .unwrap();
        let interface = document
            .descendants()
            .find(|node| node.has_tag_name("interface"))
            .unwrap();
        let documented: BTreeMap<String, String> = interface
            .children()
            .filter(|node| node.has_tag_name("property"))
            .map(|node| {
                (
                    node.attribute("name").unwrap().into(),
                    node.attribute("type").unwrap().into(),
                )
            })
            .collect();
        let name = interface.attribute("name").unwrap();
        let reply = call(
            &caller,
            &path,
            "org.freedesktop.DBus.Properties",
            "GetAll",
            &name,
        )
        .await
        .unwrap();
        let live: HashMap<String, OwnedValue> = reply.body().deserialize().unwrap();
        let live: BTreeMap<String, String> = live
            .into_iter()
            .map(|(name, value)| (name, value.value_signature().to_string()))
            .collect();
        assert_eq!(live, documented, "{name}");
        for property in documented.keys() {
            let body = (name, property.as_str());
            assert!(
                call(
                    &caller,
                    &path,
                    "org.freedesktop.DBus.Properties",
                    "Get",
                    &body
                )
                .await
                .is_ok()
            );
            let body = (name, property.as_str(), zbus::zvariant::Value::from("x"));
            let set = call(
                &caller,
                &path,
                "org.freedesktop.DBus.Properties",
                "Set",
                &body,
            )
            .await;
            assert_eq!(name_of(&set), "org.freedesktop.DBus.Error.PropertyReadOnly");
        }
    }
}

#[tokio::test]
async fn the_tree_can_be_walked_from_the_top() {
    let rig = Rig::start().await;
    let caller = rig.bus.connect().await;
    let client = rig.own_client();
    for (path, child) in [
        ("/", "org"),
        ("/org", "punktfunk"),
        ("/org/punktfunk", "Host1"),
        (ROOT, "clients"),
        (
            "/org/punktfunk/Host1/clients",
            client.rsplit('/').next().unwrap(),
        ),
    ] {
        let xml = introspect(&caller, path).await;
        assert!(
            xml.contains(&format!("<node name=\"{child}\"/>")),
            "{path}: {xml}"
        );
    }
    let nowhere = call(
        &caller,
        "/org/nowhere",
        "org.freedesktop.DBus.Introspectable",
        "Introspect",
        &(),
    )
    .await;
    assert_eq!(name_of(&nowhere), crate::rig::UNKNOWN_OBJECT);
}

#[tokio::test]
async fn wrong_calls_get_the_standard_errors_and_the_service_goes_on() {
    let rig = Rig::start().await;
    rig.polkit.answer_all(Answer::Yes);
    let caller = rig.bus.connect().await;
    let error = |name| format!("org.freedesktop.DBus.Error.{name}");
    for (path, interface, member, expected) in [
        (ROOT, HOST, "Reboot", "UnknownMethod"),
        (ROOT, "org.example.Other", "Do", "UnknownMethod"),
        ("/", HOST, "ClosePairing", "UnknownObject"),
        (
            ROOT,
            "org.punktfunk.Host1.Client",
            "Unpair",
            "UnknownObject",
        ),
        (
            "/org/punktfunk/Host1/clients/none",
            "org.punktfunk.Host1.Client",
            "Unpair",
            "UnknownObject",
        ),
        (
            "/org/punktfunk/Host1/streams/1",
            "org.punktfunk.Host1.Stream",
            "Stop",
            "UnknownObject",
        ),
    ] {
        let outcome = call(&caller, path, interface, member, &()).await;
        assert_eq!(
            name_of(&outcome),
            error(expected),
            "{path} {interface}.{member}"
        );
    }
    for body in ["text".to_owned(), "x".repeat(1 << 15)] {
        let outcome = call(&caller, ROOT, HOST, "OpenPairing", &body).await;
        assert_eq!(name_of(&outcome), error("InvalidArgs"));
    }
    let zero = call(&caller, ROOT, HOST, "OpenPairing", &0u32).await;
    assert_eq!(name_of(&zero), error("InvalidArgs"));
    let granted: u32 = call(&caller, ROOT, HOST, "OpenPairing", &u32::MAX)
        .await
        .unwrap()
        .body()
        .deserialize()
        .unwrap();
    assert_eq!(granted, 300);
}

#[tokio::test]
async fn a_second_service_does_not_get_the_name() {
    let rig = Rig::start().await;
    let second = rig.serve().await.err().expect("the name is taken");
    assert!(
        second.to_string().contains("another punktfunkd"),
        "{second}"
    );
    assert!(rig.api.as_ref().unwrap().is_alive());
}

#[tokio::test]
async fn a_store_that_cannot_be_written_is_an_error_for_the_caller_and_changes_nothing() {
    let rig = Rig::start().await;
    rig.polkit.answer_all(Answer::Yes);
    let caller = rig.bus.connect().await;
    let client = rig.own_client();
    std::fs::create_dir(rig.state_dir().join("clients.json.new")).unwrap();
    let outcome = call(
        &caller,
        &client,
        "org.punktfunk.Host1.Client",
        "Unpair",
        &(),
    )
    .await;
    assert_eq!(name_of(&outcome), "org.punktfunk.Host1.Error.Failed");
    assert_eq!(rig.host.clients.list().len(), 1);
}
