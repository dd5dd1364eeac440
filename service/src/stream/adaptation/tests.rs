//! Whole minutes of streams in virtual time: links with random loss, bursts and too little room.
#![expect(clippy::arithmetic_side_effects, reason = "tests")]
mod limits;

use super::*;
use proptest::prelude::*;

const FRAMES_A_STEP: u64 = 15;
const STEPS_A_SECOND: u64 = 4;
const PACKET_BITS: u64 = 1392 * 8;

const SETTINGS: Settings = Settings {
    percent: 20,
    video_kbps: 10_000,
    limit_kbps: None,
    min_parity: 2,
    adaptive_parity: true,
    adaptive_bitrate: true,
    reports: true,
};

/// A link for one step.
#[derive(Debug, Clone, Copy, Default)]
struct Link {
    loss_percent: f64,
    /// Above this (kbit/s, parity included) packets are lost, as many as are too many; 0 = no limit.
    capacity_kbps: u64,
    /// Packets lost in a row in this step.
    burst: u64,
}

const CLEAN: Link = Link {
    loss_percent: 0.0,
    capacity_kbps: 0,
    burst: 0,
};

fn losing(loss_percent: f64) -> Link {
    Link {
        loss_percent,
        ..CLEAN
    }
}

fn narrow(capacity_kbps: u64) -> Link {
    Link {
        capacity_kbps,
        ..CLEAN
    }
}

struct Stream {
    adaptation: Adaptation,
    settings: Settings,
    totals: Totals,
    now_ns: u64,
    random: u64,
    /// Of each step: percent, kbit/s of the video.
    history: Vec<(u8, u32)>,
    decisions: Vec<Decision>,
}

impl Stream {
    fn new(settings: Settings, seed: u64) -> Self {
        let mut adaptation = Adaptation::new(settings);
        assert_eq!(adaptation.step(Totals::default(), 0), Decision::default());
        Self {
            adaptation,
            settings,
            totals: Totals::default(),
            now_ns: 0,
            random: seed,
            history: Vec::new(),
            decisions: Vec::new(),
        }
    }

    fn chance(&mut self, percent: f64) -> bool {
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.random >> 33) as f64 / (1u64 << 31) as f64) * 100.0 < percent
    }

    fn step(&mut self, link: Link) -> Decision {
        let (percent, kbps) = (self.adaptation.percent(), self.adaptation.video_kbps());
        let data = (u64::from(kbps) * 1000 / STEPS_A_SECOND / FRAMES_A_STEP / PACKET_BITS).max(1);
        let parity = (data * u64::from(percent)).div_ceil(100).max(2);
        let sent_kbps = (data + parity) * PACKET_BITS * FRAMES_A_STEP * STEPS_A_SECOND / 1000;
        let overload = match link.capacity_kbps {
            0 => 0.0,
            room => 100.0 * sent_kbps.saturating_sub(room) as f64 / sent_kbps as f64,
        };
        let (mut burst, mut reports) = (link.burst, 0);
        for _ in 0..FRAMES_A_STEP {
            let all = data + parity;
            let mut lost = burst.min(all);
            burst -= lost;
            let rest = all - lost;
            lost += (0..rest)
                .map(|_| u64::from(self.chance(link.loss_percent.max(overload))))
                .sum::<u64>();
            self.totals.packets_sent += all;
            self.totals.blocks_sent += 1;
            if lost > 0 && lost < all && reports < 20 {
                reports += 1;
                self.totals.reported += all;
                self.totals.lost += lost;
                if lost > parity {
                    self.totals.blocks_lost += 1;
                } else {
                    self.totals.blocks_repaired += 1;
                }
            }
            self.totals.requests += u64::from(lost > parity);
        }
        self.now_ns += STEP_NS;
        let decision = self.adaptation.step(self.totals, self.now_ns);
        let now = (self.adaptation.percent(), self.adaptation.video_kbps());
        assert!((5..=50).contains(&now.0), "{now:?}");
        let floor = self.settings.video_kbps / 5 * 50 / 95;
        // Less parity than at the start leaves the picture more, but never more than the whole budget.
        let budget = self.settings.video_kbps * 100 / (100 - u32::from(self.settings.percent));
        assert!((floor..=budget).contains(&now.1), "{now:?}");
        assert!(now.1 + now.1 * u32::from(now.0) / 100 <= budget, "{now:?}");
        self.history.push(now);
        self.decisions.push(decision);
        decision
    }

    fn seconds(&mut self, seconds: u64, link: Link) {
        (0..seconds * STEPS_A_SECOND).for_each(|_| {
            self.step(link);
        });
    }

    /// Blocks lost of so many seconds on a link.
    fn lost_in(&mut self, seconds: u64, link: Link) -> u64 {
        let before = self.totals.blocks_lost;
        self.seconds(seconds, link);
        self.totals.blocks_lost - before
    }

    fn now(&self) -> (u8, u32) {
        *self.history.last().unwrap()
    }

    fn cuts_in(&self, seconds: u64) -> usize {
        let steps = usize::try_from(seconds * STEPS_A_SECOND).unwrap();
        let from = self.decisions.len() - steps;
        self.decisions[from..]
            .iter()
            .filter(|decision| decision.rate.is_some_and(|change| !change.up))
            .count()
    }
}

