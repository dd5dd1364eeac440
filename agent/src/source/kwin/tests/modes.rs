//! More than 60 Hz: an output that is born taller and then gets a mode of its own.

use super::*;

/// A limit whose end is waited for.
const ENDS: Duration = Duration::from_secs(5);

/// An output of 1366 columns that may be asked for a mode, and what knows of it.
async fn tall(kwin: &Kwin) -> (Heads, VirtualOutput) {
    let wanted = request(1366, 768, 120, Outputs::Extend);
    let heads = Heads::connect().await.unwrap();
    let output = VirtualOutput::open(&wanted, 784).await.unwrap();
    assert_eq!(born(kwin), [(1366, 784)]);
    (heads, output)
}

#[tokio::test]
async fn above_60_hz_an_output_is_born_taller_and_gets_a_mode_of_its_own() {
    let _turn = ONE_AT_A_TIME.lock().await;
    for edition in [Edition::Plasma66, Edition::Plasma67] {
        let kwin = Kwin::start(edition, &["DP-1"]);
        let wanted = request(1366, 768, 120, Outputs::Extend);
        let mut topology = Topology::join(wanted.outputs).await.unwrap();
        let (output, size) = make(&wanted, Some(&mut topology)).await.unwrap();
        // what KWin makes of a width is a multiple of 8
        assert_eq!(size, (1360, 768), "{edition:?}");
        assert_eq!(born(&kwin), [(1366, 784)]);
        let asked = kwin.asked();
        assert_eq!(asked.len(), 2, "{asked:?}");
        assert_eq!(asked[0].modes, [(1366, 768, 120_000)]);
        assert_eq!(asked[1].mode, Some((1360, 768)));
        let mode = kwin.tell(|session| session.named(OURS).unwrap().mode());
        assert_eq!(mode.size, (1360, 768));
        assert!(mode.refresh_mhz > 119_000, "{mode:?}");
        topology.arrange(output.name()).await.unwrap();
        // what the capture is told to wait for
        let place = topology.heads.place(output.name());
        assert_eq!(place, Some(((1920, 0), (1360, 768))));
        topology.leave(output).await;
        kwin.until("the output goes", |session| session.order == ["DP-1"]);
    }
}

#[tokio::test]
async fn up_to_60_hz_and_before_plasma_6_6_an_output_stays_as_it_is_born() {
    let _turn = ONE_AT_A_TIME.lock().await;
    for (edition, fps) in [(Edition::Plasma67, 60), (Edition::Plasma63, 120)] {
        let kwin = Kwin::start(edition, &["DP-1"]);
        let wanted = request(1366, 768, fps, Outputs::Extend);
        let (topology, output) = stream(&wanted).await;
        assert_eq!(born(&kwin), [(1366, 768)], "{edition:?}");
        assert_eq!(kwin.asked(), []);
        let place = topology.heads.place(output.name());
        assert_eq!(place, Some(((1920, 0), (1366, 768))));
        topology.leave(output).await;
    }
}

#[tokio::test]
async fn where_kwin_refuses_a_mode_the_stream_goes_on_at_60_hz_in_its_own_size() {
    let _turn = ONE_AT_A_TIME.lock().await;
    for edition in [Edition::Plasma66, Edition::Plasma67] {
        let kwin = Kwin::start(edition, &["DP-1"]);
        kwin.will(&[Answer::Refused("too fast")]);
        let wanted = request(1280, 720, 120, Outputs::Extend);
        let (topology, output) = stream(&wanted).await;
        assert_eq!(born(&kwin), [(1280, 736), (1280, 720)], "{edition:?}");
        // not that of the first one, which had the same name: pictures of another size are not shown
        let place = topology.heads.place(output.name());
        assert_eq!(place, Some(((1920, 0), (1280, 720))), "{edition:?}");
        assert_eq!(kwin.lit(), ["DP-1", output.name()]);
        topology.leave(output).await;
    }
}

#[tokio::test]
async fn why_kwin_refuses_a_mode_is_said() {
    let kwin = Kwin::start(Edition::Plasma67, &["DP-1"]);
    let (mut heads, output) = tall(&kwin).await;
    kwin.will(&[Answer::Refused("too fast")]);
    let refused = heads.set_mode(output.name(), (1366, 768), 120).await;
    let error = refused.unwrap_err().to_string();
    assert_eq!(error, "KWin refused the change: too fast");
    // the mode is made, and not taken
    kwin.will(&[Answer::Done, Answer::Refused("not now")]);
    let refused = heads.set_mode(output.name(), (1366, 768), 120).await;
    let error = refused.unwrap_err().to_string();
    assert_eq!(error, "KWin refused the change: not now");
    // and nothing of it hinders the next one
    let size = heads.set_mode(output.name(), (1366, 768), 120).await;
    assert_eq!(size.unwrap(), (1360, 768));
}

