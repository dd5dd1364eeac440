//! Bus names, object paths, interface names, polkit actions.

/// The service's well-known name on the system bus.
pub const BUS_NAME: &str = "org.punktfunk.Host1";
/// The service's root object, which is also the object manager.
pub const ROOT_PATH: &str = "/org/punktfunk/Host1";
/// The interface of the root object.
pub const HOST_INTERFACE: &str = "org.punktfunk.Host1";
pub const PAIRING_INTERFACE: &str = "org.punktfunk.Host1.Pairing";
pub const CLIENT_INTERFACE: &str = "org.punktfunk.Host1.Client";
pub const REGISTERED_AGENT_INTERFACE: &str = "org.punktfunk.Host1.Agent";
pub const STREAM_INTERFACE: &str = "org.punktfunk.Host1.Stream";
pub const AGENT_INTERFACE: &str = "org.punktfunk.Agent1";
/// The path where an agent exports [`AGENT_INTERFACE`] on its unique name.
pub const AGENT_PATH: &str = "/org/punktfunk/Agent1";
/// The prefix of the host's own error names; [`crate::error`] has the list.
pub const ERROR_PREFIX: &str = "org.punktfunk.Host1.Error";
/// The account that the package makes and that the service becomes. Files that no program reads say it as well (sysusers, the bus's
/// policy, polkit's actions and rule, the unit, udev's rules); a test of the service holds them to this.
pub const ACCOUNT: &str = "punktfunk";
pub const ACTION_PAIR: &str = "org.punktfunk.host.pair";
pub const ACTION_MANAGE_OWN: &str = "org.punktfunk.host.manage-own";
pub const ACTION_MANAGE_ALL: &str = "org.punktfunk.host.manage-all";
pub const ACTION_CONFIGURE: &str = "org.punktfunk.host.configure";
pub const ACTION_REGISTER_AGENT: &str = "org.punktfunk.host.register-agent";

/// The path of an object below the root: `kind` is `pairings`, `clients`, `agents` or `streams`. Characters that
/// a path cannot hold are written `_xx`; an empty `id` is `_`.
pub fn object_path(kind: &str, id: &str) -> String {
    let mut path = format!("{ROOT_PATH}/{kind}/");
    if id.is_empty() {
        path.push('_');
    }
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() {
            path.push(byte.into());
        } else {
            path.push_str(&format!("_{byte:02x}"));
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn object_paths_are_valid_and_differ_where_the_ids_do() {
        let ids = ["", "_", "7", "c2", "c-2", "c_2d2", "ü"];
        let paths = ids.map(|id| object_path("agents", id));
        for (path, id) in paths.iter().zip(ids) {
            assert!(zbus::zvariant::ObjectPath::try_from(path.as_str()).is_ok());
            let same = paths.iter().filter(|other| *other == path).count();
            assert_eq!(same, 1, "{id}");
        }
        assert_eq!(
            object_path("agents", "c2"),
            "/org/punktfunk/Host1/agents/c2"
        );
    }
}
