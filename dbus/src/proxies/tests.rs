//! The proxies and the XML say the same: names, directions of change, and nothing undocumented.
use zbus_xml::Node;

/// (XML, the source of its proxy)
const CONTRACT: [(&str, &str); 6] = [
    (
        include_str!("../../interfaces/org.punktfunk.Host1.xml"),
        include_str!("host.rs"),
    ),
    (
        include_str!("../../interfaces/org.punktfunk.Host1.Pairing.xml"),
        include_str!("pairing.rs"),
    ),
    (
        include_str!("../../interfaces/org.punktfunk.Host1.Client.xml"),
        include_str!("client.rs"),
    ),
    (
        include_str!("../../interfaces/org.punktfunk.Host1.Agent.xml"),
        include_str!("agent.rs"),
    ),
    (
        include_str!("../../interfaces/org.punktfunk.Host1.Stream.xml"),
        include_str!("stream.rs"),
    ),
    (
        include_str!("../../interfaces/org.punktfunk.Agent1.xml"),
        include_str!("agent1.rs"),
    ),
];

/// `method NAME`, `signal NAME` and `property NAME CHANGES`, sorted, of the XML.
fn members_of_xml(xml: &str) -> (String, Vec<String>) {
    let node = Node::from_reader(xml.as_bytes()).unwrap();
    let [interface] = node.interfaces() else {
        panic!("one interface in each file");
    };
    let methods = interface.methods().iter().map(|method| {
        for arg in method.args() {
            assert!(
                arg.name().is_some(),
                "{}: an unnamed argument",
                method.name()
            );
        }
        format!("method {}", method.name())
    });
    let properties = interface.properties().iter().map(|property| {
        let changes = property.annotations().iter().find_map(|annotation| {
            let name = "org.freedesktop.DBus.Property.EmitsChangedSignal";
            (annotation.name() == name).then(|| annotation.value().to_owned())
        });
        let changes = changes.unwrap_or_else(|| panic!("{} is not annotated", property.name()));
        format!("property {} {changes}", property.name())
    });
    let signals = interface.signals().iter();
    let signals = signals.map(|signal| format!("signal {}", signal.name()));
    let mut members: Vec<_> = methods.chain(properties).chain(signals).collect();
    members.sort();
    (interface.name().to_string(), members)
}

/// The same, of the proxy's source.
fn members_of_proxy(source: &str) -> Vec<String> {
    let mut attribute = "";
    let mut members = Vec::new();
    for line in source.lines().map(str::trim) {
        if line.starts_with("#[zbus(") {
            attribute = line;
        } else if let Some(declaration) = line.strip_prefix("fn ") {
            let name = camel_case(declaration.split('(').next().unwrap());
            members.push(if attribute.contains("property") {
                let changes = attribute.split('"').nth(1).unwrap_or("true");
                format!("property {name} {changes}")
            } else if attribute.contains("signal") && !attribute.contains("property") {
                format!("signal {name}")
            } else {
                format!("method {name}")
            });
            attribute = "";
        }
    }
    members.sort();
    members
}

fn camel_case(snake: &str) -> String {
    let word = |word: &str| word[..1].to_uppercase() + &word[1..];
    snake.split('_').map(word).collect()
}

#[test]
fn each_proxy_has_exactly_the_members_of_its_interface() {
    for (xml, source) in CONTRACT {
        let (interface, members) = members_of_xml(xml);
        assert!(source.contains(&format!("interface = \"{interface}\"")));
        assert_eq!(members_of_proxy(source), members, "{interface}");
    }
}

#[test]
fn every_member_and_argument_is_documented() {
    for (xml, _) in CONTRACT {
        let (interface, members) = members_of_xml(xml);
        for member in members {
            let name = member.split(' ').nth(1).unwrap();
            assert!(
                xml.contains(&format!("\n      {name}:")),
                "{interface}.{name} has no comment"
            );
        }
        let node = Node::from_reader(xml.as_bytes()).unwrap();
        for arg in node.interfaces()[0].methods().iter().flat_map(|m| m.args()) {
            let name = arg.name().unwrap();
            assert!(xml.contains(&format!("@{name}:")), "{interface}: @{name}");
        }
    }
}
