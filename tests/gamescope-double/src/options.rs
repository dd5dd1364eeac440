//! The command line, read as `getopt_long` does it for the real one.

/// Long name, short one, and whether it takes a value. Of 3.16; 3.11 has neither `backend` nor anything else without a window.
const OPTIONS: &[(&str, char, bool)] = &[
    ("help", ' ', false),
    ("version", ' ', false),
    ("nested-width", 'w', true),
    ("nested-height", 'h', true),
    ("nested-refresh", 'r', true),
    ("max-scale", 'm', true),
    ("scaler", 'S', true),
    ("filter", 'F', true),
    ("output-width", 'W', true),
    ("output-height", 'H', true),
    ("sharpness", ' ', true),
    ("fsr-sharpness", ' ', true),
    ("rt", ' ', false),
    ("prefer-vk-device", ' ', true),
    ("expose-wayland", ' ', false),
    ("mouse-sensitivity", 's', true),
    ("mangoapp", ' ', false),
    (BACKEND, ' ', true),
    ("nested-unfocused-refresh", 'o', true),
    ("borderless", 'b', false),
    ("fullscreen", 'f', false),
    ("grab", 'g', false),
    ("force-grab-cursor", ' ', false),
    ("adaptive-sync", ' ', false),
    ("framerate-limit", ' ', true),
    ("xwayland-count", ' ', true),
    ("cursor", ' ', true),
    ("ready-fd", 'R', true),
    ("stats-path", 'T', true),
    ("hide-cursor-delay", 'C', true),
    ("steam", 'e', false),
    ("force-composition", 'c', false),
    ("force-windows-fullscreen", ' ', false),
    ("hdr-enabled", ' ', false),
];
const BACKEND: &str = "backend";

/// What was asked for.
#[derive(Debug, Default)]
pub struct Options {
    pub width: u32,
    pub height: u32,
    pub fps: u32,
    pub headless: bool,
    pub wayland: bool,
    pub command: Vec<String>,
}

/// Read the command line; None: it was a question, and is answered.
pub fn parse(words: Vec<String>, old: bool) -> Result<Option<Options>, String> {
    let mut words = words.into_iter();
    let me = words.next().unwrap_or_default();
    let mut options = Options {
        width: 1280,
        height: 720,
        fps: 60,
        ..Options::default()
    };
    while let Some(word) = words.next() {
        if word == "--" {
            options.command = words.collect();
            return Ok(Some(options));
        }
        if !word.starts_with('-') {
            options.command = [word].into_iter().chain(words).collect();
            return Ok(Some(options));
        }
        let (known, mut value) = match word.strip_prefix("--") {
            Some(long) => {
                let (name, value) = match long.split_once('=') {
                    Some((name, value)) => (name, Some(value.to_owned())),
                    None => (long, None),
                };
                let known = OPTIONS
                    .iter()
                    .find(|(known, ..)| *known == name && !(old && name == BACKEND));
                (known, value)
            }
            None => {
                let mut letters = word.chars().skip(1);
                let letter = letters.next().unwrap_or(' ');
                let rest: String = letters.collect();
                let known = OPTIONS
                    .iter()
                    .find(|(_, known, _)| letter != ' ' && *known == letter);
                (known, (!rest.is_empty()).then_some(rest))
            }
        };
        let Some((name, _, takes)) = known else {
            return Err(format!("{me}: unrecognized option '{word}'"));
        };
        if *takes && value.is_none() {
            value = words.next();
        }
        if *takes && value.is_none() {
            return Err(format!("{me}: option '{word}' requires an argument"));
        }
        let value = value.unwrap_or_default();
        // as atoi has it
        let number = || value.parse().unwrap_or(0);
        match *name {
            "help" => {
                help(old);
                return Ok(None);
            }
            "version" => return Ok(None),
            "output-width" => options.width = number(),
            "output-height" => options.height = number(),
            "nested-refresh" => options.fps = number().max(1),
            "expose-wayland" => options.wayland = true,
            BACKEND => match value.as_str() {
                "headless" => options.headless = true,
                "auto" | "drm" | "sdl" | "wayland" => {}
                _ => return Err("gamescope: invalid value for --backend".to_owned()),
            },
            _ => {}
        }
    }
    Ok(Some(options))
}

fn help(old: bool) {
    eprintln!("usage: gamescope [options...] -- [command...]\n\nOptions:");
    for (long, short, _) in OPTIONS {
        match (*long, *short) {
            (BACKEND, _) if old => {}
            (BACKEND, _) => {
                eprintln!("  --backend                      select rendering backend");
                eprintln!("                                     auto => autodetect (default)");
                eprintln!(
                    "                                     headless => use headless backend (no window, no DRM output)"
                );
            }
            (long, ' ') => eprintln!("  --{long}"),
            (long, short) => eprintln!("  -{short}, --{long}"),
        }
    }
}
