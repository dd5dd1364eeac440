//! Applications as the service and an agent speak of them: what one entry looks like, and the bounds of everything.
use std::collections::HashMap;
use zbus::zvariant::OwnedValue;

/// The id of the desktop itself, which every catalogue begins with. Stable for ever: clients key shortcuts and pictures
/// by it.
pub const DESKTOP: u32 = 1_885_732_865;
/// Most applications in one catalogue, the desktop not counted.
pub const MAX_APPLICATIONS: usize = 512;
/// Longest title in characters.
pub const MAX_TITLE: usize = 128;
/// Largest answer of `ListApplications` in bytes.
pub const MAX_LIST: usize = 512 * 1024;
/// Largest picture in bytes.
pub const MAX_PICTURE: usize = 512 * 1024;
/// Largest width and height of a picture in pixels.
pub const MAX_PICTURE_SIDE: u32 = 2048;
/// Longest reason of an end in bytes.
pub const MAX_REASON: usize = 512;

/// One entry of `Agent1.ListApplications`: id, title, details.
pub type ApplicationEntry = (u32, String, HashMap<String, OwnedValue>);
