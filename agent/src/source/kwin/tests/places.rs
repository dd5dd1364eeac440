//! Who is first, who is dark, and what is there again afterwards.

use super::*;

/// Wait for what comes of something that is being served elsewhere on this thread.
async fn soon(kwin: &Kwin, lit: &[&str]) {
    let end = std::time::Instant::now() + Duration::from_secs(60);
    while kwin.lit() != lit {
        assert!(std::time::Instant::now() < end, "{:?}", kwin.lit());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The changes of a policy, without those of modes.
fn enabled(asked: &Asked) -> Vec<(&str, bool)> {
    let enable = asked.enable.iter();
    enable.map(|(name, on)| (name.as_str(), *on)).collect()
}

fn ordered(asked: &Asked) -> Vec<&str> {
    asked.order.iter().map(|(_, name)| name.as_str()).collect()
}

#[tokio::test]
async fn an_exclusive_stream_is_alone_and_the_others_are_lit_again_in_their_order() {
    let _turn = ONE_AT_A_TIME.lock().await;
    for edition in [Edition::Plasma63, Edition::Plasma66, Edition::Plasma67] {
        let kwin = Kwin::start(edition, &["DP-1", "HDMI-A-1"]);
        let (topology, output) = stream(&request(1280, 720, 60, Outputs::Exclusive)).await;
        assert_eq!(kwin.lit(), [OURS], "{edition:?}");
        // KWin 6.3 takes no order together with an output that goes dark before one that is lit
        let asked = kwin.asked();
        let [dark] = &asked[..] else {
            panic!("{asked:?}")
        };
        assert_eq!(enabled(dark), [("DP-1", false), ("HDMI-A-1", false)]);
        assert_eq!(dark.order, []);
        topology.leave(output).await;
        kwin.until("all are as they were", |session| {
            session.order == ["DP-1", "HDMI-A-1"]
        });
        let asked = kwin.asked();
        assert_eq!(enabled(&asked[0]), [("DP-1", true), ("HDMI-A-1", true)]);
        assert_eq!(ordered(&asked[1]), ["DP-1", "HDMI-A-1", OURS]);
    }
}

/// A stream that shows nothing is to leave nobody in the dark.
#[tokio::test]
async fn no_monitor_goes_dark_before_pictures_come() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let kwin = Kwin::start(Edition::Plasma67, &["DP-1"]);
    let (handover, (opened, close)) = Handover::to(Default::default());
    let wanted = request(1280, 720, 60, Outputs::Exclusive);
    let source = async {
        let blocking = tokio::task::spawn_blocking(move || opened.recv());
        let handed = blocking.await.unwrap().unwrap().unwrap();
        assert_eq!(kwin.lit(), ["DP-1", OURS]);
        let settling = handed.settling.expect("something to settle");
        let limit = Duration::from_secs(60);
        let settled = tokio::task::spawn_blocking(move || settling.pictures_come(limit));
        settled.await.unwrap().expect("in time").unwrap();
        assert_eq!(kwin.lit(), [OURS]);
        drop(close);
    };
    let (ended, ()) = tokio::join!(session(wanted, handover), source);
    ended.unwrap();
    soon(&kwin, &["DP-1"]).await;
}

#[tokio::test]
async fn a_primary_stream_is_first_and_a_monitor_that_was_dark_stays_dark() {
    let _turn = ONE_AT_A_TIME.lock().await;
    for edition in [Edition::Plasma63, Edition::Plasma66, Edition::Plasma67] {
        let kwin = Kwin::start(edition, &["eDP-1", "DP-1", "DP-2"]);
        // closed: first among KWin's outputs, and dark
        kwin.tell(|session| session.light(vec!["DP-1".into(), "DP-2".into()]));
        let (topology, output) = stream(&request(1280, 720, 60, Outputs::Primary)).await;
        assert_eq!(kwin.lit(), [OURS, "DP-1", "DP-2"], "{edition:?}");
        let asked = kwin.asked();
        assert_eq!(ordered(&asked[0]), [OURS, "DP-1", "DP-2", "eDP-1"]);
        topology.leave(output).await;
        let asked = kwin.asked();
        // every output, the dark one last: else KWin 6.3 refuses it
        assert_eq!(ordered(&asked[0]), ["DP-1", "DP-2", OURS, "eDP-1"]);
        kwin.until("all are as they were", |session| {
            session.order == ["DP-1", "DP-2"]
        });
    }
}

#[tokio::test]
async fn what_kwin_remembers_of_the_last_stream_keeps_no_monitor_dark() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let kwin = Kwin::start(Edition::Plasma67, &["DP-1"]);
    // the agent was killed, and KWin has the arrangement
    let (topology, output) = stream(&request(1280, 720, 60, Outputs::Exclusive)).await;
    drop((topology, output));
    soon(&kwin, &["DP-1"]).await;
    let wanted = request(1280, 720, 60, Outputs::Extend);
    let mut topology = Topology::join(wanted.outputs).await.unwrap();
    let (output, _) = make(&wanted, Some(&mut topology)).await.unwrap();
    assert_eq!(kwin.lit(), [OURS], "KWin remembers");
    topology.arrange(output.name()).await.unwrap();
    assert!(kwin.lit().contains(&"DP-1".to_owned()));
    topology.leave(output).await;
}

