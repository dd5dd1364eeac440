//! Output report 0x02: what a program wants of the pad.
use crate::gamepads::feedback::{Resistance, Triggers, Wishes};

const NUMBER: u8 = 0x02;
/// First byte of flags.
mod first {
    pub const MOTORS: u8 = 0x01;
    /// The motors are to do what the report says, sound aside.
    pub const MOTORS_SELECTED: u8 = 0x02;
    pub const RIGHT_TRIGGER: u8 = 0x04;
    pub const LEFT_TRIGGER: u8 = 0x08;
}
/// In the second: the light's colour is meant.
const LIGHT: u8 = 0x04;
/// In the third: as [`first::MOTORS`], from newer drivers.
const MOTORS_NEW: u8 = 0x04;

/// What the report asks for; nothing where it is not report 0x02 or too short for what its flags promise.
pub(super) fn wishes(report: &[u8]) -> Wishes {
    let mut wishes = Wishes::default();
    let byte = |index: usize| report.get(index).copied();
    let (Some(NUMBER), Some(flags), Some(more)) = (byte(0), byte(1), byte(2)) else {
        return wishes;
    };
    let newest = byte(39).unwrap_or(0);
    if flags & (first::MOTORS | first::MOTORS_SELECTED) != 0 || newest & MOTORS_NEW != 0 {
        // The right motor is the light, fast one.
        if let (Some(high), Some(low)) = (byte(3), byte(4)) {
            wishes.rumble = Some((full_scale(low), full_scale(high)));
        }
    }
    if more & LIGHT != 0
        && let (Some(red), Some(green), Some(blue)) = (byte(45), byte(46), byte(47))
    {
        wishes.light = Some([red, green, blue]);
    }
    let triggers = Triggers {
        right: resistance(report, 11).filter(|_| flags & first::RIGHT_TRIGGER != 0),
        left: resistance(report, 22).filter(|_| flags & first::LEFT_TRIGGER != 0),
    };
    wishes.triggers = (triggers != Triggers::default()).then_some(triggers);
    wishes
}

fn full_scale(strength: u8) -> u16 {
    u16::from_be_bytes([strength, strength])
}

fn resistance(report: &[u8], at: usize) -> Option<Resistance> {
    let (kind, rest) = report.get(at..)?.split_first()?;
    Some(Resistance {
        kind: *kind,
        parameters: *rest.first_chunk()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(edit: impl FnOnce(&mut [u8])) -> Vec<u8> {
        let mut report = vec![0; 48];
        report[0] = 2;
        edit(&mut report);
        report
    }

    #[test]
    fn a_drivers_rumble_is_read_in_both_forms() {
        for (flag, at) in [(0x03, 1), (0x02, 1), (0x04, 39)] {
            let asked = report(|r| {
                r[at] = flag;
                (r[3], r[4]) = (0x40, 0xFF);
            });
            assert_eq!(wishes(&asked).rumble, Some((0xFFFF, 0x4040)), "{flag} {at}");
        }
        assert_eq!(wishes(&report(|r| r[3] = 9)), Wishes::default());
    }

    #[test]
    fn light_and_triggers_are_read_where_their_flags_are_set() {
        let asked = report(|r| {
            r[2] = 0x14;
            r[45..48].copy_from_slice(&[10, 20, 30]);
        });
        assert_eq!(wishes(&asked).light, Some([10, 20, 30]));
        let asked = report(|r| {
            r[1] = 0x08;
            r[11] = 0x26;
            r[22..33].copy_from_slice(&[0x21, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        });
        let left = Resistance {
            kind: 0x21,
            parameters: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
        };
        let expected = Triggers {
            left: Some(left),
            right: None,
        };
        assert_eq!(wishes(&asked).triggers, Some(expected));
        // Bytes without their flags are what drivers leave there.
        let unasked = report(|r| r[3..].fill(7));
        let Wishes {
            light, triggers, ..
        } = wishes(&unasked);
        assert_eq!((light, triggers), (None, None));
    }

    #[test]
    fn a_short_or_foreign_report_asks_for_nothing() {
        assert_eq!(wishes(&[]), Wishes::default());
        assert_eq!(wishes(&[2, 0xFF, 0xFF]), Wishes::default());
        let mut foreign = report(|r| r[1] = 0xFF);
        foreign[0] = 0x31;
        assert_eq!(wishes(&foreign), Wishes::default());
        for length in 0..64 {
            wishes(&vec![0xFF; length]);
            let mut cut = vec![0xFF; length];
            if let Some(number) = cut.first_mut() {
                *number = 2;
            }
            let seen = wishes(&cut);
            assert_eq!(seen.light.is_some(), length >= 48, "{length}");
            assert_eq!(seen.rumble.is_some(), length >= 5, "{length}");
        }
    }
}