#[test]
fn without_loss_the_rate_stays_and_parity_goes_to_its_least() {
    let mut stream = Stream::new(SETTINGS, 1);
    stream.seconds(29, CLEAN);
    assert_eq!(
        stream.now(),
        (20, 10_000),
        "nothing before the calm is long enough"
    );
    stream.seconds(60, CLEAN);
    assert_eq!(stream.now(), (5, 10_000 * 95 / 80));
    assert_eq!(stream.cuts_in(89), 0);
}

#[test]
fn parity_follows_random_loss_until_nothing_is_lost_and_goes_back_after_it() {
    for (loss, least, most) in [(1.0, 20, 25), (5.0, 25, 50), (8.0, 33, 50)] {
        let mut stream = Stream::new(SETTINGS, 7);
        stream.seconds(5, losing(loss));
        let lost = stream.lost_in(60, losing(loss));
        let (percent, _) = stream.now();
        assert!(
            (least..=most).contains(&percent),
            "{loss} %: parity {percent}"
        );
        assert!(lost <= 12, "{loss} %: {lost} of 3600 blocks lost");
        stream.seconds(60, CLEAN);
        assert!(
            stream.now().0 <= 20,
            "{loss} %: parity stays at {}",
            stream.now().0
        );
    }
}

#[test]
fn steady_random_loss_does_not_hold_the_rate_down() {
    for loss in [1.0, 5.0, 8.0, 15.0] {
        let mut stream = Stream::new(SETTINGS, 3);
        stream.seconds(120, losing(loss));
        let (percent, kbps) = stream.now();
        // What parity takes is gone; the rate itself is back at the ceiling or nearly.
        let full = 10_000 * (100 - u32::from(percent)) / 80;
        assert!(kbps * 100 >= full * 85, "{loss} %: {kbps} of {full} kbit/s");
        assert!(
            stream.cuts_in(60) <= 3,
            "{loss} %: {} cuts in a minute",
            stream.cuts_in(60)
        );
    }
}

#[test]
fn a_narrow_link_is_found_and_kept_without_swinging_and_left_again_when_it_widens() {
    for seed in 1..5 {
        let mut stream = Stream::new(SETTINGS, seed);
        stream.seconds(20, CLEAN);
        stream.seconds(30, narrow(6000));
        let from = stream.history.len();
        stream.seconds(300, narrow(6000));
        let sent = |(percent, kbps): &(u8, u32)| kbps * (100 + u32::from(*percent)) / 100;
        let settled: Vec<u32> = stream.history[from..].iter().map(sent).collect();
        let within = settled
            .iter()
            .filter(|kbps| (3000..=6600).contains(*kbps))
            .count();
        assert!(
            within * 100 >= settled.len() * 95,
            "{within} of {} steps near 6000",
            settled.len()
        );
        // A try now and then, more and more seldom.
        assert!(
            stream.cuts_in(120) <= 6,
            "{} cuts in the last two minutes",
            stream.cuts_in(120)
        );
        stream.seconds(120, CLEAN);
        assert!(stream.now().1 >= 10_000, "{:?}", stream.now());
    }
}

#[test]
fn bursts_raise_parity_and_leave_the_rate_alone() {
    let mut stream = Stream::new(SETTINGS, 5);
    for _ in 0..12 {
        stream.step(Link { burst: 20, ..CLEAN });
        stream.seconds(5, CLEAN);
    }
    assert!(stream.now().0 > 20);
    assert_eq!(stream.cuts_in(60), 0);
}

#[test]
fn a_full_send_buffer_cuts_the_rate_once_for_one_cause() {
    let mut stream = Stream::new(SETTINGS, 5);
    stream.seconds(10, CLEAN);
    let reasons: Vec<_> = (0..8)
        .filter_map(|_| {
            stream.totals.unsent += 5;
            stream.step(CLEAN).rate
        })
        .map(|change| change.reason)
        .collect();
    assert_eq!(reasons, [Reason::SendBuffer]);
    assert_eq!(stream.now().1, 8500);
}

#[test]
fn parity_that_was_lowered_by_mistake_is_lowered_later_the_next_time() {
    let mut stream = Stream::new(SETTINGS, 9);
    let mut calm = Vec::new();
    for _ in 0..3 {
        let before = stream.history.len();
        while stream.step(CLEAN).parity.is_none_or(|change| change.up) || stream.now().0 >= 20 {}
        calm.push(stream.history.len() - before);
        stream.seconds(2, losing(8.0));
        assert!(stream.now().0 >= 20);
        while stream.now().0 > 20 {
            stream.step(CLEAN);
        }
    }
    assert!(calm[1] > calm[0] && calm[2] > calm[1], "{calm:?}");
}

