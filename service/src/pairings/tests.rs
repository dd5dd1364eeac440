use super::*;
use std::sync::Arc;

const ME: Uid = Uid(1000);

fn key(last: u8) -> AttemptKey {
    AttemptKey {
        unique_id: "0123456789ABCDEF".into(),
        address: [10, 0, 0, last].into(),
    }
}

/// Starts an attempt and waits until it is listed.
async fn attempt(
    pairings: &Arc<Pairings>,
    key: AttemptKey,
) -> (u64, tokio::task::JoinHandle<Result<Approval, Refusal>>) {
    let before = pairings.lock().last_id;
    let mut changes = pairings.changes();
    let waiting = Arc::clone(pairings);
    let task = tokio::spawn(async move { waiting.await_decision(key, "tablet").await });
    while pairings.lock().last_id == before {
        changes.changed().await.unwrap();
    }
    (pairings.lock().last_id, task)
}

fn open() -> Arc<Pairings> {
    let pairings = Arc::new(Pairings::new());
    pairings.open_window(ME, Duration::from_secs(60));
    pairings
}

#[tokio::test]
async fn without_a_window_every_attempt_is_refused() {
    let pairings = Pairings::new();
    assert_eq!(
        pairings.await_decision(key(1), "x").await.err(),
        Some(Refusal::WindowClosed)
    );
    assert!(pairings.waiting().is_empty());
    assert!(matches!(
        pairings.accept(1, "1234", ME, None).await,
        Err(PairingError::NoSuchAttempt)
    ));
}

#[test]
fn a_window_is_at_most_five_minutes_and_belongs_to_its_account() {
    let pairings = Pairings::new();
    assert_eq!(
        pairings.open_window(ME, Duration::from_secs(3600)),
        MAX_WINDOW
    );
    pairings.open_window(Uid(7), Duration::from_secs(10));
    pairings.close_window(ME);
    assert!(pairings.window_open());
    pairings.close_window(Uid(7));
    assert!(!pairings.window_open());
}

#[tokio::test]
async fn a_shorter_request_does_not_shorten_an_open_window() {
    let pairings = Pairings::new();
    pairings.open_window(ME, Duration::from_secs(60));
    pairings.open_window(ME, Duration::ZERO);
    assert!(pairings.window_open());
}

#[tokio::test]
async fn attempts_end_with_the_window() {
    let pairings = Arc::new(Pairings::new());
    pairings.open_window(ME, Duration::from_millis(300));
    let (_, task) = attempt(&pairings, key(1)).await;
    assert_eq!(task.await.unwrap().err(), Some(Refusal::Expired));
    assert!(pairings.waiting().is_empty());

    let pairings = open();
    let (_, task) = attempt(&pairings, key(1)).await;
    pairings.close_window(ME);
    assert_eq!(task.await.unwrap().err(), Some(Refusal::Expired));
}

#[tokio::test]
async fn at_most_three_attempts_wait_and_a_repeated_one_replaces_itself() {
    let pairings = open();
    let mut tasks = Vec::new();
    for last in 1..=3 {
        tasks.push(attempt(&pairings, key(last)).await.1);
    }
    assert_eq!(
        pairings.await_decision(key(4), "x").await.err(),
        Some(Refusal::TooManyWaiting)
    );
    let (_, again) = attempt(&pairings, key(1)).await;
    assert_eq!(tasks.remove(0).await.unwrap().err(), Some(Refusal::Expired));
    assert_eq!(pairings.waiting().len(), 3);
    again.abort();
}

#[tokio::test]
async fn a_client_that_hangs_up_is_taken_off_the_list() {
    let pairings = open();
    let (id, task) = attempt(&pairings, key(1)).await;
    task.abort();
    let _ = task.await;
    assert!(pairings.waiting().is_empty());
    assert!(matches!(
        pairings.accept(id, "1234", ME, None).await,
        Err(PairingError::NoSuchAttempt)
    ));
}

#[tokio::test]
async fn a_bad_pin_costs_nothing_and_a_rejection_ends_the_attempt() {
    let pairings = open();
    let (id, task) = attempt(&pairings, key(1)).await;
    for pin in ["", "12a4", "12345", "１２３４"] {
        assert!(matches!(
            pairings.accept(id, pin, ME, None).await,
            Err(PairingError::BadPin)
        ));
    }
    pairings.reject(id).unwrap();
    assert_eq!(task.await.unwrap().err(), Some(Refusal::Rejected));
    assert!(matches!(
        pairings.reject(id),
        Err(PairingError::NoSuchAttempt)
    ));
}

#[tokio::test]
async fn a_client_that_unpairs_while_it_waits_is_forgotten() {
    let pairings = open();
    let (_, task) = attempt(&pairings, key(1)).await;
    pairings.abort(&key(2));
    assert_eq!(pairings.waiting().len(), 1);
    pairings.abort(&key(1));
    assert_eq!(task.await.unwrap().err(), Some(Refusal::Expired));
}

#[tokio::test]
async fn a_client_that_vanishes_after_the_pin_does_not_hang_the_person() {
    let pairings = open();
    let (id, task) = attempt(&pairings, key(1)).await;
    let accepting = {
        let pairings = Arc::clone(&pairings);
        tokio::spawn(async move { pairings.accept(id, "1234", ME, None).await })
    };
    drop(task.await.unwrap().unwrap());
    assert!(matches!(
        accepting.await.unwrap(),
        Err(PairingError::Expired)
    ));
}

#[test]
fn names_of_devices_are_made_harmless() {
    assert_eq!(tidy_name("  roth\u{1b}[31m\n"), "roth[31m");
    assert_eq!(tidy_name(""), "unnamed device");
    assert_eq!(tidy_name(&"x".repeat(1000)).len(), MAX_NAME);
}
