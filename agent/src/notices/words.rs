//! What notifications say. Names are devices' own: shown as plain text, without what could move or hide anything.

/// Of a name that is shown.
const LONGEST: usize = 48;

/// The name as it is shown.
pub(super) fn name(name: &str) -> String {
    let harmless = |c: &char| {
        !c.is_control()
            && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    let mut shown: String = name.chars().filter(harmless).take(LONGEST).collect();
    if name.chars().filter(harmless).count() > LONGEST {
        shown.push('…');
    }
    match shown.trim() {
        "" => "A device".to_owned(),
        trimmed => trimmed.to_owned(),
    }
}

pub(super) fn wants_to_pair(device: &str) -> String {
    format!("{} wants to pair with this computer", name(device))
}

/// Below it; `number` is the attempt's, `typed` whether the PIN can be typed into the notification.
pub(super) fn how_to_pair(number: &str, typed: bool) -> String {
    let command = format!("punktfunkctl pair --device {number}");
    let danger = "It can then watch and control your sessions.";
    match typed {
        true => format!("Enter the PIN that it shows. {danger}"),
        false => format!("To let it, run: {command}\nand enter the PIN that it shows. {danger}"),
    }
}

pub(super) fn watching(watchers: &[String]) -> String {
    match watchers {
        [one] => format!("{} is watching this session", name(one)),
        several => format!("{} devices are watching this session", several.len()),
    }
}

/// Text below a summary may be markup.
pub(super) fn plain(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_devices_name_is_shown_and_does_nothing_else() {
        assert_eq!(name("Living room"), "Living room");
        assert_eq!(name("a\u{202e}b\n\u{1b}[2Jc"), "ab[2Jc");
        assert_eq!(name(" \u{200b} "), "A device");
        assert_eq!(name(&"x".repeat(500)).chars().count(), LONGEST + 1);
        assert_eq!(plain("<b>&"), "&lt;b&gt;&amp;");
    }

    #[test]
    fn who_watches_is_named_or_counted() {
        assert_eq!(watching(&["TV".into()]), "TV is watching this session");
        let two = watching(&["TV".into(), "Phone".into()]);
        assert_eq!(two, "2 devices are watching this session");
    }
}
