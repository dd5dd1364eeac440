//! The two virtual keyboards: one with the layouts of the session's own, and one for what those have not.

use std::{fs::File, io::Write, os::fd::AsFd};

use nix::sys::memfd::{MFdFlags, memfd_create};
use wayland_client::protocol::wl_keyboard::KeymapFormat;
use wayland_protocols_misc::zwp_virtual_keyboard_v1::client::zwp_virtual_keyboard_v1::ZwpVirtualKeyboardV1;

use crate::{
    input::{
        layout::{Effect, Layout, keymap_of},
        modifiers::Modifiers,
    },
    source::sway::LayoutInForce,
};

/// A plain PC keyboard with the US layout, where there is no libxkbcommon data to make one of; the compositor resolves the
/// includes from its own xkeyboard-config.
const US_KEYMAP: &str = r#"xkb_keymap {
  xkb_keycodes { include "evdev+aliases(qwerty)" };
  xkb_types { include "complete" };
  xkb_compat { include "complete" };
  xkb_symbols { include "pc+us+inet(evdev)" };
};
"#;

/// The keys that type what the session's layout has not: letters by their places, which programs that look at places
/// (browsers) take for nothing special.
const TEXT_KEYS: [u16; 26] = [
    16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 30, 31, 32, 33, 34, 35, 36, 37, 38, 44, 45, 46, 47, 48,
    49, 50,
];

/// The keys of a client, on a keymap like the session's.
pub struct Keyboard {
    keyboard: ZwpVirtualKeyboardV1,
    layout: Option<Layout>,
    modifiers: Modifiers,
    /// Which of several layouts is in force, where the compositor can be asked.
    in_force: Option<LayoutInForce>,
    /// The one that it was last told by us.
    group: u32,
}

impl Keyboard {
    pub fn new(keyboard: ZwpVirtualKeyboardV1, layout: Option<Layout>) -> std::io::Result<Self> {
        hand_over(&keyboard, layout.as_ref().map_or(US_KEYMAP, Layout::text))?;
        let several = layout.as_ref().is_some_and(Layout::has_several);
        Ok(Self {
            keyboard,
            layout,
            modifiers: Modifiers::default(),
            in_force: several.then(LayoutInForce::find).flatten(),
            group: 0,
        })
    }

    pub fn layout(&self) -> Option<&Layout> {
        self.layout.as_ref()
    }

    /// A key goes down or up. The compositor takes keys as they are, and is told beside them what they do to the modifiers, which cannot
    /// be done without a word on the layout in force.
    pub fn key(&mut self, code: u16, down: bool, now: u32) {
        let group = self.group;
        if down && let Some(in_force) = &mut self.in_force {
            self.group = in_force.ask().unwrap_or(group);
        }
        // a layout that was switched at the machine is in force for this key
        if self.group != group {
            self.tell();
        }
        self.keyboard.key(now, code.into(), down.into());
        let effect = match &self.layout {
            Some(layout) => layout.effect(code),
            None => us_effect(code),
        };
        if self.modifiers.follow(code, down, effect) {
            self.tell();
        }
    }

    fn tell(&self) {
        let (held, locked) = (self.modifiers.depressed(), self.modifiers.locked);
        self.keyboard.modifiers(held, 0, locked, self.group);
    }

    pub fn destroy(&self) {
        self.keyboard.destroy();
    }
}

/// Types what the layout has not.
pub struct TextKeyboard {
    keyboard: ZwpVirtualKeyboardV1,
    /// What its keys type, in the order of [`TEXT_KEYS`].
    characters: Vec<char>,
}

impl TextKeyboard {
    pub fn new(keyboard: ZwpVirtualKeyboardV1) -> std::io::Result<Self> {
        hand_over(&keyboard, &keymap_of(&[], &[]))?;
        Ok(Self {
            keyboard,
            characters: Vec::new(),
        })
    }

    /// Press and let go of the key of a character.
    pub fn press(&mut self, character: char, now: u32) -> std::io::Result<()> {
        let code = u32::from(self.key(character)?);
        self.keyboard.key(now, code, 1);
        self.keyboard.key(now, code, 0);
        Ok(())
    }

    pub fn destroy(&self) {
        self.keyboard.destroy();
    }

    /// The key of a character, on a keymap that has it.
    fn key(&mut self, character: char) -> std::io::Result<u16> {
        let known = self.characters.iter().position(|known| *known == character);
        let place = match known {
            Some(place) => place,
            None => {
                if self.characters.len() == TEXT_KEYS.len() {
                    self.characters.clear();
                }
                self.characters.push(character);
                hand_over(&self.keyboard, &keymap_of(&self.characters, &TEXT_KEYS))?;
                self.characters.len() - 1
            }
        };
        Ok(TEXT_KEYS.get(place).copied().unwrap_or(TEXT_KEYS[0]))
    }
}

/// Give a virtual keyboard its keymap.
fn hand_over(keyboard: &ZwpVirtualKeyboardV1, keymap: &str) -> std::io::Result<()> {
    let mut file = File::from(memfd_create(c"keymap", MFdFlags::MFD_CLOEXEC)?);
    file.write_all(keymap.as_bytes())?;
    file.write_all(&[0])?;
    let size = u32::try_from(keymap.len() + 1).unwrap_or(u32::MAX);
    keyboard.keymap(KeymapFormat::XkbV1.into(), file.as_fd(), size);
    Ok(())
}

/// What the modifier keys of [`US_KEYMAP`] do: the eight real modifiers have their classic places.
fn us_effect(code: u16) -> Effect {
    let (held, locked) = match code {
        42 | 54 => (1, 0),
        58 => (0, 2),
        29 | 97 => (4, 0),
        56 | 100 => (8, 0),
        69 => (0, 16),
        125 | 126 => (64, 0),
        _ => (0, 0),
    };
    Effect { held, locked }
}
