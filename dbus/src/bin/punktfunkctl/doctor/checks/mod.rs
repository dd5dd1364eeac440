//! Each check: facts in, one finding out. In the order in which a person should mend things.
mod installation;
mod machine;
mod session;

use super::{Facts, Finding};

pub const ALL: [fn(&Facts) -> Finding; 15] = [
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
    session::encoders,
    session::codecs,
];

/// Said by checks of what an installation puts in place.
const DEVELOPMENT: &str = "not checked for a development host";

#[cfg(test)]
mod tests;
