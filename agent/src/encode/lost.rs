//! A card that is gone, by a reset or a failure of its driver: when it is looked for again, and when the stream gives up.

use super::EncodeError;
use std::{
    fmt,
    time::{Duration, Instant},
};

/// How long it may take to come back, and how often it is looked for.
const PATIENCE: Duration = Duration::from_secs(10);
const RETRY: Duration = Duration::from_millis(250);

/// The card of one encoder, as far as it is away.
#[derive(Debug, Default)]
pub struct Lost(Option<Away>);

#[derive(Debug)]
struct Away {
    since: Instant,
    next_try: Instant,
    reason: String,
}

impl Lost {
    /// It is gone, or gone again before a picture was encoded: the first try comes at once.
    pub fn gone(&mut self, reason: &dyn fmt::Display) {
        tracing::warn!("the encoder's device is lost and opened anew: {reason}");
        let now = Instant::now();
        self.0 = Some(Away {
            since: self.0.as_ref().map_or(now, |away| away.since),
            next_try: now,
            reason: reason.to_string(),
        });
    }

    /// Whether it is time to open it.
    pub fn due(&self) -> bool {
        (self.0.as_ref()).is_none_or(|away| Instant::now() >= away.next_try)
    }

    /// It was opened.
    pub fn back(&mut self) {
        if self.0.take().is_some() {
            tracing::info!("the encoder is back");
        }
    }

    /// It could not be opened.
    ///
    /// # Errors
    /// It has been away for too long.
    pub fn still_away(
        &mut self,
        encoder: &'static str,
        error: &dyn fmt::Display,
    ) -> Result<(), EncodeError> {
        let now = Instant::now();
        let away = self.0.get_or_insert_with(|| Away {
            since: now,
            next_try: now,
            reason: error.to_string(),
        });
        if now.duration_since(away.since) > PATIENCE {
            return Err(EncodeError::Backend {
                encoder,
                what: "open the device anew",
                why: format!("{}; it did not come back: {error}", away.reason),
            });
        }
        away.next_try = now + RETRY;
        Ok(())
    }
}
