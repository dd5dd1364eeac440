//! A recording as a source of pictures: played in a circle, each unit marked with its stream and number.

use crate::{
    codec::Codec,
    filler,
    recording::{Mode, Recording},
    stream::{Pictures, Unit, Wanted, now_ns},
    tag,
};
use punktfunk_dbus::{
    channel::message::{FRAME_AFTER_INVALIDATION, FRAME_KEY},
    open_stream::OpenStream,
};
use std::{collections::BTreeMap, sync::Arc};

/// How recordings are played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlayerSettings {
    /// Lost references can be left out: the next unit is flagged so. (What it shows is the recording's all the same.) Else such an
    /// order is answered with a key frame.
    pub invalidates_refs: bool,
    /// Make every unit as large as the budget says, so that the rate on the wire follows orders.
    pub fill: bool,
    /// Put the mark of [`tag`] into every unit.
    pub tags: bool,
}

impl Default for PlayerSettings {
    fn default() -> Self {
        Self {
            invalidates_refs: false,
            fill: false,
            tags: true,
        }
    }
}

pub struct Player {
    recording: Arc<Recording>,
    settings: PlayerSettings,
    stream: u32,
    fps: u32,
    at: usize,
    counter: u64,
}

impl Player {
    /// `stream` is the number in the marks, `fps` the rate at which units are asked for.
    pub fn new(recording: Arc<Recording>, settings: PlayerSettings, stream: u32, fps: u32) -> Self {
        Self {
            recording,
            settings,
            stream,
            fps,
            at: 0,
            counter: 0,
        }
    }
}

/// Play the recording that a stream asks for.
///
/// # Errors
/// Text for the service: there is none of that mode.
pub fn open(
    recordings: &BTreeMap<Mode, Arc<Recording>>,
    settings: PlayerSettings,
    options: &OpenStream,
) -> Result<Box<dyn Pictures>, String> {
    let codec: Codec = options.codec.parse()?;
    let mode = Mode {
        codec,
        width: options.width,
        height: options.height,
        fps: options.fps,
    };
    // A recording at another rate plays faster or slower, which is none of the client's business.
    let recording = recordings.get(&mode).or_else(|| {
        recordings.values().find(|other| {
            Mode {
                fps: mode.fps,
                ..other.mode
            } == mode
        })
    });
    let recording = recording.ok_or_else(|| format!("there is no recording of {mode}"))?;
    let stream = options.stream as u32;
    let player = Player::new(Arc::clone(recording), settings, stream, options.fps);
    Ok(Box::new(player))
}

impl Pictures for Player {
    fn next(&mut self, wanted: Wanted) -> Unit {
        let (codec, units) = (self.recording.mode.codec, &self.recording.units);
        let invalidates = wanted.without_lost && self.settings.invalidates_refs;
        if wanted.key || (wanted.without_lost && !invalidates) || self.at >= units.len() {
            self.at = 0;
        }
        let unit = &units[self.at];
        self.at += 1;
        self.counter += 1;
        let mut bytes = if self.settings.tags {
            tag::tagged(codec, &unit.bytes, self.stream, self.counter, now_ns())
        } else {
            unit.bytes.clone()
        };
        if self.settings.fill {
            let budget = u64::from(wanted.kbps) * 125 / u64::from(self.fps.max(1));
            filler::fill(codec, &mut bytes, budget as usize);
        }
        let flags = match (unit.key, invalidates) {
            (true, _) => FRAME_KEY,
            (false, true) => FRAME_AFTER_INVALIDATION,
            (false, false) => 0,
        };
        Unit { bytes, flags }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Codec, Mode, split::RecordedUnit};

    fn player(invalidates_refs: bool) -> Player {
        let unit = |byte, key| RecordedUnit {
            bytes: vec![0, 0, 1, 0x41, byte],
            key,
        };
        let recording = Recording {
            mode: Mode {
                codec: Codec::H264,
                width: 64,
                height: 64,
                fps: 30,
            },
            units: vec![unit(0, true), unit(1, false), unit(2, false)],
        };
        let settings = PlayerSettings {
            invalidates_refs,
            tags: false,
            ..PlayerSettings::default()
        };
        Player::new(Arc::new(recording), settings, 1, 30)
    }

    fn played(player: &mut Player, wanted: Wanted) -> (u8, u32) {
        let unit = player.next(wanted);
        (unit.bytes[4], unit.flags)
    }

    #[test]
    fn a_recording_runs_in_a_circle_and_jumps_to_its_key_frame_when_asked() {
        let mut player = player(false);
        let plain = Wanted::default();
        let seen: Vec<_> = (0..4).map(|_| played(&mut player, plain)).collect();
        assert_eq!(seen, [(0, FRAME_KEY), (1, 0), (2, 0), (0, FRAME_KEY)]);
        assert_eq!(played(&mut player, plain), (1, 0));
        let key = Wanted { key: true, ..plain };
        assert_eq!(played(&mut player, key), (0, FRAME_KEY));
    }

    #[test]
    fn lost_references_are_left_out_where_that_can_be_and_else_a_key_frame_comes() {
        let lost = Wanted {
            without_lost: true,
            ..Wanted::default()
        };
        let mut able = player(true);
        played(&mut able, Wanted::default());
        assert_eq!(played(&mut able, lost), (1, FRAME_AFTER_INVALIDATION));
        let mut unable = player(false);
        played(&mut unable, Wanted::default());
        assert_eq!(played(&mut unable, lost), (0, FRAME_KEY));
    }
}
