//! How long an answer takes, and how long to wait for it before sending again.
use std::time::Duration;

/// Waited for the first answer, when nothing is known yet.
const UNKNOWN: Duration = Duration::from_millis(200);
/// The wire counts in milliseconds.
const STEP: Duration = Duration::from_millis(1);
/// No wait is longer, so that a connection which comes back is noticed.
const LONGEST: Duration = Duration::from_secs(2);

/// A part of `time`. Halving and the like cannot fail.
#[expect(clippy::arithmetic_side_effects, reason = "no divisor is 0")]
fn part<const N: u32>(time: Duration) -> Duration {
    time / N.max(1)
}

/// A smoothed round-trip time with its variation.
#[derive(Debug, Default)]
pub(super) struct RoundTrip {
    known: Option<(Duration, Duration)>,
}

impl RoundTrip {
    pub(super) fn measured(&mut self, sample: Duration) {
        let sample = sample.max(STEP);
        self.known = Some(match self.known {
            None => (sample, part::<2>(sample)),
            Some((mean, variation)) => {
                let off = mean.abs_diff(sample);
                let variation = variation
                    .saturating_sub(part::<4>(variation))
                    .saturating_add(part::<4>(off));
                let mean = if sample >= mean {
                    mean.saturating_add(part::<8>(off))
                } else {
                    mean.saturating_sub(part::<8>(off))
                };
                (mean, variation)
            }
        });
    }

    /// The wait after the `attempt`th sending (from 1): at most two round trips at first, then one unit more each time.
    pub(super) fn wait(&self, attempt: u32) -> Duration {
        let first = match self.known {
            None => UNKNOWN,
            Some((mean, variation)) => {
                let margin = variation.max(STEP).saturating_mul(4);
                mean.saturating_add(margin.min(mean))
            }
        };
        first.saturating_mul(attempt.max(1)).min(LONGEST)
    }

    /// By how much a later datagram may overtake an earlier one before that one counts as lost.
    pub(super) fn overtaking(&self) -> Duration {
        self.known
            .map_or(UNKNOWN, |(mean, _)| part::<8>(mean).saturating_add(STEP))
    }
}
