use super::*;
use clap::Parser;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    keeper: KeeperArgs,
}

#[test]
fn the_words_mean_to_the_keeper_what_they_meant_to_the_agent() {
    let args = KeeperArgs {
        socket: "/run/user/1000/punktfunk-gamescope-app-7".into(),
        program: "/usr/games/gamescope".into(),
        width: 1280,
        height: 720,
        fps: 60,
        leash: true,
        options: vec!["--expose-wayland".into(), "-e".into(), "--".into()],
        command: ["game", "", "-x", "--", "--leash", "a b $HOME"]
            .map(str::to_owned)
            .into(),
    };
    // The first word is the program's name for clap, and the hidden command here.
    let read = Line::parse_from(args.words()).keeper;
    assert_eq!(read, args);
}

#[test]
fn an_end_is_told_with_its_cause() {
    let exited = |code: i32| ExitStatus::from_raw(code << 8);
    assert_eq!(
        reason(exited(0), false, true, "x"),
        "the program inside gamescope ended"
    );
    assert_eq!(
        reason(exited(0), true, true, "x"),
        "gamescope was told to end"
    );
    let early = reason(exited(1), false, false, "vkCreateInstance failed");
    assert!(
        early.contains("before there was a picture, with status 1")
            && early.ends_with("vkCreateInstance failed"),
        "{early}"
    );
    let killed = ExitStatus::from_raw(9);
    assert!(reason(killed, false, true, "").contains("by signal 9"));
    assert_eq!(exit_code(killed), 137);
    assert_eq!(exit_code(exited(3)), 3);
}

#[test]
fn a_socket_has_one_keeper_at_a_time() {
    let path = std::env::temp_dir().join(format!("pf-keeper-{}", std::process::id()));
    drop(listen(&path).unwrap()); // left behind
    let listener = listen(&path).unwrap();
    assert!(listen(&path).is_err());
    drop(listener);
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_caller_hears_what_is_known_and_what_follows() {
    let board = Board::default();
    board.publish(Fact::Node(1));
    let (ours, theirs) = UnixStream::pair().unwrap();
    board.welcome(theirs);
    for fact in [Fact::Node(1), Fact::Node(2), Fact::Ended("x".into())] {
        board.publish(fact);
    }
    drop(board);
    let heard: Vec<Fact> = BufReader::new(ours)
        .lines()
        .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
        .collect();
    assert_eq!(
        heard,
        [Fact::Node(1), Fact::Node(2), Fact::Ended("x".into())]
    );
}
