//! Windows virtual key codes to Linux key codes, by position on a US keyboard, as GameStream clients mean them.
//!
//! Linux codes are those of `linux/input-event-codes.h`. What a key then *types* is the session's own layout.

/// The Linux key code at the place of the Windows key `vk`; None for keys that no keyboard here has.
pub fn evdev(vk: u8) -> Option<u16> {
    let code = match vk {
        0x08 => 14,                                     // backspace
        0x09 => 15,                                     // tab
        0x0c => 76,                                     // clear: keypad 5 without num lock
        0x0d => 28,                                     // enter
        0x10 | 0xa0 => 42,                              // left shift
        0x11 | 0xa2 => 29,                              // left control
        0x12 | 0xa4 => 56,                              // left alt
        0x13 => 119,                                    // pause
        0x14 => 58,                                     // caps lock
        0x15 => 122,                                    // kana / hangul
        0x19 => 123,                                    // kanji / hanja
        0x1b => 1,                                      // escape
        0x1c => 92,                                     // convert
        0x1d => 94,                                     // non-convert
        0x20 => 57,                                     // space
        0x21 => 104,                                    // page up
        0x22 => 109,                                    // page down
        0x23 => 107,                                    // end
        0x24 => 102,                                    // home
        0x25 => 105,                                    // left
        0x26 => 103,                                    // up
        0x27 => 106,                                    // right
        0x28 => 108,                                    // down
        0x29 => 353,                                    // select
        0x2a => 210,                                    // print
        0x2c => 99,                                     // print screen
        0x2d => 110,                                    // insert
        0x2e => 111,                                    // delete
        0x2f => 138,                                    // help
        0x30 => 11,                                     // 0
        0x31..=0x39 => u16::from(vk - 0x31) + 2,        // 1 to 9
        0x41..=0x5a => LETTERS[usize::from(vk - 0x41)], // A to Z
        0x5b => 125,                                    // left super
        0x5c => 126,                                    // right super
        0x5d => 127,                                    // menu
        0x5f => 142,                                    // sleep
        0x60..=0x69 => KEYPAD[usize::from(vk - 0x60)],  // keypad 0 to 9
        0x6a => 55,                                     // keypad *
        0x6b => 78,                                     // keypad +
        0x6c => 121,                                    // keypad separator
        0x6d => 74,                                     // keypad -
        0x6e => 83,                                     // keypad .
        0x6f => 98,                                     // keypad /
        0x70..=0x79 => u16::from(vk - 0x70) + 59,       // F1 to F10
        0x7a => 87,                                     // F11
        0x7b => 88,                                     // F12
        0x7c..=0x87 => u16::from(vk - 0x7c) + 183,      // F13 to F24
        0x90 => 69,                                     // num lock
        0x91 => 70,                                     // scroll lock
        0x92 => 117,                                    // keypad =
        0xa1 => 54,                                     // right shift
        0xa3 => 97,                                     // right control
        0xa5 => 100,                                    // right alt
        0xa6 => 158,                                    // browser back
        0xa7 => 159,                                    // browser forward
        0xa8 => 173,                                    // browser refresh
        0xa9 => 128,                                    // browser stop
        0xaa => 217,                                    // browser search
        0xab => 156,                                    // browser favourites
        0xac => 172,                                    // browser home
        0xad => 113,                                    // mute
        0xae => 114,                                    // volume down
        0xaf => 115,                                    // volume up
        0xb0 => 163,                                    // next track
        0xb1 => 165,                                    // previous track
        0xb2 => 166,                                    // stop
        0xb3 => 164,                                    // play or pause
        0xb4 => 155,                                    // mail
        0xb5 => 226,                                    // media select
        0xb6 => 157,                                    // application 1: computer
        0xb7 => 140,                                    // application 2: calculator
        0xba => 39,                                     // ;
        0xbb => 13,                                     // =
        0xbc => 51,                                     // ,
        0xbd => 12,                                     // -
        0xbe => 52,                                     // .
        0xbf => 53,                                     // /
        0xc0 => 41,                                     // `
        0xc1 => 89,                                     // the key beside right shift (ABNT, JIS)
        0xc2 => 121,                                    // keypad . of ABNT
        0xdb => 26,                                     // [
        0xdc => 43,                                     // backslash
        0xdd => 27,                                     // ]
        0xde => 40,                                     // '
        0xe2 => 86,                                     // the key beside left shift (ISO)
        0xfa => 207,                                    // play
        0xfb => 372,                                    // zoom
        _ => return None,
    };
    Some(code)
}

