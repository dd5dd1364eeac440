//! Whole streams from the real agent's synthetic source, through the service, to the test client.

mod fixture;

use fixture::Setup;
use punktfunk_tests::{Client, Ending, Options, Report, control::End, impairment::Impairment, tls};
use std::time::Duration;

/// Stream until so many frames were seen and take stock.
fn watch(client: &Client, options: &Options, frames: u64) -> Report {
    let running = client.stream(options, false).expect("stream");
    let limit = Duration::from_secs(frames / u64::from(options.fps) + 60);
    let all = running.wait_frames(frames, limit);
    let report = running.finish(Ending::Disconnect).expect("report");
    assert!(all, "{frames} frames did not come in {limit:?}:\n{report}");
    report
}

#[track_caller]
fn assert_clean(report: &Report) {
    eprintln!("{report}");
    assert!(report.breaches.is_empty(), "breaches");
    assert_eq!(
        report.video.decode_failures, 0,
        "pictures that do not decode"
    );
    assert_eq!(
        report.video.unrepaired_though_repairable, 0,
        "repairable blocks were not repaired"
    );
    assert_eq!(report.ended, "left");
}

#[test]
fn the_counters_run_from_1_to_600_without_a_gap_at_720p60() {
    let host = Setup::default().start();
    let client = host.client();
    let options = host.options(&client);
    let mut report = watch(&client, &options, 600);
    report.expect_counters(600);
    assert_clean(&report);
    assert_eq!(report.failed_expectations, [] as [String; 0]);
    assert_eq!((report.video.width, report.video.height), (1280, 720));
    assert_eq!(
        (report.video.frames_lost, report.video.first_frame_index),
        (0, Some(1))
    );
    // The one that every stream begins with, and perhaps one for the client's request at the start.
    assert!(
        report.video.key_frames <= 2,
        "{} key frames",
        report.video.key_frames
    );
    assert!(
        report.video.verified_parity_blocks > 20,
        "parity was checked"
    );
    let tones = &report.audio.tones_hz;
    assert!(
        tones.len() == 2 && tones.iter().all(Option::is_some),
        "a test tone is heard: {tones:?}"
    );
    assert!(report.audio.decode_failures == 0 && report.audio.lost == 0);
}

#[test]
fn five_percent_loss_leaves_nothing_unrepaired_that_the_parity_could_repair() {
    let host = Setup::default().start();
    let client = host.client();
    let options = Options {
        impairment: Impairment {
            loss_percent: 5.0,
            seed: 7,
            ..Impairment::default()
        },
        ..host.options(&client)
    };
    let report = watch(&client, &options, 600);
    assert_clean(&report);
    let video = &report.video;
    assert!(
        video.repaired_shards > 100,
        "{} shards were repaired",
        video.repaired_shards
    );
    // What was lost for good was beyond repair, and the picture came back each time.
    assert!(
        video.frames_lost <= video.unrepairable_blocks + 2,
        "{} frames lost, {} blocks beyond repair",
        video.frames_lost,
        video.unrepairable_blocks
    );
    assert_eq!(video.key_frames > 1, video.frames_lost > 0);
    assert!(report.audio.repaired > 0);
}

#[test]
fn loss_on_the_way_out_is_repaired_as_well() {
    let host = Setup::default().with("PUNKTFUNK_VIDEO_DROP", 7).start();
    let client = host.client();
    let report = watch(&client, &host.options(&client), 240);
    assert_clean(&report);
    assert!(
        report.video.missing_on_arrival > 100,
        "{} packets were dropped by the service",
        report.video.missing_on_arrival
    );
    assert!(report.video.repaired_shards > 100);
    // The first of every seven: never more than 20 % parity can repair.
    assert_eq!(report.video.frames_lost, 0);
}

#[test]
fn without_parity_data_packets_come_alone() {
    let host = Setup::default().with("PUNKTFUNK_FEC_PCT", 0).start();
    let client = host.client();
    let mut report = watch(&client, &host.options(&client), 120);
    report.expect_counters(120);
    assert_clean(&report);
    assert_eq!(report.failed_expectations, [] as [String; 0]);
    assert_eq!(report.video.parity_packets, 0);
}

