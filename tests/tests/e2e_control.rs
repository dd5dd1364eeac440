//! The control connection of whole streams: through changes of address, losses, and to its end.

mod fixture;

use fixture::Setup;
use punktfunk_tests::{Ending, control::End};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn a_client_that_changes_its_address_in_mid_stream_keeps_control_and_picture() {
    let host = Setup::default().start();
    let client = host.client();
    let running = client
        .stream(&host.options(&client), false)
        .expect("stream");
    assert!(running.wait_frames(30, PATIENCE), "no picture");
    let key_frames = running.shared.snapshot().key_frames;
    running.control().commands.roam();
    // Only a control connection that is alive makes another key frame.
    running.control().commands.request_key_frame();
    let answered = running
        .shared
        .wait(PATIENCE, |video| video.key_frames > key_frames);
    assert!(answered, "no key frame after the change of address");
    // Longer than any of the two sides waits for the other.
    let frames = u64::from(running.shared.snapshot().last_frame_index);
    assert!(running.wait_frames(frames + 12 * 60, Duration::from_secs(30)));
    assert_eq!(running.control().state().end, None);
    let report = running.finish(Ending::Disconnect).expect("report");
    eprintln!("{report}");
    assert!(
        report.breaches.is_empty(),
        "the good-bye was not acknowledged"
    );
    assert_eq!(report.ended, "left");
}

#[test]
fn a_termination_reaches_a_client_that_loses_every_fifth_datagram() {
    let host = Setup::default().start();
    let client = host.client();
    let running = client
        .stream(&host.options(&client), false)
        .expect("stream");
    assert!(running.wait_frames(30, PATIENCE), "no picture");
    running.control().commands.lose(20.0);
    client.cancel().expect("cancel");
    assert_eq!(
        running.wait_end(PATIENCE),
        Some(End::Terminated(0x8003_0023))
    );
}
