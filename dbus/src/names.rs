//! Bus names, object paths, interface names, polkit actions, error names.

pub const BUS_NAME: &str = "org.punktfunk.Host1";
pub const ROOT_PATH: &str = "/org/punktfunk/Host1";
pub const AGENT_INTERFACE: &str = "org.punktfunk.Agent1";
/// The path where an agent exports [`AGENT_INTERFACE`] on its unique name.
pub const AGENT_PATH: &str = "/org/punktfunk/Agent1";
pub const ERROR_PREFIX: &str = "org.punktfunk.Host1.Error";
pub const ACTION_PAIR: &str = "org.punktfunk.host.pair";
pub const ACTION_MANAGE_OWN: &str = "org.punktfunk.host.manage-own";
pub const ACTION_MANAGE_ALL: &str = "org.punktfunk.host.manage-all";
pub const ACTION_CONFIGURE: &str = "org.punktfunk.host.configure";
pub const ACTION_REGISTER_AGENT: &str = "org.punktfunk.host.register-agent";
