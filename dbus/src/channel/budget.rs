//! A token bucket on a clock that is passed in: how many events a peer may cause in a second.

/// Scaled by a billion so that the refill per nanosecond is a whole number.
const ONE: u64 = 1_000_000_000;

/// `rate` events a second on average, `burst` at once.
#[derive(Debug)]
pub struct Budget {
    rate: u64,
    capacity: u64,
    tokens: u64,
    last_ns: Option<u64>,
}

impl Budget {
    pub fn new(rate: u32, burst: u32) -> Self {
        let capacity = u64::from(burst).saturating_mul(ONE);
        Self {
            rate: u64::from(rate),
            capacity,
            tokens: capacity,
            last_ns: None,
        }
    }

    /// Whether one more event is within the budget now. A clock that runs backwards refills nothing.
    pub fn take(&mut self, now_ns: u64) -> bool {
        let elapsed = now_ns.saturating_sub(self.last_ns.unwrap_or(now_ns));
        self.last_ns = Some(self.last_ns.map_or(now_ns, |last| last.max(now_ns)));
        let refill = elapsed.saturating_mul(self.rate);
        self.tokens = self.tokens.saturating_add(refill).min(self.capacity);
        match self.tokens.checked_sub(ONE) {
            Some(left) => {
                self.tokens = left;
                true
            }
            None => false,
        }
    }
}