#[tokio::test]
async fn an_output_without_the_capability_is_not_asked_for_a_mode() {
    let kwin = Kwin::start(Edition::Plasma63, &["DP-1"]);
    let (mut heads, output) = tall(&kwin).await;
    assert!(!heads.may_take_modes());
    let refused = heads.set_mode(output.name(), (1366, 768), 120).await;
    assert!(matches!(refused, Err(HeadsError::NoCustomModes)));
    assert_eq!(kwin.asked(), []);
}

#[tokio::test]
async fn a_mode_that_never_comes_is_given_up() {
    let kwin = Kwin::start(Edition::Plasma67, &["DP-1"]);
    let (mut heads, output) = tall(&kwin).await;
    heads.appeared(output.name()).await.unwrap();
    heads.limit = ENDS;
    kwin.will(&[Answer::NoMode]);
    let refused = heads.set_mode(output.name(), (1366, 768), 120).await;
    let error = refused.unwrap_err().to_string();
    assert_eq!(error, "KWin made no mode of 1366x768 with 120 Hz");
}

#[tokio::test]
async fn a_kwin_that_answers_no_change_holds_nobody_up() {
    let kwin = Kwin::start(Edition::Plasma67, &["DP-1", "HDMI-A-1"]);
    let mut heads = Heads::connect().await.unwrap();
    let turned = Layout(names(["HDMI-A-1", "DP-1"]));
    kwin.will(&[Answer::Nothing]);
    let limit = heads.limit;
    heads.limit = ENDS;
    let silent = heads.restore(&turned).await;
    assert!(matches!(silent, Err(HeadsError::Late(_))), "{silent:?}");
    // an answer to the next change is taken for that one's
    heads.limit = limit;
    kwin.will(&[Answer::Refused("not now")]);
    let refused = heads.restore(&turned).await;
    assert!(matches!(refused, Err(HeadsError::Refused(_))));
    heads.restore(&turned).await.unwrap();
    assert_eq!(kwin.lit(), turned.0);
}

#[tokio::test]
async fn an_output_that_is_taken_away_in_between_is_said_at_once() {
    for edition in [Edition::Plasma66, Edition::Plasma67] {
        let kwin = Kwin::start(edition, &["DP-1"]);
        let (mut heads, output) = tall(&kwin).await;
        kwin.will(&[Answer::Done, Answer::ThenGone(OURS)]);
        // the mode was taken, and may have been seen before the end
        let gone = heads.set_mode(output.name(), (1366, 768), 120).await;
        assert!(
            matches!(gone, Err(HeadsError::NoOutput(_)) | Ok((1360, 768))),
            "{gone:?}"
        );
        let kwin = Kwin::start(edition, &["DP-1"]);
        let (mut heads, output) = tall(&kwin).await;
        // the next change may have been asked for already
        kwin.will(&[Answer::ThenGone(OURS)]);
        let gone = heads.set_mode(output.name(), (1366, 768), 120).await;
        let error = gone.unwrap_err();
        assert!(
            matches!(error, HeadsError::NoOutput(_) | HeadsError::Refused(_)),
            "{error}"
        );
    }
}

#[tokio::test]
async fn why_there_is_no_output_is_said_in_kwins_words() {
    let kwin = Kwin::start(Edition::Plasma67, &["DP-1"]);
    kwin.will_not_make("Could not find output");
    let wanted = request(1280, 720, 60, Outputs::Extend);
    let error = match VirtualOutput::open(&wanted, 720).await {
        Err(error) => error,
        Ok(_) => panic!("an output, where there is none"),
    };
    assert!(matches!(error, OpenError::Failed(_)));
    assert_eq!(
        error.to_string(),
        "KWin made no virtual output: Could not find output"
    );
}

#[tokio::test]
async fn a_kwin_from_before_virtual_outputs_is_told_from_one_that_failed() {
    let _kwin = Kwin::start(Edition::Plasma520, &["DP-1"]);
    let wanted = request(1280, 720, 60, Outputs::Extend);
    let Err(error) = VirtualOutput::open(&wanted, 720).await else {
        panic!("an output, from a KWin that makes none")
    };
    let error = SourceError::from(error);
    assert!(matches!(error, SourceError::Unavailable { .. }));
    assert_eq!(
        error.to_string(),
        "kwin-virtual: not available here: this KWin is too old to make virtual outputs (its screencast protocol is \
         version 1, needed is 2)"
    );
}

#[tokio::test]
async fn a_stream_learns_that_kwin_has_taken_its_output_away() {
    let kwin = Kwin::start(Edition::Plasma67, &["DP-1"]);
    let (_, mut output) = tall(&kwin).await;
    kwin.tell(|session| session.unplug(OURS));
    let why = timeout(Duration::from_secs(60), output.ended()).await;
    assert_eq!(why.unwrap(), "KWin closed the virtual output");
}
