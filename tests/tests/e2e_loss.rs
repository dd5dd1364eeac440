//! Streams over a bad network: what parity repairs and what it cannot, how the picture comes back, and what the host makes of
//! it. Judged by frame numbers and counts, not by the clock: the machine may be busy.

mod fixture;

use fixture::{
    Host, Setup,
    fake_agent::{Behaviour, FakeAgent},
};
use punktfunk_dbus::proxies::StreamProxy;
use punktfunk_tests::{
    Client, Ending, Options, Report, Running, impairment::Impairment, video::Statistics,
};
use std::{collections::BTreeSet, time::Duration};

const SOON: Duration = Duration::from_secs(60);
const FIXED: &str = "[video]\nadaptive-parity = false\nadaptive-bitrate = false";

fn options(host: &Host, client: &Client, impairment: Impairment) -> Options {
    Options {
        width: 640,
        height: 360,
        fps: 30,
        bitrate_kbps: 4000,
        impairment,
        ..host.options(client)
    }
}

fn finish(client: &Client, running: Running) -> (Report, Statistics) {
    let shared = running.shared.clone();
    let report = running.finish(Ending::Disconnect).expect("report");
    client.cancel().expect("cancel");
    (report, shared.snapshot())
}

/// Each block that lost no more than its parity was rebuilt, the others were not, and every picture that was shown is right.
#[track_caller]
fn assert_as_parity_predicts(name: &str, report: &Report, seen: &Statistics) {
    let last = seen.last_frame_index;
    let prediction = seen.ledger.prediction(last);
    let given_up: BTreeSet<u32> = seen.ledger.given_up.range(..=last).copied().collect();
    assert_eq!(prediction.lost_frames, given_up, "{name}: frames lost");
    // A frame that was under way at the end may have had blocks of its own.
    let repaired = prediction.repaired_blocks..=prediction.repaired_blocks + 3;
    assert!(
        repaired.contains(&seen.repaired_blocks),
        "{name}: {} blocks repaired, {repaired:?} predicted",
        seen.repaired_blocks
    );
    assert_eq!(seen.unrepaired_though_repairable, 0, "{name}");
    assert!(report.breaches.is_empty(), "{name}: {:?}", report.breaches);
    assert_eq!(seen.decode_failures, 0, "{name}");
    let counters = &seen.counters;
    assert!(
        counters.unreadable == 0 && counters.backwards == 0,
        "{name}: {counters:?}"
    );
    eprintln!(
        "{name}: {last} frames, {} lost, {} blocks repaired, recovered after {:?}",
        given_up.len(),
        seen.repaired_blocks,
        seen.recovered_after
    );
}

/// Half of the losses were over within three frames of the call for help, which itself needs one on the way: a busy machine
/// delays some, but the rule shows in most.
#[track_caller]
fn assert_recovers(name: &str, seen: &Statistics) {
    let mut after = seen.recovered_after.clone();
    after.sort_unstable();
    let median = after.get(after.len() / 2).copied();
    assert!(
        median.is_some_and(|median| median <= 3),
        "{name}: {after:?}"
    );
    assert!(
        after.iter().all(|frames| *frames <= 30),
        "{name}: {after:?}"
    );
}

#[test]
fn under_random_loss_and_bursts_blocks_are_repaired_as_parity_predicts_and_the_picture_comes_back()
{
    let host = Setup::default().configured(FIXED).start();
    let client = host.client();
    let random = |loss_percent| Impairment {
        loss_percent,
        seed: 20,
        ..Impairment::default()
    };
    let bursts = Impairment {
        burst_packets: 20,
        burst_every: 250,
        seed: 21,
        ..Impairment::default()
    };
    for (name, impairment, must_lose) in [
        ("1 %", random(1.0), false),
        ("5 %", random(5.0), false),
        ("8 %", random(8.0), true),
        ("15 %", random(15.0), true),
        ("bursts of 20", bursts, true),
    ] {
        let options = options(&host, &client, impairment);
        let running = client.stream(&options, false).expect("stream");
        assert!(running.wait_frames(120, SOON), "{name}: frames");
        let (report, seen) = finish(&client, running);
        assert_as_parity_predicts(name, &report, &seen);
        assert!(seen.repaired_blocks > 0 || name == "bursts of 20", "{name}");
        if must_lose {
            assert!(seen.frames_lost > 0, "{name}: nothing was beyond repair");
            assert_recovers(name, &seen);
        }
    }
}