#[test]
fn large_frames_in_small_packets_use_several_blocks_that_repair_each_for_itself() {
    let host = Setup::default().start();
    let client = host.client();
    let loss = Impairment {
        loss_percent: 3.0,
        seed: 11,
        ..Impairment::default()
    };
    let options = Options {
        fps: 30,
        bitrate_kbps: 20_000,
        packet_size: 320,
        impairment: loss,
        ..host.options(&client)
    };
    let report = watch(&client, &options, 90);
    assert_clean(&report);
    assert!(
        report.video.most_blocks_in_frame >= 2,
        "{} blocks",
        report.video.most_blocks_in_frame
    );
    assert!(report.video.repaired_blocks > 0);
}

#[test]
fn jitter_and_reordering_cost_no_more_than_the_parity_can_carry() {
    let host = Setup::default().start();
    let client = host.client();
    let bad = Impairment {
        reorder_percent: 2.0,
        jitter: Duration::from_millis(3),
        seed: 5,
        ..Impairment::default()
    };
    let report = watch(
        &client,
        &Options {
            impairment: bad,
            ..host.options(&client)
        },
        240,
    );
    assert_clean(&report);
    assert!(report.video.injected_reordering > 20);
}

#[test]
fn every_mixture_of_encryption_carries_the_same_stream() {
    let host = Setup::default().start();
    let mut client = host.client();
    let base = host.options(&client);
    let plain = Options {
        encryption: 0,
        audio_encryption_flag: false,
        ..base.clone()
    };
    for (name, options, versions) in [
        (
            "video and sound sealed, TLS 1.2",
            base.clone(),
            tls::Versions::Only12,
        ),
        (
            "nothing but control, TLS 1.3",
            plain.clone(),
            tls::Versions::Only13,
        ),
        (
            "plain RTSP",
            Options {
                core_version: 0,
                ..plain.clone()
            },
            tls::Versions::Both,
        ),
        (
            "short pings",
            Options {
                legacy_ping: true,
                ..plain.clone()
            },
            tls::Versions::Both,
        ),
        (
            "video alone",
            Options {
                encryption: 2,
                ..plain.clone()
            },
            tls::Versions::Both,
        ),
        (
            "sound alone, by the old flag",
            Options {
                audio_encryption_flag: true,
                ..plain
            },
            tls::Versions::Both,
        ),
    ] {
        eprintln!("== {name}");
        client.tls = versions;
        let mut report = watch(&client, &options, 60);
        report.expect_counters(60);
        assert_clean(&report);
        assert_eq!(report.failed_expectations, [] as [String; 0], "{name}");
        assert_eq!(report.encryption & 6, options.encryption & 6, "{name}");
        client.cancel().expect("cancel");
    }
}

#[test]
fn two_clients_at_one_address_stream_at_once_and_neither_loses_a_frame() {
    let host = Setup::default().start();
    let clients = [host.client(), host.client()];
    let small = |client: &Client| Options {
        width: 640,
        height: 480,
        ..host.options(client)
    };
    let options = clients.each_ref().map(small);
    let reports = std::thread::scope(|scope| {
        let watching = [0, 1].map(|at| {
            let (client, options) = (&clients[at], &options[at]);
            scope.spawn(move || watch(client, options, 300))
        });
        watching.map(|thread| thread.join().expect("client"))
    });
    for mut report in reports {
        report.expect_counters(300);
        assert_clean(&report);
        assert_eq!(report.failed_expectations, [] as [String; 0]);
        assert_eq!(report.video.frames_lost, 0);
    }
}

#[test]
fn a_client_that_leaves_can_resume_and_cancel_ends_its_app() {
    let host = Setup::default().start();
    let client = host.client();
    let options = host.options(&client);
    assert_eq!(
        client.server_info(true).expect("serverinfo").current_game,
        0
    );
    assert_clean(&watch(&client, &options, 60));
    host.await_streams(0);
    let info = client.server_info(true).expect("serverinfo");
    assert_eq!((info.busy, info.current_game), (true, options.app));

    let running = client.stream(&options, true).expect("resume");
    assert!(running.wait_decoded(60, Duration::from_secs(60)));
    assert_clean(&running.finish(Ending::Disconnect).expect("report"));

    client.cancel().expect("cancel");
    let info = client.server_info(true).expect("serverinfo");
    assert_eq!((info.busy, info.current_game), (false, 0));
    assert!(
        client.stream(&options, true).is_err(),
        "nothing is left to resume"
    );
}

