//! Games that Steam runs: the end of the game is not the end of what was started here, for Steam stays open, or was open
//! before. It keeps a process called `reaper SteamLaunch AppId=N` around each game: that is what is watched.
use super::{GRACE, Job, told};
use crate::processes;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    collections::HashSet,
    time::{Duration, Instant},
};
use tokio::sync::watch;

const LOOK: Duration = Duration::from_secs(2);
/// Steam may have to start, to update itself and the game, and to compile shaders.
const APPEARS_WITHIN: Duration = Duration::from_secs(900);
/// A game's first process sometimes makes place for another.
const GAPS: u32 = 2;

/// Until the game has come and gone, or is told to end.
pub async fn follow(mut job: Job, game: u32, mut stop: watch::Receiver<bool>) -> i32 {
    let mut returned = false;
    let mut over = std::pin::pin!(come_and_gone(game));
    let status = loop {
        tokio::select! {
            () = &mut over => break 0,
            status = job.ended(), if !returned => {
                if status != 0 {
                    break status;
                }
                returned = true;
            }
            () = told(&mut stop) => {
                end(game).await;
                break 0;
            }
        }
    };
    if returned || status != 0 {
        job.close().await;
    }
    status
}

/// Whether Steam runs this game.
pub async fn runs(game: u32) -> bool {
    !reapers(game).await.is_empty()
}

/// Until Steam has run the game.
pub async fn come_and_gone(game: u32) {
    let start = Instant::now();
    while !runs(game).await {
        if start.elapsed() > APPEARS_WITHIN {
            return tracing::warn!(game, "Steam has not started the game");
        }
        tokio::time::sleep(LOOK).await;
    }
    let mut missing = 0;
    while missing < GAPS {
        tokio::time::sleep(LOOK).await;
        missing = if runs(game).await { 0 } else { missing + 1 };
    }
}

async fn end(game: u32) {
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        let roots = reapers(game).await;
        let family = tokio::task::spawn_blocking(move || processes::with_descendants(roots)).await;
        for id in family.unwrap_or_default() {
            let _ = kill(Pid::from_raw(id), signal);
        }
        let deadline = Instant::now() + GRACE;
        while runs(game).await {
            if Instant::now() > deadline {
                break;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

async fn reapers(game: u32) -> HashSet<i32> {
    let looked =
        tokio::task::spawn_blocking(move || processes::find(|words| is_reaper(words, game)));
    looked.await.unwrap_or_default()
}

fn is_reaper(words: &[&[u8]], game: u32) -> bool {
    let id = format!("AppId={game}");
    let reaper = words
        .first()
        .is_some_and(|program| program.rsplit(|b| *b == b'/').next() == Some(b"reaper"));
    reaper
        && words
            .windows(2)
            .any(|pair| pair[0] == b"SteamLaunch" && pair[1] == id.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_game_is_found_and_told_to_end_through_its_reaper() {
        const GAME: u32 = 2_000_000_001;
        let directory =
            std::env::temp_dir().join(format!("punktfunk-reaper-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let reaper = directory.join("reaper");
        let _ = std::os::unix::fs::symlink("/bin/sh", &reaper);
        assert!(!runs(GAME).await);
        let mut process = tokio::process::Command::new(&reaper)
            .args([
                "-c",
                "sleep 600; true",
                "SteamLaunch",
                &format!("AppId={GAME}"),
            ])
            .spawn()
            .unwrap();
        while !runs(GAME).await {
            tokio::task::yield_now().await;
        }
        end(GAME).await;
        assert!(!process.wait().await.unwrap().success());
        assert!(!runs(GAME).await);
        let _ = std::fs::remove_dir_all(&directory);
    }

    #[test]
    fn a_reaper_is_known_by_its_name_and_its_game() {
        let line: Vec<&[u8]> = vec![
            b"/home/a/.local/share/Steam/ubuntu12_32/reaper",
            b"SteamLaunch",
            b"AppId=220",
            b"--",
            b"hl2",
        ];
        assert!(is_reaper(&line, 220));
        assert!(!is_reaper(&line, 22));
        assert!(!is_reaper(&[b"grep", b"SteamLaunch", b"AppId=220"], 220));
    }
}
