//! What one stream may send in all, and what that leaves for its video.

/// The user's whole budget, as clients count it: video, parity, sound and packet headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::stream) struct Budget {
    whole_kbps: u32,
    audio_kbps: u32,
    /// Parity that the stream begins with, in percent.
    fec_percent: u8,
}

impl Budget {
    pub(in crate::stream) fn new(whole_kbps: u32, audio_kbps: u32, fec_percent: u8) -> Self {
        Self {
            whole_kbps,
            audio_kbps,
            fec_percent,
        }
    }

    pub(super) fn whole_kbps(&self) -> u32 {
        self.whole_kbps
    }

    /// The video alone.
    pub(in crate::stream) fn video_kbps(&self) -> u32 {
        self.video_of(self.whole_kbps)
    }

    /// The video alone, if the whole were this: parity, audio and packet headers taken off.
    pub(super) fn video_of(&self, whole_kbps: u32) -> u32 {
        let whole = u64::from(whole_kbps);
        let share = |of: u64, percent: u64| of.saturating_mul(percent) / 100;
        let protected = share(
            whole,
            100u64.saturating_sub(u64::from(self.fec_percent).min(99)),
        );
        let audio = u64::from(self.audio_kbps).min(share(protected, 20));
        let rest = protected.saturating_sub(audio);
        let overhead = share(rest, 10).min(500);
        u32::try_from(rest.saturating_sub(overhead))
            .unwrap_or(u32::MAX)
            .max(100)
    }

    /// The least budget that leaves this much for the video.
    pub(in crate::stream) fn with_video(self, video_kbps: u32) -> Self {
        let (mut least, mut most) = (0u32, u32::MAX);
        while least < most {
            let middle = least.saturating_add(most.saturating_sub(least) / 2);
            if self.video_of(middle) >= video_kbps {
                most = middle;
            } else {
                least = middle.saturating_add(1);
            }
        }
        Self {
            whole_kbps: least,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::arithmetic_side_effects, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parity_sound_and_headers_are_taken_off_the_whole() {
        assert_eq!(Budget::new(20_000, 96, 20).video_kbps(), 15_404);
        // A small one has little sound, and never less than any encoder makes a picture of.
        assert_eq!(Budget::new(1000, 512, 20).video_kbps(), 576);
        assert_eq!(Budget::new(0, 96, 20).video_kbps(), 100);
    }

    proptest! {
        #[test]
        fn a_budget_for_some_video_is_the_least_that_leaves_it(
            video in 101u32..800_000, audio in 96u32..2049, fec in 0u8..=100,
        ) {
            let budget = Budget::new(1, audio, fec).with_video(video);
            prop_assert!(budget.video_kbps() >= video);
            prop_assert!(budget.video_of(budget.whole_kbps() - 1) < video);
        }
    }
}
