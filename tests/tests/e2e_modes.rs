//! Sizes, rates, addresses and packet shapes that clients ask for, and those that no host should try.

mod fixture;

use fixture::Setup;
use punktfunk_tests::{Client, Ending, HostAddress, Identity, Options};
use std::{fs, net::Ipv6Addr, time::Duration};

const SOON: Duration = Duration::from_secs(60);

/// A second of this, counted and clean.
#[track_caller]
fn assert_streams(client: &Client, options: &Options) {
    let name = format!("{}x{}@{}", options.width, options.height, options.fps);
    let running = client
        .stream(options, false)
        .unwrap_or_else(|e| panic!("{name}: {e:#}"));
    assert!(
        running.wait_frames(options.fps.into(), SOON),
        "{name}: a second of frames"
    );
    let mut report = running.finish(Ending::Disconnect).expect("report");
    report.expect_counters(options.fps);
    assert!(report.is_clean(), "{name}:\n{report}");
    assert_eq!(
        (report.video.width, report.video.height),
        (options.width as usize, options.height as usize)
    );
    client.cancel().expect("cancel");
}

#[test]
fn common_and_odd_modes_arrive_at_the_size_and_rate_that_was_asked_for() {
    let host = Setup::default().start();
    let client = host.client();
    for (width, height, fps) in [
        (320, 240, 60),
        (854, 480, 30),
        (1366, 768, 30),
        (640, 360, 24),
        (1280, 800, 50),
    ] {
        assert_streams(
            &client,
            &Options {
                width,
                height,
                fps,
                ..host.options(&client)
            },
        );
    }
}

#[test]
fn packet_sizes_and_sound_durations_of_other_links_work_as_well() {
    let host = Setup::default().start();
    let client = host.client();
    let base = Options {
        width: 640,
        height: 480,
        ..host.options(&client)
    };
    assert_streams(
        &client,
        &Options {
            packet_size: 1024,
            ..base.clone()
        },
    );
    assert_streams(
        &client,
        &Options {
            packet_size: 1184,
            encryption: 0,
            audio_encryption_flag: false,
            ..base.clone()
        },
    );
    assert_streams(
        &client,
        &Options {
            audio_packet_ms: 10,
            ..base.clone()
        },
    );
    assert_streams(
        &client,
        &Options {
            bitrate_kbps: 1000,
            ..base
        },
    );
}

#[test]
fn modes_that_cannot_work_are_refused_before_anything_is_opened() {
    let mut host = Setup::default().start();
    let client = host.client();
    let base = host.options(&client);
    for (width, height, fps) in [
        (0, 0, 60),
        (100_000, 100_000, 60),
        (1280, 720, 0),
        (1280, 720, 100_000),
        (8, 8, 60),
        (u32::MAX, 1, 1),
    ] {
        let outcome = client.stream(
            &Options {
                width,
                height,
                fps,
                ..base.clone()
            },
            false,
        );
        assert!(outcome.is_err(), "{width}x{height}@{fps} was accepted");
    }
    for packet_size in [64, 9000, 60_000] {
        let outcome = client.stream(
            &Options {
                packet_size,
                ..base.clone()
            },
            false,
        );
        assert!(outcome.is_err(), "P = {packet_size} was accepted");
    }
    let log = host.service_log();
    for sign in ["stream opened", "could not start"] {
        assert!(!log.contains(sign), "an agent was asked:\n{log}");
    }
    host.service().assert_alive();
    host.agent().assert_alive();
    host.await_streams(0);
    assert_streams(
        &client,
        &Options {
            width: 640,
            height: 480,
            ..base
        },
    );
}

#[test]
fn a_client_over_ipv6_is_served_like_any_other() {
    let host = Setup::default().start();
    let address = HostAddress {
        ip: Ipv6Addr::LOCALHOST.into(),
        ..host.address()
    };
    let mut client = Client::new(address, Identity::generate().expect("identity"));
    host.pair(&mut client, "6666", "6666")
        .expect("pairing")
        .expect("the host agrees");
    assert_streams(
        &client,
        &Options {
            width: 640,
            height: 480,
            ..host.options(&client)
        },
    );
}

#[test]
fn streams_come_and_go_without_leaving_threads_or_descriptors_behind() {
    let mut host = Setup::default().start();
    let client = host.client();
    let options = Options {
        width: 320,
        height: 240,
        decode: false,
        ..host.options(&client)
    };
    let mut counts = Vec::new();
    for _ in 0..6 {
        let running = client.stream(&options, false).expect("stream");
        assert!(running.wait_frames(5, SOON));
        running.finish(Ending::Disconnect).expect("report");
        client.cancel().expect("cancel");
        host.await_streams(0);
        let held = |id: u32| {
            ["fd", "task"]
                .map(|kind| fs::read_dir(format!("/proc/{id}/{kind}")).map_or(0, Iterator::count))
        };
        counts.push((held(host.service().id()), held(host.agent().id())));
    }
    // The first rounds warm up pools; from then on nothing may grow.
    let ([service_fds, service_threads], [agent_fds, agent_threads]) = counts[2];
    let ([fds, threads], [agents_fds, agents_threads]) = counts[5];
    assert!(
        fds <= service_fds + 1 && threads <= service_threads,
        "the service grows: {counts:?}"
    );
    assert!(
        agents_fds <= agent_fds + 1 && agents_threads <= agent_threads,
        "the agent grows: {counts:?}"
    );
}
