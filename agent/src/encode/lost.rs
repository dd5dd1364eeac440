//! A card that is gone, by a reset or a failure of its driver: when it is looked for again, and when the stream gives up.

use super::EncodeError;
use std::{
    fmt,
    time::{Duration, Instant},
};

/// How long it may take until it encodes again, and how often that is tried.
const PATIENCE: Duration = Duration::from_secs(10);
const RETRY: Duration = Duration::from_millis(250);

/// The card of one encoder, as far as it is away: from its loss until a picture is encoded. Opening it proves nothing.
#[derive(Debug, Default)]
pub struct Lost(Option<Away>);

#[derive(Debug)]
struct Away {
    since: Instant,
    next_try: Instant,
    reason: String,
    /// A picture was left out because the card did not import it.
    import_refused: bool,
}

impl Lost {
    /// It is gone: the first try comes at once, later ones while it does not encode after a while.
    ///
    /// # Errors
    /// It has been away for too long.
    pub fn gone(
        &mut self,
        encoder: &'static str,
        reason: &dyn fmt::Display,
    ) -> Result<(), EncodeError> {
        if self.0.is_some() {
            return self.still_away(encoder, reason);
        }
        tracing::warn!("the encoder's device is lost and opened anew: {reason}");
        let now = Instant::now();
        self.0 = Some(Away::new(now, reason));
        Ok(())
    }

    /// It has encoded nothing since it was lost.
    pub fn is_away(&self) -> bool {
        self.0.is_some()
    }

    /// Whether it is time to open it.
    pub fn due(&self) -> bool {
        (self.0.as_ref()).is_none_or(|away| Instant::now() >= away.next_try)
    }

    /// It has encoded a picture.
    pub fn encoded(&mut self) {
        if self.0.take().is_some() {
            tracing::info!("the encoder is back");
        }
    }

    /// It imports nothing just now. True: since its loss that is the first time, and it may be settling still.
    pub fn may_settle(&mut self) -> bool {
        (self.0.as_mut()).is_some_and(|away| !std::mem::replace(&mut away.import_refused, true))
    }

    /// It could not be opened, or not be used.
    ///
    /// # Errors
    /// It has been away for too long.
    pub fn still_away(
        &mut self,
        encoder: &'static str,
        error: &dyn fmt::Display,
    ) -> Result<(), EncodeError> {
        self.still_away_at(Instant::now(), encoder, error)
    }

    fn still_away_at(
        &mut self,
        now: Instant,
        encoder: &'static str,
        error: &dyn fmt::Display,
    ) -> Result<(), EncodeError> {
        let away = self.0.get_or_insert_with(|| Away::new(now, error));
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

impl Away {
    fn new(now: Instant, reason: &dyn fmt::Display) -> Self {
        Self {
            since: now,
            next_try: now,
            reason: reason.to_string(),
            import_refused: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_that_opens_and_never_encodes_is_given_up_in_the_end() {
        let mut lost = Lost::default();
        lost.gone("double", &"a reset").unwrap();
        assert!(lost.due(), "the first try comes at once");
        lost.gone("double", &"it opened, and failed").unwrap();
        let next = lost.0.as_ref().map(|away| away.next_try);
        assert!(
            next > lost.0.as_ref().map(|away| away.since),
            "the next one later"
        );
        let then = Instant::now() + PATIENCE - Duration::from_secs(1);
        lost.still_away_at(then, "double", &"not yet").unwrap();
        let late = Instant::now() + PATIENCE + Duration::from_secs(1);
        let error = lost.still_away_at(late, "double", &"failed again");
        let error = error.unwrap_err().to_string();
        for part in ["double", "a reset", "did not come back: failed again"] {
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn a_picture_begins_everything_anew() {
        let mut lost = Lost::default();
        lost.gone("double", &"a reset").unwrap();
        lost.gone("double", &"another").unwrap();
        lost.encoded();
        assert!(lost.due());
        lost.gone("double", &"much later").unwrap();
        assert!(lost.due(), "at once again");
    }

    #[test]
    fn one_import_may_be_refused_after_a_loss_and_none_without() {
        let mut lost = Lost::default();
        assert!(!lost.may_settle());
        lost.gone("double", &"a reset").unwrap();
        assert!(lost.may_settle());
        lost.gone("double", &"again").unwrap();
        assert!(!lost.may_settle());
        lost.encoded();
        lost.gone("double", &"the next").unwrap();
        assert!(lost.may_settle());
    }
}
