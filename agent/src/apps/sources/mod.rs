//! Where applications are found. Each source reads files of other programs, within bounds, and starts nothing.
pub mod desktop_entries;
pub mod desktop_file;
pub mod heroic;
pub mod lutris;
pub mod own;
pub mod steam;
pub mod vdf;
