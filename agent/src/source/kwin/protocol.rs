//! KWin's own protocol for describing and changing outputs, generated from `protocols/kde-outputs.xml`.
//!
//! Written down here because the published crate ends before custom modes (version 18) and the registry of KWin 6.7.

#![allow(missing_docs, clippy::all, clippy::pedantic, unused)]

use wayland_client;
use wayland_client::protocol::*;

pub mod __interfaces {
    use wayland_client::backend as wayland_backend;
    use wayland_client::protocol::__interfaces::*;
    wayland_scanner::generate_interfaces!("protocols/kde-outputs.xml");
}
use self::__interfaces::*;
wayland_scanner::generate_client_code!("protocols/kde-outputs.xml");
