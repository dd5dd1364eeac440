//! KWin's side of the protocol that the agent speaks, generated from the same description.
//!
//! So a message that stands at a wrong place in the description is wrong on both sides, and not seen here.

#![allow(missing_docs, clippy::all, clippy::pedantic, unused)]

use wayland_server;
use wayland_server::protocol::*;

pub mod __interfaces {
    use wayland_server::backend as wayland_backend;
    use wayland_server::protocol::__interfaces::*;
    wayland_scanner::generate_interfaces!("protocols/kde-outputs.xml");
}
use self::__interfaces::*;
wayland_scanner::generate_server_code!("protocols/kde-outputs.xml");
