//! The log, in the real one's form and colours.

pub fn info(scope: &str, text: &str) {
    eprintln!("[gamescope] [\x1b[0;34mInfo\x1b[0m]  \x1b[0;37m{scope}:\x1b[0m {text}");
}

pub fn error(scope: &str, text: &str) {
    eprintln!("[gamescope] [\x1b[0;31mError\x1b[0m] \x1b[0;37m{scope}:\x1b[0m {text}");
}