#[test]
fn cancel_from_the_running_client_ends_the_stream_with_a_reason() {
    let host = Setup::default().start();
    let client = host.client();
    let running = client
        .stream(&host.options(&client), false)
        .expect("stream");
    assert!(running.wait_decoded(30, Duration::from_secs(60)));
    client.cancel().expect("cancel");
    assert_eq!(
        running.wait_end(Duration::from_secs(60)),
        Some(End::Terminated(0x8003_0023))
    );
    let report = running.finish(Ending::Disconnect).expect("report");
    assert!(report.breaches.is_empty(), "{report}");
    host.await_streams(0);
}

#[test]
fn a_client_that_vanishes_is_given_up_and_may_come_back() {
    let host = Setup::default().start();
    let client = host.client();
    let options = host.options(&client);
    let running = client.stream(&options, false).expect("stream");
    assert!(running.wait_decoded(30, Duration::from_secs(60)));
    running.finish(Ending::Vanish).expect("report");
    // The same client at once: its silent stream has to make room.
    let running = client.stream(&options, true).expect("resume");
    assert!(running.wait_decoded(30, Duration::from_secs(60)));
    assert_clean(&running.finish(Ending::Disconnect).expect("report"));
}

#[test]
fn a_stream_that_is_never_pinged_ends_after_ten_seconds() {
    let host = Setup::default().start();
    let client = host.client();
    let running = client
        .stream(
            &Options {
                no_ping: true,
                ..host.options(&client)
            },
            false,
        )
        .expect("stream");
    let end = running.wait_end(Duration::from_secs(60));
    assert!(matches!(end, Some(End::Terminated(_))), "{end:?}");
    // not before: a client may be slow to begin. How much later is the machine's affair.
    let seconds = running.started.elapsed().as_secs();
    assert!(seconds >= 8, "{seconds} s");
    let report = running.finish(Ending::Vanish).expect("report");
    assert_eq!(report.video.packets, 0);
}

#[test]
fn the_service_restarts_and_clients_resume_with_the_agent_of_before() {
    let mut host = Setup::default().start();
    let client = host.client();
    let options = host.options(&client);
    let running = client.stream(&options, false).expect("stream");
    assert!(running.wait_decoded(60, Duration::from_secs(60)));
    host.restart_service();
    let end = running.wait_end(Duration::from_secs(60));
    assert!(end.is_some(), "the client noticed");
    running.finish(Ending::Vanish).expect("report");
    host.await_agents(1);
    host.agent().assert_alive();
    let running = client
        .stream(
            &options,
            client.server_info(true).expect("still paired").busy,
        )
        .expect("stream again");
    assert!(running.wait_decoded(60, Duration::from_secs(60)));
    let report = running.finish(Ending::Disconnect).expect("report");
    assert_eq!(report.video.unrepaired_though_repairable, 0);
    assert_eq!(report.ended, "left");
}

#[test]
fn an_agent_that_dies_is_replaced_by_its_successor_without_a_new_pairing() {
    let mut host = Setup::default().start();
    let client = host.client();
    let options = host.options(&client);
    let running = client.stream(&options, false).expect("stream");
    assert!(running.wait_decoded(30, Duration::from_secs(60)));
    host.agent().signal(nix::sys::signal::Signal::SIGKILL);
    // Whether the stream waits for a successor or ends with a reason, it does not just hang there.
    host.start_agent();
    host.await_agents(1);
    running.finish(Ending::Disconnect).expect("report");
    host.await_streams(0);
    let busy = client.server_info(true).expect("serverinfo").busy;
    let running = client.stream(&options, busy).expect("stream again");
    assert!(running.wait_decoded(30, Duration::from_secs(60)));
    running.finish(Ending::Disconnect).expect("report");
}
