//! Each check: facts in, one finding out. In the order in which a person should mend things.
mod desktop;
mod installation;
mod machine;
mod session;

use super::{Facts, Finding};

pub const ALL: [fn(&Facts) -> Finding; 20] = [
    installation::bus,
    installation::bus_policy,
    installation::service_user,
    installation::unit,
    installation::service,
    installation::polkit,
    installation::action_file,
    machine::ports,
    machine::send_buffer,
    machine::discovery,
    machine::gamepads,
    session::agent,
    session::pipewire,
    desktop::session_manager,
    desktop::capture,
    desktop::lock,
    desktop::outputs,
    desktop::gamescope,
    session::encoders,
    session::codecs,
];

/// The session that the caller's agent offers.
pub fn own_session(facts: &Facts) -> Option<String> {
    session::own_agent(facts).map(|agent| agent.session.clone())
}

/// Said by checks of what an installation puts in place.
const DEVELOPMENT: &str = "not checked for a development host";

#[cfg(test)]
mod tests;
