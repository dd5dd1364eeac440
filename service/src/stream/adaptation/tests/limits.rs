//! The share of the host's total, below the stream's own ceiling.
use super::*;

const DOWN: Option<Change> = Some(Change {
    up: false,
    reason: Reason::HostLimit,
});
const UP: Option<Change> = Some(Change {
    up: true,
    reason: Reason::HostLimit,
});

#[test]
fn a_limit_holds_at_once_and_what_it_took_comes_back_at_once() {
    let mut stream = Stream::new(SETTINGS, 1);
    stream.seconds(5, CLEAN);
    let decision = stream.adaptation.limit(Some(4001));
    assert_eq!((decision.rate, decision.video_kbps), (DOWN, Some(4001)));
    stream.seconds(10, CLEAN);
    assert_eq!(stream.now(), (20, 4001));
    let decision = stream.adaptation.limit(Some(7000));
    assert_eq!((decision.rate, decision.video_kbps), (UP, Some(7000)));
    let decision = stream.adaptation.limit(None);
    assert_eq!((decision.rate, decision.video_kbps), (UP, Some(10_000)));
    // One that takes nothing changes nothing.
    let decision = stream.adaptation.limit(Some(10_000));
    assert_eq!(decision, Decision::default());
    let begun = Adaptation::new(Settings {
        limit_kbps: Some(2500),
        ..SETTINGS
    });
    assert_eq!(begun.video_kbps(), 2500);
}

#[test]
fn loss_cuts_below_the_limit_and_the_rate_comes_back_to_the_limit_alone() {
    let mut stream = Stream::new(SETTINGS, 2);
    stream.adaptation.limit(Some(6000));
    // The first cut is felt: it is taken of the limit, not of the ceiling that nobody uses.
    let cut = (0..40).any(|_| {
        let decision = stream.step(narrow(3800));
        decision.rate.is_some_and(|change| !change.up)
    });
    let (percent, kbps) = stream.now();
    let uncut = 6000 * (100 - u32::from(percent)) / 80;
    assert!(cut && kbps * 100 <= uncut * 86, "{percent}% {kbps}");
    stream.seconds(200, CLEAN);
    assert_eq!(
        stream.now(),
        (5, 6000 * 95 / 80),
        "less parity, more picture"
    );
    // Loss was seen at the limit: above it the link is tried step by step.
    assert_eq!(stream.adaptation.limit(None).video_kbps, None);
    stream.seconds(4, CLEAN);
    assert!((7126..11_875).contains(&stream.now().1));
    stream.seconds(60, CLEAN);
    assert_eq!(stream.now(), (5, 10_000 * 95 / 80));
}

#[test]
fn what_loss_has_taught_of_the_link_outlives_a_limit() {
    let mut stream = Stream::new(SETTINGS, 3);
    stream.seconds(20, narrow(8000));
    let (_, found) = stream.now();
    assert!(found < 8000, "{found}");
    let percent = stream.adaptation.percent();
    assert_eq!(stream.adaptation.limit(Some(9999)), Decision::default());
    assert!(stream.adaptation.limit(Some(1500)).video_kbps < Some(found));
    stream.adaptation.limit(None);
    assert_eq!(
        (stream.adaptation.percent(), stream.adaptation.video_kbps()),
        (percent, found)
    );
}

#[test]
fn a_rate_set_by_hand_stays_within_the_limit() {
    let mut adaptation = Adaptation::new(SETTINGS);
    assert_eq!(adaptation.set_by_hand(20_000, Some(6000), 0), 6000);
    assert_eq!(adaptation.limit(None).video_kbps, Some(20_000));
    assert_eq!(adaptation.set_by_hand(3000, Some(6000), 0), 3000);
    assert_eq!(adaptation.limit(None), Decision::default());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Limits come and go, links do what they like: the whole never exceeds the limit's, and everything comes back.
    #[test]
    fn whatever_limits_and_links_do_no_limit_is_exceeded_and_the_stream_recovers(
        seed in any::<u64>(),
        times in proptest::collection::vec(
            (prop_oneof![Just(None), (4000u32..12_000).prop_map(Some)], prop_oneof![Just(0u64), 6000..20_000u64], 1u64..10), 1..8,
        ),
    ) {
        let mut stream = Stream::new(SETTINGS, seed);
        for (limit, capacity_kbps, seconds) in times {
            stream.adaptation.limit(limit);
            for _ in 0..seconds * STEPS_A_SECOND {
                stream.step(narrow(capacity_kbps));
                let (percent, kbps) = stream.now();
                let whole = limit.unwrap_or(10_000).min(10_000) * 100 / 80 + 2;
                prop_assert!(kbps * 100 / (100 - u32::from(percent)) <= whole, "{}% {}", percent, kbps);
            }
        }
        stream.adaptation.limit(None);
        stream.seconds(400, CLEAN);
        prop_assert!(stream.now().1 >= 10_000);
    }
}