const LETTERS: [u16; 26] = [
    30, 48, 46, 32, 18, 33, 34, 35, 23, 36, 37, 38, 50, 49, 24, 25, 16, 19, 31, 20, 22, 47, 17, 45,
    21, 44,
];

const KEYPAD: [u16; 10] = [82, 79, 80, 81, 75, 76, 77, 71, 72, 73];

/// The key, and whether shift, that types an ASCII character on a US layout.
pub fn ascii(character: char) -> Option<(u16, bool)> {
    let shifted = |key| Some((key, true));
    let plain = |key| Some((key, false));
    match character {
        'a'..='z' => plain(LETTERS[character as usize - 'a' as usize]),
        'A'..='Z' => shifted(LETTERS[character as usize - 'A' as usize]),
        '1'..='9' => plain(character as u16 - '1' as u16 + 2),
        '0' => plain(11),
        '!' => shifted(2),
        '@' => shifted(3),
        '#' => shifted(4),
        '$' => shifted(5),
        '%' => shifted(6),
        '^' => shifted(7),
        '&' => shifted(8),
        '*' => shifted(9),
        '(' => shifted(10),
        ')' => shifted(11),
        '-' => plain(12),
        '_' => shifted(12),
        '=' => plain(13),
        '+' => shifted(13),
        '[' => plain(26),
        '{' => shifted(26),
        ']' => plain(27),
        '}' => shifted(27),
        ';' => plain(39),
        ':' => shifted(39),
        '\'' => plain(40),
        '"' => shifted(40),
        '`' => plain(41),
        '~' => shifted(41),
        '\\' => plain(43),
        '|' => shifted(43),
        ',' => plain(51),
        '<' => shifted(51),
        '.' => plain(52),
        '>' => shifted(52),
        '/' => plain(53),
        '?' => shifted(53),
        ' ' => plain(57),
        '\n' | '\r' => plain(28),
        '\t' => plain(15),
        '\u{8}' => plain(14),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_printable_ascii_character_has_a_key_of_its_own() {
        let keys: std::collections::HashSet<_> = (' '..='~')
            .map(|c| ascii(c).unwrap_or_else(|| panic!("{c:?}")))
            .collect();
        assert_eq!(keys.len(), 95);
        assert_eq!(ascii('é'), None);
    }

    #[test]
    fn letters_and_digits_agree_with_the_keys_that_clients_send() {
        for character in ('a'..='z').chain('0'..='9') {
            let vk = character.to_ascii_uppercase() as u8;
            assert_eq!(
                evdev(vk),
                ascii(character).map(|(key, _)| key),
                "{character}"
            );
        }
    }

    #[test]
    fn keys_of_a_full_keyboard_are_known_and_left_and_right_differ() {
        for vk in [
            0x08, 0x09, 0x0d, 0x13, 0x14, 0x1b, 0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27,
            0x28, 0x2c, 0x2d, 0x2e, 0x5b, 0x5c, 0x5d, 0x90, 0x91, 0xba, 0xbb, 0xbc, 0xbd, 0xbe,
            0xbf, 0xc0, 0xdb, 0xdc, 0xdd, 0xde, 0xe2,
        ] {
            assert!(evdev(vk).is_some(), "{vk:#x}");
        }
        assert!((0x60..=0x87).all(|vk| evdev(vk).is_some()));
        for (left, right) in [(0xa0, 0xa1), (0xa2, 0xa3), (0xa4, 0xa5), (0x5b, 0x5c)] {
            assert_ne!(evdev(left), evdev(right));
        }
        assert_eq!(evdev(0), None);
        assert_eq!(evdev(0xff), None);
    }
}