#[test]
fn what_is_switched_off_stays_and_no_parity_stays_none() {
    let still = Settings {
        adaptive_parity: false,
        adaptive_bitrate: false,
        ..SETTINGS
    };
    let mut stream = Stream::new(still, 1);
    stream.seconds(20, losing(15.0));
    assert_eq!(stream.now(), (20, 10_000));
    let rate_only = Settings {
        adaptive_parity: false,
        ..SETTINGS
    };
    let mut stream = Stream::new(rate_only, 1);
    stream.seconds(20, narrow(5000));
    assert!(stream.now().0 == 20 && stream.now().1 < 10_000);
    let mut bare = Adaptation::new(Settings {
        percent: 0,
        ..SETTINGS
    });
    bare.step(Totals::default(), 0);
    let lost = Totals {
        blocks_sent: 15,
        packets_sent: 100,
        reported: 100,
        lost: 10,
        blocks_lost: 5,
        ..Totals::default()
    };
    assert_eq!(bare.step(lost, STEP_NS).parity, None);
    assert_eq!(bare.percent(), 0);
}

#[test]
fn a_rate_set_by_hand_is_the_ceiling() {
    let mut stream = Stream::new(
        Settings {
            video_kbps: 20_000,
            ..SETTINGS
        },
        2,
    );
    assert_eq!(stream.adaptation.set_by_hand(8000, None, 0), 8000);
    stream.seconds(10, narrow(5000));
    assert!(stream.now().1 < 8000);
    stream.seconds(200, CLEAN);
    // Parity is at its least by now, and still the picture gets no more than was set.
    assert_eq!(stream.now(), (5, 8000));
}

#[test]
fn requests_count_as_loss_only_where_the_client_reports_nothing_else() {
    for (reports, expected) in [(true, 20), (false, 25)] {
        let mut adaptation = Adaptation::new(Settings {
            reports,
            ..SETTINGS
        });
        adaptation.step(Totals::default(), 0);
        let asked = Totals {
            blocks_sent: 15,
            packets_sent: 100,
            requests: 7,
            ..Totals::default()
        };
        adaptation.step(asked, STEP_NS);
        assert_eq!(adaptation.percent(), expected);
    }
}

#[test]
fn frames_that_leave_in_slices_get_the_parity_that_their_smaller_blocks_need() {
    let percent_with = |blocks_a_frame: u64| {
        let mut adaptation = Adaptation::new(SETTINGS);
        let mut totals = Totals::default();
        adaptation.step(totals, 0);
        for step in 1..=20 {
            totals.blocks_sent += 15 * blocks_a_frame;
            totals.packets_sent += 1500;
            totals.reported += 1500;
            totals.lost += 150;
            totals.blocks_repaired += 15;
            adaptation.step(totals, step * STEP_NS);
        }
        adaptation.percent()
    };
    let (whole, sliced) = (percent_with(1), percent_with(4));
    assert!(
        sliced >= whole + 5,
        "{sliced} % of slices, {whole} % of frames"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The bounds are asserted in each step; afterwards everything comes back.
    #[test]
    fn whatever_the_link_does_the_bounds_hold_and_the_stream_recovers(
        seed in any::<u64>(),
        percent in 1u8..=50,
        links in proptest::collection::vec((0.0..60.0f64, prop_oneof![Just(0u64), 500..20_000u64], 0u64..60, 1u64..10), 1..8),
    ) {
        let mut stream = Stream::new(Settings { percent: percent.max(5), ..SETTINGS }, seed);
        for (loss_percent, capacity_kbps, burst, seconds) in links {
            stream.seconds(seconds, Link { loss_percent, capacity_kbps, burst });
        }
        stream.seconds(400, CLEAN);
        prop_assert!(stream.now().1 >= 10_000);
        prop_assert!(stream.now().0 <= percent.max(5));
    }

    /// Totals that make no sense decide nothing worse than the bounds.
    #[test]
    fn totals_of_a_liar_stay_within_the_bounds(all in proptest::collection::vec(any::<[u64; 8]>(), 1..50)) {
        let mut adaptation = Adaptation::new(SETTINGS);
        for (step, t) in (0u64..).zip(all) {
            let [blocks_sent, packets_sent, reported, lost, blocks_repaired, blocks_lost, requests, unsent] = t;
            let totals = Totals { blocks_sent, packets_sent, reported, lost, blocks_repaired, blocks_lost, requests, unsent };
            adaptation.step(totals, step * STEP_NS);
            prop_assert!((5..=50).contains(&adaptation.percent()));
            prop_assert!((1000..=12_500).contains(&adaptation.video_kbps()));
        }
    }
}
