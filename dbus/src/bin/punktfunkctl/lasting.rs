//! How long something is to last, as a person types it.

/// A number with its unit (`90m`, `8h`, `3d`, `2w`), from now on, or `never` (0), as seconds since 1970.
///
/// # Errors
/// What is accepted.
pub fn until(text: &str, now: u64) -> Result<u64, String> {
    if text == "never" {
        return Ok(0);
    }
    let wrong = || format!("{text:?} is neither \"never\" nor a time such as 90m, 8h, 3d or 2w");
    let (number, unit) = text
        .char_indices()
        .next_back()
        .and_then(|(at, unit)| Some((text.get(..at)?, unit)))
        .ok_or_else(wrong)?;
    let seconds: u64 = match unit {
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return Err(wrong()),
    };
    let number: u32 = number.parse().map_err(|_| wrong())?;
    if number == 0 {
        return Err("a pairing that is over at once is none: remove the client instead".into());
    }
    Ok(now + u64::from(number) * seconds)
}

/// When it ends, said from now.
pub fn left(until: u64, now: u64) -> String {
    match until.saturating_sub(now) {
        0 => "expired".into(),
        seconds @ 1..=7199 => format!("{} min left", seconds.div_ceil(60)),
        seconds @ 7200..=172_799 => format!("{} h left", seconds / 3600),
        seconds => format!("{} days left", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_number_with_a_unit() {
        assert_eq!(until("never", 5), Ok(0));
        assert_eq!(until("90m", 5), Ok(5 + 5400));
        assert_eq!(until("2w", 0), Ok(1_209_600));
        for wrong in ["", "m", "5", "5y", "0h", "-1d", "1.5h", "é"] {
            assert!(until(wrong, 0).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn what_is_left_is_said_in_its_largest_unit() {
        assert_eq!(left(5, 10), "expired");
        assert_eq!(left(70, 10), "1 min left");
        assert_eq!(left(7210, 10), "2 h left");
        assert_eq!(left(259_210, 10), "3 days left");
    }
}
