//! Force feedback as programs use it: effects that were uploaded, are played for a while, and add up.
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// Effects that one pad holds; told to the kernel, which refuses more.
pub(super) const SLOTS: u32 = 16;
const FULL_GAIN: u16 = 0xFFFF;

/// One effect. `length` zero = until it is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Effect {
    pub strong: u16,
    pub weak: u16,
    pub length: Duration,
    pub delay: Duration,
}

#[derive(Debug)]
struct Playing {
    from: Instant,
    until: Option<Instant>,
}

#[derive(Debug)]
pub(super) struct Effects {
    uploaded: BTreeMap<i16, Effect>,
    playing: BTreeMap<i16, Playing>,
    gain: u16,
}

impl Default for Effects {
    fn default() -> Self {
        Self {
            uploaded: BTreeMap::new(),
            playing: BTreeMap::new(),
            gain: FULL_GAIN,
        }
    }
}

impl Effects {
    /// `false`: there is no such slot. An effect that plays while it is replaced goes on with its new strength.
    pub(super) fn upload(&mut self, id: i16, effect: Effect) -> bool {
        let fits = u32::try_from(id).is_ok_and(|id| id < SLOTS);
        if fits {
            self.uploaded.insert(id, effect);
        }
        fits
    }

    pub(super) fn erase(&mut self, id: i16) {
        self.uploaded.remove(&id);
        self.playing.remove(&id);
    }

    /// Play an effect `count` times; 0 stops it.
    pub(super) fn play(&mut self, id: i16, count: i32, now: Instant) {
        let (Some(effect), Ok(count @ 1..)) = (self.uploaded.get(&id), u32::try_from(count)) else {
            self.playing.remove(&id);
            return;
        };
        let from = now.checked_add(effect.delay).unwrap_or(now);
        let until = match effect.length {
            Duration::ZERO => None,
            // Too long for a clock is for ever.
            length => length
                .checked_mul(count)
                .and_then(|total| from.checked_add(total)),
        };
        self.playing.insert(id, Playing { from, until });
    }

    /// 0xFFFF = as strong as the effects say.
    pub(super) fn set_gain(&mut self, gain: i32) {
        self.gain = u16::try_from(gain.clamp(0, i32::from(FULL_GAIN))).unwrap_or(FULL_GAIN);
    }

    /// Strength of both motors now.
    pub(super) fn level(&mut self, now: Instant) -> (u16, u16) {
        self.playing
            .retain(|_, playing| playing.until.is_none_or(|until| now < until));
        let mut sum = (0_u16, 0_u16);
        for (id, playing) in &self.playing {
            if let Some(effect) = self.uploaded.get(id).filter(|_| now >= playing.from) {
                sum.0 = sum.0.saturating_add(effect.strong);
                sum.1 = sum.1.saturating_add(effect.weak);
            }
        }
        let scale = |strength: u16| {
            let scaled = u32::from(strength)
                .saturating_mul(self.gain.into())
                .checked_div(FULL_GAIN.into());
            scaled
                .and_then(|scaled| u16::try_from(scaled).ok())
                .unwrap_or(FULL_GAIN)
        };
        (scale(sum.0), scale(sum.1))
    }

    /// When the level changes by itself.
    pub(super) fn due(&self, now: Instant) -> Option<Instant> {
        self.playing
            .values()
            .flat_map(|playing| [Some(playing.from), playing.until])
            .flatten()
            .filter(|at| *at > now)
            .min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effect(strong: u16, weak: u16, length: u64, delay: u64) -> Effect {
        Effect {
            strong,
            weak,
            length: Duration::from_millis(length),
            delay: Duration::from_millis(delay),
        }
    }

    #[test]
    fn effects_add_up_and_end_by_themselves() {
        let (mut effects, start) = (Effects::default(), Instant::now());
        let at = |ms| start + Duration::from_millis(ms);
        assert!(effects.upload(0, effect(0x8000, 0x100, 100, 0)));
        assert!(effects.upload(1, effect(0x9000, 0x200, 50, 20)));
        effects.play(0, 2, start);
        effects.play(1, 1, start);
        assert_eq!(effects.level(at(0)), (0x8000, 0x100));
        assert_eq!(effects.due(at(0)), Some(at(20)));
        assert_eq!(effects.level(at(20)), (0xFFFF, 0x300));
        assert_eq!(effects.due(at(20)), Some(at(70)));
        assert_eq!(effects.level(at(70)), (0x8000, 0x100));
        assert_eq!(effects.level(at(199)), (0x8000, 0x100));
        assert_eq!(effects.level(at(200)), (0, 0));
        assert_eq!(effects.due(at(200)), None);
    }

    #[test]
    fn an_endless_effect_ends_when_it_is_stopped_erased_or_replaced() {
        let (mut effects, now) = (Effects::default(), Instant::now());
        let late = now + Duration::from_secs(3600);
        effects.upload(3, effect(10, 20, 0, 0));
        effects.play(3, 1, now);
        assert_eq!(effects.level(late), (10, 20));
        effects.upload(3, effect(30, 40, 0, 0));
        assert_eq!(effects.level(late), (30, 40));
        effects.play(3, 0, late);
        assert_eq!(effects.level(late), (0, 0));
        effects.play(3, 1, now);
        effects.erase(3);
        assert_eq!(effects.level(late), (0, 0));
        effects.play(3, 1, now);
        assert_eq!(effects.level(late), (0, 0), "what is erased does not play");
    }

    #[test]
    fn the_gain_scales_and_slots_are_bounded() {
        let (mut effects, now) = (Effects::default(), Instant::now());
        assert!(!effects.upload(-1, effect(1, 1, 1, 0)));
        assert!(!effects.upload(16, effect(1, 1, 1, 0)));
        effects.upload(0, effect(0xFFFF, 0x8000, 0, 0));
        effects.play(0, i32::MAX, now);
        effects.set_gain(0x7FFF);
        assert_eq!(effects.level(now), (0x7FFF, 0x3FFF));
        effects.set_gain(-5);
        assert_eq!(effects.level(now), (0, 0));
    }
}
