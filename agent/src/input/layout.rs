//! A keyboard's layout: which keys type a character there, and what its modifier keys do.
//!
//! Everything is found out at once by pressing each key of the keymap in libxkbcommon's imagination; what is kept is plain
//! tables. Key codes are Linux's, 8 below those of XKB.

use std::{collections::HashMap, fs::File, os::fd::AsFd, os::unix::fs::FileExt};

use xkbcommon::xkb;

use super::keymap;

/// Between the key codes of XKB and Linux's.
const OFFSET: u32 = 8;
/// The keys that choose another character of a key.
const SHIFT: u16 = 42;
const LEVEL3: u16 = 100;
/// The last key code that a keyboard of XKB's classic range has.
const LAST: u32 = 255;
/// The largest keymap that is read: usual ones have 60 KiB.
const MAX_KEYMAP: u32 = 1 << 20;
/// Layouts of one keymap that are looked at; XKB has four at most.
const MAX_GROUPS: u32 = 4;

/// A key and what is held around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stroke {
    pub code: u16,
    pub shift: bool,
    /// AltGr.
    pub level3: bool,
}

impl Stroke {
    /// On a US keyboard, and what types on every one.
    pub fn us(character: char) -> Option<Self> {
        let (code, shift) = keymap::ascii(character)?;
        Some(Self {
            code,
            shift,
            level3: false,
        })
    }

    /// The keys to hold around it, in this order.
    pub fn holds(self) -> impl Iterator<Item = u16> {
        [(self.shift, SHIFT), (self.level3, LEVEL3)]
            .into_iter()
            .filter_map(|(held, code)| held.then_some(code))
    }
}

/// What a key does to the modifiers, as masks of the keymap's own bits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Effect {
    /// While it is down.
    pub held: u32,
    /// Toggled by each press.
    pub locked: u32,
}

/// The tables of one keymap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// For each of its groups ("us", "de").
    strokes: Vec<HashMap<char, Stroke>>,
    effects: HashMap<u16, Effect>,
    text: String,
}

impl Layout {
    /// Of a keymap that a compositor gave; None for one that libxkbcommon cannot read.
    pub fn of_file(file: impl AsFd, size: u32) -> Option<Self> {
        let file = File::from(file.as_fd().try_clone_to_owned().ok()?);
        let mut text = vec![0; size.min(MAX_KEYMAP) as usize];
        let read = file.read_at(&mut text, 0).ok()?;
        text.truncate(read);
        let end = text.iter().position(|byte| *byte == 0).unwrap_or(read);
        text.truncate(end);
        Self::of_text(String::from_utf8(text).ok()?)
    }

    pub fn of_text(text: String) -> Option<Self> {
        if text.contains('\0') {
            return None;
        }
        let context = context();
        let flags = xkb::KEYMAP_COMPILE_NO_FLAGS;
        let format = xkb::KEYMAP_FORMAT_TEXT_V1;
        xkb::Keymap::new_from_string(&context, text, format, flags).map(|map| Self::of(&map))
    }

    /// What `XKB_DEFAULT_LAYOUT` and its like say, else a US keyboard; None without xkeyboard-config.
    pub fn of_system() -> Option<Self> {
        Self::named("", "")
    }

    fn named(layout: &str, variant: &str) -> Option<Self> {
        let flags = xkb::KEYMAP_COMPILE_NO_FLAGS;
        let map = xkb::Keymap::new_from_names(&context(), "", "", layout, variant, None, flags);
        map.map(|map| Self::of(&map))
    }

    fn of(map: &xkb::Keymap) -> Self {
        let groups = map.num_layouts().clamp(1, MAX_GROUPS);
        let last = map.max_keycode().raw().min(LAST);
        let codes = || {
            let first = map.min_keycode().raw().max(OFFSET);
            (first..=last).filter_map(|code| u16::try_from(code - OFFSET).ok())
        };
        Self {
            strokes: (0..groups)
                .map(|group| strokes(map, group, codes()))
                .collect(),
            effects: codes()
                .map(|code| (code, effect(map, code)))
                .filter(|(_, effect)| *effect != Effect::default())
                .collect(),
            text: map.get_as_string(xkb::KEYMAP_FORMAT_TEXT_V1),
        }
    }

