//! The words for what a client may do, and what older words became.

/// May watch its owner's sessions. Without it there is no stream at all.
pub const PERMISSION_VIEW: &str = "view";
/// May hear the session.
pub const PERMISSION_AUDIO: &str = "audio";
/// May point: mouse, wheel, touch and pen.
pub const PERMISSION_POINTER: &str = "pointer";
/// May type: keys and text.
pub const PERMISSION_KEYBOARD: &str = "keyboard";
/// May bring gamepads.
pub const PERMISSION_GAMEPAD: &str = "gamepad";
/// May start applications; the desktop itself, which starts nothing, needs no more than `view`.
pub const PERMISSION_LAUNCH: &str = "launch";
/// May point and type while the session is locked.
pub const PERMISSION_UNLOCK: &str = "unlock";

/// Everything that a client may be allowed.
pub const PERMISSIONS: [&str; 7] = [
    PERMISSION_VIEW,
    PERMISSION_AUDIO,
    PERMISSION_POINTER,
    PERMISSION_KEYBOARD,
    PERMISSION_GAMEPAD,
    PERMISSION_LAUNCH,
    PERMISSION_UNLOCK,
];

/// What a newly paired client may do.
pub const DEFAULT_PERMISSIONS: [&str; 6] = [
    PERMISSION_VIEW,
    PERMISSION_AUDIO,
    PERMISSION_POINTER,
    PERMISSION_KEYBOARD,
    PERMISSION_GAMEPAD,
    PERMISSION_LAUNCH,
];

/// The first version's word for pointing and typing.
const INPUT: &str = "input";
const INPUT_BECAME: [&str; 2] = [PERMISSION_POINTER, PERMISSION_KEYBOARD];

/// These words in today's spelling and order, each once.
///
/// # Errors
/// The first word that is none.
pub(super) fn known(words: &[String]) -> Result<Vec<String>, &str> {
    match words
        .iter()
        .find(|word| *word != INPUT && !PERMISSIONS.contains(&word.as_str()))
    {
        Some(unknown) => Err(unknown),
        None => Ok(today(words)),
    }
}

/// A record of the first version: what its client could do then, it can do now. Everybody who was let in could start
/// what there was.
pub(super) fn of_first_version(mut words: Vec<String>) -> Vec<String> {
    if words.iter().any(|word| word == PERMISSION_VIEW) {
        words.push(PERMISSION_LAUNCH.to_owned());
    }
    today(&words)
}

fn today(words: &[String]) -> Vec<String> {
    let given = |known: &str| {
        words
            .iter()
            .any(|word| word == known || word == INPUT && INPUT_BECAME.contains(&known))
    };
    PERMISSIONS
        .into_iter()
        .filter(|known| given(known))
        .map(str::to_owned)
        .collect()
}
