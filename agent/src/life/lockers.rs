//! Lock screens that tell logind nothing: programs of wlroots compositors, which draw over everything (`ext-session-lock`).
//! The protocol tells nobody but the locker that the session is locked, so the program itself is looked for.

use crate::processes;

/// By the names that the kernel has of their processes.
const LOCKERS: [&str; 5] = [
    "swaylock",
    "hyprlock",
    "waylock",
    "gtklock",
    "swaylock-plugin",
];

/// The locker that this user runs.
pub fn running() -> Option<&'static str> {
    processes::named(&LOCKERS)
}
