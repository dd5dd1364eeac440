//! Nothing stays pressed: whatever ends a client's hold on the session, the agent is told to let go, after everything
//! that was pressed and with nothing pressed behind it.

mod fixture;

use fixture::{
    Host,
    bystander::{observed, small},
    fake_agent::FakeAgent,
};
use punktfunk_core::input::InputEvent;
use punktfunk_dbus::{channel::message::Held, proxies::ClientProxy};
use punktfunk_tests::{Client, Ending, Running, input};
use std::time::Duration;

/// A client that goes silent is given up after ten seconds.
const SOON: Duration = Duration::from_secs(60);

/// A host whose agent writes down what it is told, and a client that holds shift, A and the left button.
struct Held3 {
    host: Host,
    agent: FakeAgent,
    client: Client,
    running: Running,
}

fn held() -> Held3 {
    let (host, agent, client, running) = observed();
    for pressed in [
        input::key(true, 0x10, 1),
        input::key(true, 0x41, 1),
        input::mouse_button(true, 1),
    ] {
        running.input(&pressed);
    }
    let down = |event: &InputEvent| {
        matches!(
            event,
            InputEvent::Key { down: true, .. } | InputEvent::MouseButton { down: true, .. }
        )
    };
    let all = agent.wait(SOON, |seen| {
        seen.inputs.iter().filter(|event| down(event)).count() == 3
    });
    assert!(all, "{:?}", agent.inputs());
    Held3 {
        host,
        agent,
        client,
        running,
    }
}

/// The agent's channel ended, at which an agent lets go of everything; and if it was told so before, nothing was pressed
/// behind that. (One that is just sending a picture may notice the end first.)
#[track_caller]
fn assert_released(agent: &FakeAgent) {
    let closed = agent.wait(SOON, |seen| seen.closed > 0);
    assert!(closed, "the agent was never let go of");
    let at_rest = agent.wait(Duration::ZERO, |seen| {
        seen.released == 0 || seen.is_at_rest()
    });
    assert!(at_rest, "something was pressed behind the release");
}

fn allow(host: &Host, words: &[&str]) {
    host.block(async {
        let path = host.await_object("org.punktfunk.Host1.Client").await;
        let connection = host.connection();
        let proxy = ClientProxy::builder(connection).path(path)?.build().await?;
        proxy.set_permissions(words).await
    })
    .expect("permissions");
}

#[test]
fn a_client_that_disconnects_leaves_nothing_pressed() {
    let held = held();
    held.running.finish(Ending::Disconnect).expect("report");
    assert_released(&held.agent);
}

#[test]
fn a_client_that_is_killed_leaves_nothing_pressed() {
    let held = held();
    // No word of farewell, and no acknowledgement ever again.
    held.running.finish(Ending::Vanish).expect("report");
    assert_released(&held.agent);
}

#[test]
fn a_client_that_pauses_to_resume_later_leaves_nothing_pressed() {
    let held = held();
    held.running.finish(Ending::Disconnect).expect("report");
    assert_released(&held.agent);
    let again = held
        .client
        .stream(&small(&held.host, &held.client), true)
        .expect("resume");
    assert!(again.wait_decoded(10, SOON));
    again.finish(Ending::Disconnect).expect("report");
}

#[test]
fn ending_the_application_leaves_nothing_pressed() {
    let held = held();
    held.client.cancel().expect("cancel");
    assert_released(&held.agent);
    held.running.finish(Ending::Vanish).expect("report");
}

#[test]
fn a_permission_taken_away_lets_go_of_what_it_was_for_and_the_stream_goes_on() {
    let held = held();
    allow(&held.host, &["view", "audio", "keyboard"]);
    let pointer = Held {
        pointer: true,
        keyboard: false,
    };
    let told = held.agent.wait(SOON, |seen| seen.releases() == [pointer]);
    assert!(told, "the button is let go, and only that");
    allow(&held.host, &["view"]);
    let keyboard = Held {
        pointer: false,
        keyboard: true,
    };
    let told = held
        .agent
        .wait(SOON, |seen| seen.releases() == [pointer, keyboard]);
    assert!(told, "the keys are let go");
    let before = held.running.shared.snapshot().frames_decoded;
    assert!(held.running.wait_decoded(before + 10, SOON));
    held.running.finish(Ending::Disconnect).expect("report");
}

#[test]
fn a_client_that_may_not_view_any_more_leaves_nothing_pressed() {
    let held = held();
    allow(&held.host, &["keyboard", "pointer"]);
    assert_released(&held.agent);
    held.running.finish(Ending::Vanish).expect("report");
    let refused = held.client.launch(&small(&held.host, &held.client), false);
    let text = refused.err().expect("no launch either").to_string();
    assert!(text.contains("view"), "{text}");
}

#[test]
fn a_client_that_is_unpaired_leaves_nothing_pressed() {
    let held = held();
    held.host
        .block(async {
            let path = held.host.await_object("org.punktfunk.Host1.Client").await;
            let proxy = ClientProxy::builder(held.host.connection())
                .path(path)?
                .build()
                .await?;
            proxy.unpair().await
        })
        .expect("unpaired");
    assert_released(&held.agent);
    held.running.finish(Ending::Vanish).expect("report");
}

#[test]
fn a_service_that_stops_leaves_nothing_pressed() {
    let mut held = held();
    assert!(held.host.service().stop(), "it ends on SIGTERM");
    assert_released(&held.agent);
    held.running.finish(Ending::Vanish).expect("report");
}

#[test]
fn a_service_that_is_killed_leaves_nothing_pressed() {
    let mut held = held();
    let service = held.host.service();
    service.signal(nix::sys::signal::Signal::SIGKILL);
    // Nobody can say a word then: the end of the channel has to be enough.
    assert_released(&held.agent);
    held.running.finish(Ending::Vanish).expect("report");
}
