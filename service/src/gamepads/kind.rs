//! Which pad a client's controller becomes.
use punktfunk_core::input::ControllerKind;

/// Capability bits of an arrival.
pub mod capability {
    pub const TOUCHPAD: u16 = 0x08;
    pub const ACCELEROMETER: u16 = 0x10;
    pub const GYROSCOPE: u16 = 0x20;
}

/// What is made of a controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PadKind {
    Xbox,
    DualSense,
    Switch,
}

impl PadKind {
    /// As people know it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Xbox => "Xbox 360 pad",
            Self::DualSense => "DualSense",
            Self::Switch => "Switch Pro Controller",
        }
    }
}

/// The configuration's say in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Choice {
    /// As the client's controller is.
    #[default]
    Auto,
    Always(PadKind),
}

impl Choice {
    /// The words that the configuration accepts.
    pub const WORDS: [&'static str; 4] = ["auto", "xbox", "dualsense", "switch"];

    /// `None`: not one of [`Choice::WORDS`].
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "auto" => Self::Auto,
            "xbox" => Self::Always(PadKind::Xbox),
            "dualsense" => Self::Always(PadKind::DualSense),
            "switch" => Self::Always(PadKind::Switch),
            _ => return None,
        })
    }

    /// One of [`Choice::WORDS`].
    pub fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Always(PadKind::Xbox) => "xbox",
            Self::Always(PadKind::DualSense) => "dualsense",
            Self::Always(PadKind::Switch) => "switch",
        }
    }

    /// Some pad that is made under this choice has a touchpad and motion sensors.
    pub(super) fn has_touch_and_motion(self) -> bool {
        matches!(self, Self::Auto | Self::Always(PadKind::DualSense))
    }

    /// The pad for a controller; clients of the old style never say what theirs is.
    pub(super) fn pad_for(self, arrival: Option<&Arrival>) -> PadKind {
        let arrival = match self {
            Self::Always(kind) => return kind,
            Self::Auto => arrival,
        };
        let Some(arrival) = arrival else {
            return PadKind::Xbox;
        };
        match arrival.kind {
            ControllerKind::Xbox => PadKind::Xbox,
            ControllerKind::PlayStation => PadKind::DualSense,
            ControllerKind::Nintendo => PadKind::Switch,
            // Only a DualSense has places for what such a controller can do.
            ControllerKind::Steam | ControllerKind::Unknown if arrival.touches_or_moves() => {
                PadKind::DualSense
            }
            ControllerKind::Steam | ControllerKind::Unknown => PadKind::Xbox,
        }
    }
}

/// What a client said of a controller when it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    pub kind: ControllerKind,
    pub capabilities: u16,
    /// The buttons that it has, as in a controller's state.
    pub buttons: u32,
}

impl Arrival {
    pub(super) fn can(&self, capability: u16) -> bool {
        self.capabilities & capability != 0
    }

    fn touches_or_moves(&self) -> bool {
        self.can(capability::TOUCHPAD)
            || (self.can(capability::ACCELEROMETER) && self.can(capability::GYROSCOPE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrival(kind: ControllerKind, capabilities: u16) -> Arrival {
        Arrival {
            kind,
            capabilities,
            buttons: 0,
        }
    }

    #[test]
    fn a_controller_becomes_the_pad_that_it_is_and_an_unannounced_one_an_xbox_pad() {
        let auto = |kind, capabilities| Choice::Auto.pad_for(Some(&arrival(kind, capabilities)));
        assert_eq!(Choice::Auto.pad_for(None), PadKind::Xbox);
        assert_eq!(auto(ControllerKind::Xbox, 0x30), PadKind::Xbox);
        assert_eq!(auto(ControllerKind::PlayStation, 0), PadKind::DualSense);
        assert_eq!(auto(ControllerKind::Nintendo, 0x32), PadKind::Switch);
        assert_eq!(auto(ControllerKind::Unknown, 0x03), PadKind::Xbox);
        assert_eq!(auto(ControllerKind::Steam, 0x3A), PadKind::DualSense);
        assert_eq!(auto(ControllerKind::Unknown, 0x30), PadKind::DualSense);
    }

    #[test]
    fn the_configuration_can_force_a_kind() {
        for (word, kind) in [
            ("xbox", PadKind::Xbox),
            ("dualsense", PadKind::DualSense),
            ("switch", PadKind::Switch),
        ] {
            let choice = Choice::parse(word).unwrap();
            let said = arrival(ControllerKind::PlayStation, 0xFF);
            assert_eq!(choice.pad_for(Some(&said)), kind);
            assert_eq!(choice.pad_for(None), kind);
        }
        assert_eq!(Choice::parse("auto"), Some(Choice::Auto));
        assert_eq!(Choice::parse("gamecube"), None);
    }
}