    /// How a character is typed, in this group of the keymap.
    pub fn stroke(&self, character: char, group: u32) -> Option<Stroke> {
        // Return, Tab and backspace are where they are on every keyboard
        if character.is_control() {
            return Stroke::us(character);
        }
        let group = self.strokes.get(group as usize).or(self.strokes.first());
        group?.get(&character).copied()
    }

    /// Whether every one of its groups types a character by the same keys.
    pub fn agrees(&self, character: char) -> bool {
        let first = self.stroke(character, 0);
        let mut others = self.strokes.iter().skip(1);
        character.is_control() || others.all(|group| group.get(&character).copied() == first)
    }

    /// Whether it has several groups, of which one is in force.
    pub fn has_several(&self) -> bool {
        self.strokes.len() > 1
    }

    /// Whether one of its groups has a character.
    pub fn has(&self, character: char) -> bool {
        self.strokes
            .iter()
            .any(|group| group.contains_key(&character))
    }

    /// Whether each of its groups has a character.
    pub fn has_everywhere(&self, character: char) -> bool {
        self.strokes
            .iter()
            .all(|group| group.contains_key(&character))
    }

    pub fn effect(&self, code: u16) -> Effect {
        self.effects.get(&code).copied().unwrap_or_default()
    }

    /// The whole keymap, as XKB writes it.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// A keymap that types these characters on the keys from `first` on, one each; for what no layout has.
pub fn keymap_of(characters: &[char], codes: &[u16]) -> String {
    let (mut names, mut symbols) = (String::new(), String::new());
    for (number, (character, code)) in characters.iter().zip(codes).enumerate() {
        let code = u32::from(*code) + OFFSET;
        let symbol = xkb::keysym_get_name(xkb::utf32_to_keysym(u32::from(*character)));
        names.push_str(&format!("<T{number}> = {code};\n"));
        symbols.push_str(&format!("key <T{number}> {{ [ {symbol} ] }};\n"));
    }
    format!(
        "xkb_keymap {{\nxkb_keycodes \"text\" {{ minimum = {OFFSET}; maximum = {LAST};\n{names}}};\n\
         xkb_types \"text\" {{ include \"complete\" }};\nxkb_compatibility \"text\" {{ include \"complete\" }};\n\
         xkb_symbols \"text\" {{\n{symbols}}};\n}};\n"
    )
}

fn context() -> xkb::Context {
    let mut context = xkb::Context::new(xkb::CONTEXT_NO_FLAGS);
    // a keymap that cannot be read is said by who needs it
    context.set_log_level(xkb::LogLevel::Critical);
    context
}

fn in_group(map: &xkb::Keymap, group: u32) -> xkb::State {
    let mut state = xkb::State::new(map);
    state.update_mask(0, 0, 0, 0, 0, group);
    state
}

fn key(code: u16) -> xkb::Keycode {
    xkb::Keycode::new(u32::from(code) + OFFSET)
}

/// The simplest stroke for each character. Keys of the keypad are left out, because what they type depends on num lock, and
/// those that ordinary keyboards have not.
fn strokes(
    map: &xkb::Keymap,
    group: u32,
    codes: impl Iterator<Item = u16> + Clone,
) -> HashMap<char, Stroke> {
    let keypad = |code: &u16| matches!(code, 55 | 71..=83 | 96 | 98 | 117 | 118 | 121);
    let ordinary = |code: &u16| *code < 128 && !keypad(code);
    let mut found = HashMap::new();
    for (shift, level3) in [(false, false), (true, false), (false, true), (true, true)] {
        let mut state = in_group(map, group);
        let holds = Stroke {
            code: 0,
            shift,
            level3,
        };
        for code in holds.holds() {
            state.update_key(key(code), xkb::KeyDirection::Down);
        }
        for code in codes.clone().filter(ordinary) {
            let typed = char::from_u32(state.key_get_utf32(key(code)));
            if let Some(typed) = typed.filter(|typed| !typed.is_control()) {
                found.entry(typed).or_insert(Stroke {
                    code,
                    shift,
                    level3,
                });
            }
        }
    }
    found
}

fn effect(map: &xkb::Keymap, code: u16) -> Effect {
    let mut state = in_group(map, 0);
    state.update_key(key(code), xkb::KeyDirection::Down);
    let down = state.serialize_mods(xkb::STATE_MODS_DEPRESSED);
    state.update_key(key(code), xkb::KeyDirection::Up);
    let locked = state.serialize_mods(xkb::STATE_MODS_LOCKED);
    Effect {
        // a lock key is also held while it is down, which no compositor is told apart
        held: down & !locked,
        locked,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(code: u16) -> Option<Stroke> {
        Some(Stroke {
            code,
            shift: false,
            level3: false,
        })
    }

    #[test]
    fn a_german_keyboard_types_its_own_letters_where_they_are() {
        let german = Layout::named("de", "").unwrap();
        assert_eq!(german.stroke('z', 0), plain(21));
        assert_eq!(german.stroke('ü', 0), plain(26));
        let at = german.stroke('@', 0).unwrap();
        assert_eq!((at.code, at.shift, at.level3), (16, false, true));
        let slash = german.stroke('/', 0).unwrap();
        assert_eq!((slash.code, slash.shift, slash.level3), (8, true, false));
        assert_eq!(german.stroke('\n', 0), plain(28));
        assert_eq!(german.stroke('日', 0), None);
        // AltGr is no Alt there
        assert_eq!(german.effect(100).held, 128);
        assert_eq!(german.effect(42).held, 1);
        assert_eq!(
            german.effect(58),
            Effect { held: 0, locked: 2 },
            "caps lock"
        );
    }

    #[test]
    fn a_us_keyboard_agrees_with_the_table_that_needs_none() {
        let us = Layout::named("us", "").unwrap();
        for character in ' '..='~' {
            let stroke = us.stroke(character, 0);
            // the key beside left shift, which XKB gives every keyboard, types these at once
            if "<>|".contains(character) && stroke.is_some_and(|stroke| stroke.code == 86) {
                continue;
            }
            assert_eq!(stroke, Stroke::us(character), "{character:?}");
        }
    }

    #[test]
    fn each_group_of_a_keymap_types_its_own() {
        let both = Layout::named("us,ru", ",").unwrap();
        assert_eq!(both.stroke('q', 0), plain(16));
        assert_eq!(both.stroke('й', 0), None);
        assert_eq!(both.stroke('й', 1), plain(16));
        assert_eq!(both.stroke('q', 9), plain(16), "a group that is not there");
        assert!(both.agrees('1') && both.agrees('\n') && !both.agrees('q') && !both.agrees('й'));
        assert!(both.has('й') && both.has('q') && !both.has('日'));
        assert!(both.has_everywhere('1') && !both.has_everywhere('й'));
        // what none of them has they agree upon
        assert!(both.agrees('日'));
    }

    #[test]
    fn a_keymap_of_missing_characters_can_be_read_and_types_them() {
        let text = keymap_of(&['é', '日', '😀'], &[16, 17, 18]);
        let made = Layout::of_text(text).unwrap();
        assert_eq!(made.stroke('é', 0), plain(16));
        assert_eq!(made.stroke('日', 0), plain(17));
        assert_eq!(made.stroke('😀', 0), plain(18));
    }

    #[test]
    fn what_is_no_keymap_is_refused() {
        assert_eq!(Layout::of_text("xkb_keymap {".to_owned()), None);
        assert_eq!(Layout::of_text("a\0b".to_owned()), None);
        let file = File::open("/dev/null").unwrap();
        assert_eq!(Layout::of_file(&file, u32::MAX), None);
    }
}
