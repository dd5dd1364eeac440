//! In virtual time.

use super::*;

const SECOND_NS: u64 = 1_000_000_000;
use proptest::prelude::*;

#[test]
fn ticks_fall_on_an_absolute_grid_without_drift() {
    let mut clock = Cadence::new(6000, 500);
    for tick in 0..60 * 3600 {
        let due = clock.deadline_ns();
        assert_eq!(due, 500 + tick * SECOND_NS / 60);
        // served a little late every time: the grid does not care
        assert_eq!(clock.serve(due + 3_000_000), 0);
    }
    assert_eq!(clock.deadline_ns(), 500 + 3600 * SECOND_NS);
}

#[test]
fn a_slow_frame_starts_a_new_grid_instead_of_a_burst() {
    let mut clock = Cadence::new(10_000, 0);
    clock.serve(0);
    assert_eq!(clock.serve(57_000_000), 4);
    assert_eq!(clock.deadline_ns(), 67_000_000);
    assert_eq!(clock.missed(), 4);
}

#[test]
fn rates_are_clamped() {
    assert_eq!(Cadence::new(0, 0).interval_ns(), SECOND_NS);
    assert_eq!(Cadence::new(100_000, 0).interval_ns(), SECOND_NS / 240);
}

proptest! {
    /// However long each frame takes, no window of one second sees more than its ticks and one.
    #[test]
    fn there_is_never_a_burst(fps in 1u32..=240, delays in proptest::collection::vec(0u64..200_000_000, 1..400)) {
        let mut clock = Cadence::new(fps * 100, 0);
        let mut served = Vec::new();
        let mut now = 0;
        for delay in delays {
            now = now.max(clock.deadline_ns());
            clock.serve(now);
            served.push(now);
            now += delay;
        }
        let interval = clock.interval_ns();
        for (index, start) in served.iter().enumerate() {
            let window = served[index..].iter().take_while(|at| **at < start + 4 * interval).count();
            prop_assert!(window <= 5, "{window} ticks within four intervals");
        }
    }
}

#[test]
fn a_broken_rate_is_kept_without_drift() {
    let mut clock = Cadence::new(5994, 0);
    for _ in 0..5994 {
        let due = clock.deadline_ns();
        clock.serve(due);
    }
    assert_eq!(clock.deadline_ns(), 100 * SECOND_NS);
}

/// Pictures arrive at these times; answers how long each that was served had waited, and how many ticks there were.
fn play(fps_x100: u32, arrivals: &[u64]) -> (Vec<u64>, u64) {
    let mut clock = Cadence::new(fps_x100, SECOND_NS);
    let (mut next, mut waits, mut ticks) = (0, Vec::new(), 0);
    while next < arrivals.len() {
        // Each arrival wakes who waits, and may put the moment off.
        let mut come = 0;
        let now = loop {
            let newest = (come > 0).then(|| arrivals[next + come - 1]);
            let due = clock.due_ns(newest);
            match arrivals.get(next + come) {
                Some(at) if *at <= due => come += 1,
                _ => break due.max(newest.unwrap_or(0)),
            }
        };
        clock.serve(now);
        ticks += 1;
        if come == 0 {
            clock.rest();
            continue;
        }
        next += come;
        waits.push(now - arrivals[next - 1]);
        clock.follow(arrivals[next - 1], next as u64);
    }
    assert_eq!(clock.missed(), 0);
    (waits, ticks)
}

/// So many arrivals in 100 seconds, from `phase_ns` on, each up to `jitter_ns` late.
fn arrivals(rate_x100: u64, phase_ns: u64, jitter_ns: u64, count: u64) -> Vec<u64> {
    let times = (0..count).map(|n| {
        let late = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        SECOND_NS + phase_ns + n * SPAN_NS / rate_x100 + late % (jitter_ns + 1)
    });
    times.collect()
}

#[test]
fn pictures_of_the_same_rate_are_served_as_they_come_whatever_their_phase() {
    for phase in 0..16 {
        for rate in [5994, 6000, 6005] {
            let at = arrivals(rate, phase * 1_000_000, 1_500_000, 6000);
            let (waits, ticks) = play(6000, &at);
            // Within two seconds the grid has found them.
            let late = waits.iter().skip(120).filter(|wait| **wait > 0).count();
            assert!(late < 60, "phase {phase} ms, rate {rate}: {late} waited");
            assert!(
                waits.len() > 5990,
                "phase {phase} ms, rate {rate}: {} served",
                waits.len()
            );
            assert!(ticks < 6150, "{ticks}");
        }
    }
}

#[test]
fn a_faster_source_does_not_raise_the_rate() {
    for rate in [6100, 7500, 12_000, 14_400] {
        let at = arrivals(rate, 3_000_000, 500_000, 60 * rate / 100);
        let (_, ticks) = play(6000, &at);
        // A minute: 3600, the allowance of the beginning, a sixth of a percent, and the source's end.
        assert!((3590..=3615).contains(&ticks), "{ticks} ticks at {rate}");
    }
}

/// Not each of them a little later than the one before, until one is left out.
#[test]
fn pictures_of_a_faster_source_are_served_as_they_come_too() {
    for rate in [6100, 6250, 7500, 12_000, 14_400, 20_000] {
        for phase in 0..8 {
            let at = arrivals(rate, phase * 2_000_000, 500_000, 60 * rate / 100);
            let (waits, ticks) = play(6000, &at);
            let settled = &waits[120..];
            let late = settled.iter().filter(|wait| **wait > 0).count();
            assert!(late * 20 < settled.len(), "{late} waited at {rate}");
            assert!(
                waits.len() as u64 + 60 > ticks,
                "{} of {ticks}",
                waits.len()
            );
            assert!((3590..=3615).contains(&ticks), "{ticks} ticks at {rate}");
        }
    }
}

#[test]
fn the_last_picture_of_a_faster_source_is_shown_within_an_interval() {
    for count in 200..300 {
        let at = arrivals(6250, 0, 0, count);
        let (waits, _) = play(6000, &at);
        assert!(waits.iter().all(|wait| *wait < SECOND_NS / 60), "{count}");
    }
}

#[test]
fn a_slower_source_keeps_the_rate_with_pictures_shown_again() {
    for rate in [2400, 3000, 4500] {
        let at = arrivals(rate, 3_000_000, 500_000, 60 * rate / 100);
        let (waits, ticks) = play(6000, &at);
        assert!(ticks > 3100, "{ticks} ticks at {rate}");
        assert!(
            waits.len() as u64 + 2 >= 60 * rate / 100,
            "{} shown at {rate}",
            waits.len()
        );
    }
}

#[test]
fn without_arrivals_the_grid_stands_still() {
    let mut clock = Cadence::new(6000, SECOND_NS);
    for tick in 0..100 {
        let due = SECOND_NS + tick * SECOND_NS / 60;
        assert_eq!((clock.deadline_ns(), clock.due_ns(None)), (due, due));
        clock.serve(due);
        clock.rest();
    }
}