#[tokio::test]
async fn a_monitor_that_is_plugged_in_meanwhile_goes_dark_and_is_lit_afterwards() {
    let _turn = ONE_AT_A_TIME.lock().await;
    for edition in [Edition::Plasma63, Edition::Plasma67] {
        let kwin = Kwin::start(edition, &["DP-1"]);
        let (mut topology, output) = stream(&request(1280, 720, 60, Outputs::Exclusive)).await;
        kwin.tell(|session| session.plug("HDMI-A-1"));
        tokio::select! {
            end = topology.watch() => panic!("{end:?}"),
            () = soon(&kwin, &[OURS]) => {}
        }
        topology.leave(output).await;
        soon(&kwin, &["DP-1", "HDMI-A-1"]).await;
    }
}

#[tokio::test]
async fn a_monitor_that_is_unplugged_meanwhile_is_nothing_to_wait_for() {
    let _turn = ONE_AT_A_TIME.lock().await;
    for edition in [Edition::Plasma63, Edition::Plasma67] {
        let kwin = Kwin::start(edition, &["DP-1", "HDMI-A-1"]);
        let (topology, output) = stream(&request(1280, 720, 60, Outputs::Exclusive)).await;
        kwin.tell(|session| session.unplug("HDMI-A-1"));
        topology.leave(output).await;
        soon(&kwin, &["DP-1"]).await;
    }
}

#[tokio::test]
async fn a_change_that_a_monitor_came_between_is_refused_with_kwins_reason() {
    let kwin = Kwin::start(Edition::Plasma67, &["DP-1", "HDMI-A-1", "DP-2"]);
    let mut heads = Heads::connect().await.unwrap();
    kwin.will(&[Answer::FirstGone("DP-2")]);
    let turned = Layout(names(["HDMI-A-1", "DP-1"]));
    let refused = heads.restore(&turned).await.unwrap_err().to_string();
    assert!(refused.contains("no longer available"), "{refused}");
    // with what has been learnt since
    heads.restore(&turned).await.unwrap();
    assert_eq!(kwin.lit(), turned.0);
}

#[tokio::test]
async fn of_two_streams_the_second_goes_on_when_the_first_ends() {
    let _turn = ONE_AT_A_TIME.lock().await;
    for edition in [Edition::Plasma63, Edition::Plasma67] {
        let kwin = Kwin::start(edition, &["DP-1", "HDMI-A-1"]);
        let (first, one) = stream(&request(1280, 720, 60, Outputs::Exclusive)).await;
        let (second, two) = stream(&request(800, 600, 60, Outputs::Primary)).await;
        assert_eq!(two.name(), "Virtual-punktfunk-2");
        // the strictest holds for both
        assert_eq!(kwin.lit(), [OURS, two.name()], "{edition:?}");
        first.leave(one).await;
        assert_eq!(kwin.lit(), [two.name(), "DP-1", "HDMI-A-1"], "{edition:?}");
        second.leave(two).await;
        soon(&kwin, &["DP-1", "HDMI-A-1"]).await;
    }
}

#[test]
fn what_a_killed_agent_left_dark_is_lit_again_by_its_note() {
    let kwin = Kwin::start(Edition::Plasma63, &["DP-1", "HDMI-A-1"]);
    // what KWin took up when the agent's output went
    kwin.tell(|session| session.light(vec!["HDMI-A-1".into()]));
    put_back(&["DP-1".into(), "HDMI-A-1".into()]).unwrap();
    assert_eq!(kwin.lit(), ["DP-1", "HDMI-A-1"]);
}
