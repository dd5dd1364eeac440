//! Sound through the whole system: each channel of every layout comes out where it belongs, sealed or not, whole or with
//! losses.
//!
//! The synthetic source plays another note in each channel, in GameStream's order (FL FR C LFE RL RR SL SR); the client
//! decodes with the mapping that the host advertises.

mod fixture;

use fixture::{Setup, process::wait_until};
use punktfunk_tests::{Client, Ending, Options, Report, impairment::Impairment};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(60);
/// Samples that a channel's tone is measured over.
const MEASURED: u64 = 32_768;

/// Stream until there was enough to measure.
fn listen(client: &Client, options: &Options) -> Report {
    let running = client.stream(options, false).expect("stream");
    let packets = MEASURED / (48 * u64::from(options.audio_packet_ms)) + 20;
    let heard = wait_until(SOON, || running.audio_statistics().decoded >= packets);
    let report = running.finish(Ending::Disconnect).expect("report");
    assert!(heard, "too little sound:\n{report}");
    client.cancel().expect("cancel");
    report
}

/// Each channel sounds with its own note and with no other by this many dB.
#[track_caller]
fn assert_in_place(report: &Report, channels: u8, separation: f32) {
    let audio = &report.audio;
    assert_eq!(
        (audio.channels, audio.tones_hz.len()),
        (channels, channels.into())
    );
    for (at, tone) in audio.tones_hz.iter().enumerate() {
        let note = 440.0 + 220.0 * at as f32;
        assert!(
            tone.is_some_and(|tone| (tone - note).abs() < 2.0),
            "channel {at} should sound with {note} Hz: {:?}",
            audio.tones_hz
        );
    }
    for apart in &audio.separation_db {
        assert!(
            apart.is_some_and(|apart| apart > separation),
            "cross-talk: {:?} dB apart",
            audio.separation_db
        );
    }
    assert_eq!(audio.decode_failures, 0);
    assert!(report.breaches.is_empty(), "{report}");
}

/// A picture that costs little, at a rate at which clients ask for good sound.
fn base(options: Options) -> Options {
    Options {
        width: 320,
        height: 240,
        fps: 30,
        bitrate_kbps: 20_000,
        ..options
    }
}

#[test]
fn every_channel_of_every_layout_comes_out_in_its_own_place() {
    let host = Setup::default().start();
    let client = host.client();
    let base = base(host.options(&client));
    // Channels, high quality, and the bytes of a packet of 5 and of 10 ms.
    for (channels, high_quality, of_5_ms, of_10_ms) in [
        (2, false, 60, 120),
        (2, true, 320, 640),
        (6, false, 160, 320),
        (6, true, 960, 1360),
        (8, false, 281, 563),
        (8, true, 1280, 1360),
    ] {
        // Each layout sealed and in the clear.
        for (packet_ms, bytes, sealed) in [(5, of_5_ms, true), (10, of_10_ms, false)] {
            let options = Options {
                audio_channels: channels,
                audio_packet_ms: packet_ms,
                high_quality_audio: high_quality,
                encryption: if sealed { 6 } else { 2 },
                audio_encryption_flag: sealed,
                ..base.clone()
            };
            let name = format!(
                "{channels} channels, high quality {high_quality}, {packet_ms} ms, sealed {sealed}"
            );
            let report = listen(&client, &options);
            eprintln!(
                "{name}: {:?} Hz, {:?} dB apart",
                report.audio.tones_hz, report.audio.separation_db
            );
            assert_in_place(&report, channels, 30.0);
            assert_eq!(report.audio.packet_bytes, bytes, "{name}");
            assert_eq!(report.audio_sealed, sealed, "{name}");
            assert_eq!(report.audio.lost, 0, "{name}");
            assert!(report.audio.verified_parity_blocks > 10, "{name}");
        }
    }
}

#[test]
fn ten_percent_loss_is_repaired_and_leaves_every_channel_in_its_place() {
    let host = Setup::default().start();
    let client = host.client();
    let base = base(host.options(&client));
    for (channels, high_quality, packet_ms, sealed) in [
        (2, true, 5, true),
        (6, true, 5, true),
        (6, false, 10, false),
        (8, false, 5, true),
        (8, true, 10, false),
    ] {
        let options = Options {
            audio_channels: channels,
            audio_packet_ms: packet_ms,
            high_quality_audio: high_quality,
            encryption: if sealed { 6 } else { 2 },
            audio_encryption_flag: sealed,
            impairment: Impairment {
                loss_percent: 10.0,
                seed: 3,
                ..Impairment::default()
            },
            ..base.clone()
        };
        let report = listen(&client, &options);
        let audio = &report.audio;
        eprintln!(
            "{channels} channels: {} of {} lost on the way, {} repaired, {} beyond repair, {:?} dB apart",
            audio.injected_loss, audio.packets, audio.repaired, audio.lost, audio.separation_db
        );
        // A packet that is beyond repair is a click, and a click is in every note.
        assert_in_place(&report, channels, 10.0);
        assert!(audio.repaired > 5, "{report}");
        assert!(audio.lost * 3 < audio.repaired, "{report}");
    }
}