#[test]
fn after_a_second_of_darkness_the_stream_goes_on_with_a_whole_picture() {
    let host = Setup::default().start();
    let client = host.client();
    let options = options(&host, &client, Impairment::default());
    let running = client.stream(&options, false).expect("stream");
    assert!(running.wait_frames(30, SOON));
    for _ in 0..2 {
        let before = running.shared.snapshot();
        running.darkness.fall(Duration::from_secs(1));
        assert!(
            running.shared.wait(SOON, |seen| {
                seen.recovered_after.len() > before.recovered_after.len()
            }),
            "the picture does not come back:\n{}",
            host.service_log()
        );
        let decoded = running.shared.snapshot().frames_decoded;
        assert!(running.wait_decoded(decoded + 20, SOON));
    }
    assert_eq!(running.control().state().end, None);
    let (report, seen) = finish(&client, running);
    assert_as_parity_predicts("darkness", &report, &seen);
    assert!(seen.frames_lost >= 10, "it was not dark");
    assert_eq!(report.ended, "left");
}

#[test]
fn parity_follows_the_loss_and_the_bus_says_so() {
    let host = Setup::default().start();
    let client = host.client();
    let impairment = Impairment {
        loss_percent: 8.0,
        seed: 3,
        ..Impairment::default()
    };
    let running = client
        .stream(&options(&host, &client, impairment), false)
        .expect("stream");
    let figures = || {
        host.block(async {
            let path = host.await_object("org.punktfunk.Host1.Stream").await;
            let stream = StreamProxy::builder(host.connection())
                .path(path)?
                .cache_properties(zbus::proxy::CacheProperties::No)
                .build()
                .await?;
            stream.statistics().await
        })
        .expect("statistics")
    };
    let figure = |name: &str| {
        figures()
            .get(name)
            .and_then(|value| u64::try_from(value).ok())
    };
    let raised = fixture::process::wait_until(SOON, || figure("parity_percent") > Some(20));
    assert!(raised, "{:?}", figures());
    assert!(figure("parity_increases") >= Some(1));
    assert!(figure("fec_packets_lost") > Some(0) && figure("fec_blocks_repaired") > Some(0));
    assert!(figure("last_decision_age_ms").is_some());
    assert!(figure("bitrate_target_kbps") > Some(0));
    let all = figures();
    let reason = all.get("last_decision").map(|value| value.to_string());
    assert!(reason.is_some_and(|reason| reason.len() > 2), "{all:?}");
    let frames = running.shared.snapshot().last_frame_index;
    assert!(running.wait_frames(u64::from(frames) + 30, SOON));
    let (report, seen) = finish(&client, running);
    assert_as_parity_predicts("adaptive", &report, &seen);
}

#[test]
fn a_client_that_reports_lost_frames_goes_on_with_one_that_avoids_them() {
    let host = Setup::default().without_agent().configured(FIXED).start();
    let agent = host
        .block(FakeAgent::register_as(
            host.connect(),
            "c1",
            Behaviour::Honest,
            true,
        ))
        .expect("the fake agent registers");
    let client = host.client();
    let impairment = Impairment {
        burst_packets: 20,
        burst_every: 300,
        seed: 8,
        ..Impairment::default()
    };
    let options = Options {
        reference_invalidation: true,
        ..options(&host, &client, impairment)
    };
    let running = client.stream(&options, false).expect("stream");
    assert!(running.negotiated.offer.reference_invalidation);
    assert!(
        running.shared.wait(SOON, |seen| seen.recovery_frames >= 3),
        "{:?}\n{}",
        running.shared.snapshot().recovered_after,
        host.service_log()
    );
    let (mut report, seen) = finish(&client, running);
    // The double's encoder knows no other picture without references than an IDR; it is sent as what stands in for one.
    let stands_in = "frame-type-contradicts-bitstream";
    report.breaches.retain(|breach| breach.rule != stands_in);
    assert_as_parity_predicts("invalidation", &report, &seen);
    assert_recovers("invalidation", &seen);
    assert!(seen.loss_reports > 0);
    assert!(agent.invalidations().len() >= 3);
}
