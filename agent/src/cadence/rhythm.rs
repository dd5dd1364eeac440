//! How fast a source is: the time from one picture to the next, while they come steadily.

/// Pictures over which it is averaged, and from how many on it is known.
const AVERAGED: i64 = 64;
const KNOWN_AFTER: i64 = 32;

/// Times are CLOCK_MONOTONIC nanoseconds.
#[derive(Debug, Clone, Default)]
pub struct Rhythm {
    /// When the last picture came, and its number.
    last: Option<(u64, u64)>,
    mean_ns: i64,
    samples: i64,
}

impl Rhythm {
    /// The `number`th picture came, not necessarily the next after the one before. Pauses above `longest_ns` count for nothing.
    pub fn arrived(&mut self, at_ns: u64, number: u64, longest_ns: u64) {
        let Some((last_ns, last)) = self.last.replace((at_ns, number)) else {
            return;
        };
        let (time_ns, pictures) = (at_ns.saturating_sub(last_ns), number.saturating_sub(last));
        if time_ns > longest_ns {
            return;
        }
        let Some(apart_ns) = time_ns.checked_div(pictures) else {
            return;
        };
        self.samples = (self.samples + 1).min(AVERAGED);
        // Bounded by `longest_ns`, some intervals of a stream.
        self.mean_ns += (apart_ns as i64 - self.mean_ns) / self.samples;
    }

    /// From one picture to the next; None until that is known.
    pub fn apart_ns(&self) -> Option<u64> {
        (self.samples >= KNOWN_AFTER).then(|| self.mean_ns.unsigned_abs())
    }
}
