//! What programs ask of one pad, on its way to the client: the latest wins, and not more often than a pad can follow.
use punktfunk_core::control::HostMessage;
use std::time::{Duration, Instant};

/// A program may ask a thousand times a second; a motor does not follow that, and the network need not carry it.
const GAP: Duration = Duration::from_millis(8);
/// A stop is said again: of all messages its loss would be noticed longest.
const AGAIN: Duration = Duration::from_millis(150);

/// New wishes of the programs that use a pad.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Wishes {
    /// Low- and high-frequency motor.
    pub rumble: Option<(u16, u16)>,
    /// Red, green, blue.
    pub light: Option<[u8; 3]>,
    pub triggers: Option<Triggers>,
}

/// Adaptive triggers. A side that is `None` is left as it is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Triggers {
    pub left: Option<Resistance>,
    pub right: Option<Resistance>,
}

/// A trigger's effect in the DualSense's own terms.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Resistance {
    pub kind: u8,
    pub parameters: [u8; 10],
}

impl Wishes {
    /// Later wishes replace earlier ones.
    pub(super) fn merge(&mut self, later: Self) {
        self.rumble = later.rumble.or(self.rumble);
        self.light = later.light.or(self.light);
        if let Some(later) = later.triggers {
            let earlier = self.triggers.unwrap_or_default();
            self.triggers = Some(Triggers {
                left: later.left.or(earlier.left),
                right: later.right.or(earlier.right),
            });
        }
    }
}

/// One value that the client is kept informed of.
#[derive(Debug)]
struct Told<T> {
    wanted: Option<T>,
    told: Option<T>,
    last: Option<Instant>,
}

impl<T> Default for Told<T> {
    fn default() -> Self {
        Self {
            wanted: None,
            told: None,
            last: None,
        }
    }
}

impl<T: Copy + PartialEq> Told<T> {
    fn ready(&self) -> Option<Instant> {
        (self.wanted != self.told).then_some(self.last.and_then(|last| last.checked_add(GAP)))?
    }

    /// What to tell now.
    fn take(&mut self, now: Instant) -> Option<T> {
        let waits = self.ready().is_some_and(|at| now < at);
        let news = self
            .wanted
            .filter(|wanted| Some(*wanted) != self.told && !waits)?;
        (self.told, self.last) = (Some(news), Some(now));
        Some(news)
    }
}

#[derive(Debug, Default)]
pub(super) struct Feedback {
    rumble: Told<(u16, u16)>,
    light: Told<[u8; 3]>,
    triggers: Told<Triggers>,
    /// When to say "stop" once more.
    stop_again: Option<Instant>,
}

impl Feedback {
    pub(super) fn wish(&mut self, wishes: Wishes) {
        self.rumble.wanted = wishes.rumble.or(self.rumble.wanted);
        self.light.wanted = wishes.light.or(self.light.wanted);
        if let Some(new) = wishes.triggers {
            let old = self.triggers.wanted.unwrap_or_default();
            self.triggers.wanted = Some(Triggers {
                left: new.left.or(old.left),
                right: new.right.or(old.right),
            });
        }
    }

    /// The client knows nothing of what was told so far: it is another one, or it has come back. Its motors are still.
    pub(super) fn forget(&mut self) {
        self.rumble.told = Some((0, 0));
        (self.light.told, self.triggers.told) = (None, None);
        self.stop_again = None;
    }

    /// The client must not feel anything any more, whatever programs want: the message for that, if it does.
    pub(super) fn quiet(&mut self, controller: u16, now: Instant) -> Option<HostMessage> {
        self.rumble.wanted = self.rumble.wanted.map(|_| (0, 0));
        let rumbles = self.rumble.told.is_some_and(|told| told != (0, 0));
        self.stop_again = None;
        (self.rumble.told, self.rumble.last) = (Some((0, 0)), Some(now));
        rumbles.then_some(rumble(controller, (0, 0)))
    }

