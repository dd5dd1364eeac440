//! Method → action.
use punktfunk_dbus::names::{
    ACTION_CONFIGURE, ACTION_MANAGE_ALL, ACTION_MANAGE_OWN, ACTION_PAIR, ACTION_REGISTER_AGENT,
};

/// What a method takes, on an object of the caller's account (or of nobody) and on another account's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    pub interface: &'static str,
    pub member: &'static str,
    pub own: &'static str,
    pub others: &'static str,
}

const HOST: &str = "org.punktfunk.Host1";
const PAIRING: &str = "org.punktfunk.Host1.Pairing";
const CLIENT: &str = "org.punktfunk.Host1.Client";
const AGENT: &str = "org.punktfunk.Host1.Agent";
const STREAM: &str = "org.punktfunk.Host1.Stream";

/// Every method there is. What is missing here cannot be called.
pub const RULES: [Rule; 17] = [
    // The real gate is the session's user, checked at admission.
    same(HOST, "RegisterAgent", ACTION_REGISTER_AGENT),
    same(HOST, "OpenPairing", ACTION_PAIR),
    same(HOST, "ClosePairing", ACTION_PAIR),
    same(HOST, "SetConfiguration", ACTION_CONFIGURE),
    same(HOST, "ResetConfiguration", ACTION_CONFIGURE),
    same(HOST, "ReloadConfiguration", ACTION_CONFIGURE),
    same(PAIRING, "Accept", ACTION_PAIR),
    same(PAIRING, "Reject", ACTION_PAIR),
    owned(CLIENT, "Unpair"),
    // Giving a client away hands another account's sessions to it: not the owner's to decide.
    same(CLIENT, "SetOwner", ACTION_MANAGE_ALL),
    owned(CLIENT, "SetPermissions"),
    // A log-in screen is nobody's own.
    same(CLIENT, "SetGreeter", ACTION_MANAGE_ALL),
    owned(CLIENT, "SetExpiry"),
    owned(AGENT, "ListApplications"),
    owned(STREAM, "Stop"),
    owned(STREAM, "RequestKeyframe"),
    owned(STREAM, "SetBitrate"),
];

/// The rule of a method.
pub fn rule(interface: &str, member: &str) -> Option<&'static Rule> {
    RULES
        .iter()
        .find(|rule| rule.interface == interface && rule.member == member)
}

const fn same(interface: &'static str, member: &'static str, action: &'static str) -> Rule {
    Rule {
        interface,
        member,
        own: action,
        others: action,
    }
}

const fn owned(interface: &'static str, member: &'static str) -> Rule {
    Rule {
        interface,
        member,
        own: ACTION_MANAGE_OWN,
        others: ACTION_MANAGE_ALL,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use punktfunk_dbus::interfaces;

    #[test]
    fn the_table_and_the_documented_methods_are_the_same() {
        let mut documented = Vec::new();
        for xml in [
            interfaces::HOST,
            interfaces::PAIRING,
            interfaces::CLIENT,
            interfaces::AGENT,
            interfaces::STREAM,
        ] {
            let node = zbus_xml::Node::from_reader(xml.as_bytes()).unwrap();
            for interface in node.interfaces() {
                for method in interface.methods() {
                    documented.push((interface.name().to_string(), method.name().to_string()));
                }
            }
        }
        let mut ruled: Vec<_> = RULES
            .iter()
            .map(|rule| (rule.interface.to_owned(), rule.member.to_owned()))
            .collect();
        documented.sort();
        ruled.sort();
        assert_eq!(ruled, documented);
    }

    #[test]
    fn what_is_not_in_the_table_is_refused() {
        assert_eq!(rule(HOST, "Reboot"), None);
        assert_eq!(rule("org.example", "OpenPairing"), None);
    }
}