    /// What the client of `controller` is to be told now.
    pub(super) fn take(&mut self, controller: u16, now: Instant) -> Vec<HostMessage> {
        let mut messages = Vec::new();
        if let Some(strength) = self.rumble.take(now) {
            messages.push(rumble(controller, strength));
            let stopped = strength == (0, 0);
            self.stop_again = now.checked_add(AGAIN).filter(|_| stopped);
        } else if self.stop_again.is_some_and(|at| now >= at) {
            self.stop_again = None;
            messages.push(rumble(controller, (0, 0)));
        }
        if let Some([red, green, blue]) = self.light.take(now) {
            messages.push(HostMessage::RgbLed {
                controller,
                red,
                green,
                blue,
            });
        }
        if let Some(triggers) = self.triggers.take(now) {
            messages.push(adaptive(controller, &triggers));
        }
        messages
    }

    /// When [`Feedback::take`] has something again. What waits for nothing is taken at once.
    pub(super) fn due(&self) -> Option<Instant> {
        [
            self.rumble.ready(),
            self.light.ready(),
            self.triggers.ready(),
            self.stop_again,
        ]
        .into_iter()
        .flatten()
        .min()
    }
}

fn rumble(controller: u16, (low, high): (u16, u16)) -> HostMessage {
    HostMessage::Rumble {
        controller,
        low,
        high,
    }
}

fn adaptive(controller: u16, triggers: &Triggers) -> HostMessage {
    const RIGHT: u8 = 0x04;
    const LEFT: u8 = 0x08;
    let (left, right) = (
        triggers.left.unwrap_or_default(),
        triggers.right.unwrap_or_default(),
    );
    let flag = |side: Option<Resistance>, bit| if side.is_some() { bit } else { 0 };
    HostMessage::AdaptiveTriggers {
        controller,
        flags: flag(triggers.left, LEFT) | flag(triggers.right, RIGHT),
        left_kind: left.kind,
        right_kind: right.kind,
        left: left.parameters,
        right: right.parameters,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rumbling(low: u16, high: u16) -> Wishes {
        Wishes {
            rumble: Some((low, high)),
            ..Wishes::default()
        }
    }

    #[test]
    fn the_latest_rumble_wins_and_a_stop_is_said_twice() {
        let (mut feedback, start) = (Feedback::default(), Instant::now());
        let at = |ms| start + Duration::from_millis(ms);
        feedback.wish(rumbling(1, 2));
        assert_eq!(feedback.take(4, at(0)), [rumble(4, (1, 2))]);
        for strength in 0..1000 {
            feedback.wish(rumbling(strength, 9));
            assert_eq!(feedback.take(4, at(3)), []);
        }
        assert_eq!(feedback.due(), Some(at(8)));
        assert_eq!(feedback.take(4, at(8)), [rumble(4, (999, 9))]);
        feedback.wish(rumbling(0, 0));
        assert_eq!(feedback.take(4, at(16)), [rumble(4, (0, 0))]);
        assert_eq!(feedback.due(), Some(at(166)));
        assert_eq!(feedback.take(4, at(165)), []);
        assert_eq!(feedback.take(4, at(166)), [rumble(4, (0, 0))]);
        assert_eq!(feedback.take(4, at(400)), []);
        assert_eq!(feedback.due(), None);
    }

    #[test]
    fn a_client_that_comes_back_is_told_the_light_and_the_triggers_again() {
        let (mut feedback, now) = (Feedback::default(), Instant::now());
        let stiff = Resistance {
            kind: 2,
            parameters: [7; 10],
        };
        feedback.wish(Wishes {
            light: Some([1, 2, 3]),
            triggers: Some(Triggers {
                left: Some(stiff),
                right: None,
            }),
            ..rumbling(0, 0)
        });
        let first = feedback.take(1, now);
        assert_eq!(first.len(), 3);
        assert!(matches!(
            first.last(),
            Some(HostMessage::AdaptiveTriggers { flags: 8, left_kind: 2, right_kind: 0, left, .. }) if *left == [7; 10]
        ));
        feedback.forget();
        let later = now + Duration::from_secs(1);
        assert_eq!(feedback.take(1, later), first[1..]);
    }

    #[test]
    fn a_pad_that_rests_is_silenced_once() {
        let (mut feedback, now) = (Feedback::default(), Instant::now());
        assert_eq!(feedback.quiet(0, now), None);
        feedback.wish(rumbling(5, 6));
        let later = now + Duration::from_secs(1);
        assert_eq!(feedback.take(0, later).len(), 1);
        assert_eq!(feedback.quiet(0, later), Some(rumble(0, (0, 0))));
        assert_eq!(feedback.quiet(0, later), None);
        assert_eq!(feedback.take(0, later), []);
    }
}
