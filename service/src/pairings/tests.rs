use super::*;
use std::sync::Arc;

const ME: Uid = Uid(1000);
const DEVICE: Device = Device([1; 32]);

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
    attempt_of(pairings, key, DEVICE).await
}

async fn attempt_of(
    pairings: &Arc<Pairings>,
    key: AttemptKey,
    device: Device,
) -> (u64, tokio::task::JoinHandle<Result<Approval, Refusal>>) {
    let before = pairings.lock().last_id;
    let mut changes = pairings.changes();
    let waiting = Arc::clone(pairings);
    let task = tokio::spawn(async move { waiting.await_decision(key, device, "tablet").await });
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
        pairings.await_decision(key(1), DEVICE, "x").await.err(),
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
async fn a_repeated_attempt_of_a_device_replaces_itself_and_other_devices_of_the_address_stay() {
    let pairings = open();
    let (_, first) = attempt(&pairings, key(1)).await;
    let (_, other) = attempt_of(&pairings, key(1), Device([2; 32])).await;
    let (_, again) = attempt(&pairings, key(1)).await;
    assert_eq!(first.await.unwrap().err(), Some(Refusal::Expired));
    assert_eq!(pairings.waiting().len(), 2);
    again.abort();
    other.abort();
}

#[tokio::test]
async fn one_source_cannot_keep_others_off_the_list_and_the_list_is_bounded() {
    let pairings = open();
    let mut tasks = Vec::new();
    for number in 0..MAX_WAITING_EACH {
        let device = Device([u8::try_from(number).unwrap(); 32]);
        tasks.push(attempt_of(&pairings, key(1), device).await.1);
    }
    let refused = pairings.await_decision(key(1), Device([99; 32]), "x").await;
    assert_eq!(refused.err(), Some(Refusal::TooManyWaiting));
    for last in 2.. {
        if pairings.waiting().len() == MAX_WAITING {
            break;
        }
        tasks.push(attempt(&pairings, key(last)).await.1);
    }
    let refused = pairings.await_decision(key(200), DEVICE, "x").await;
    assert_eq!(refused.err(), Some(Refusal::TooManyWaiting));
    assert_eq!(pairings.waiting().len(), MAX_WAITING);
    // Somebody gives up: there is room again.
    let last = tasks.pop().unwrap();
    last.abort();
    let _ = last.await;
    tasks.push(attempt(&pairings, key(200)).await.1);
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn a_flood_of_attempts_from_one_source_is_stopped_and_others_still_come_through() {
    let pairings = open();
    let mut refused = 0;
    for _ in 0..100 {
        let attempt = pairings.await_decision(key(1), DEVICE, "x");
        // Begins, is listed, and hangs up at once.
        let ended = tokio::time::timeout(Duration::ZERO, attempt).await;
        if matches!(ended, Ok(Err(Refusal::Penalty(seconds))) if seconds <= 61) {
            refused += 1;
        }
    }
    assert_eq!(refused, 80);
    let (_, task) = attempt(&pairings, key(2)).await;
    assert_eq!(pairings.waiting().len(), 1);
    task.abort();
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

#[tokio::test]
async fn an_unpair_that_could_mean_several_waiting_devices_means_none() {
    let pairings = open();
    let (_, one) = attempt(&pairings, key(1)).await;
    let (_, two) = attempt_of(&pairings, key(1), Device([2; 32])).await;
    pairings.abort(&key(1));
    assert_eq!(pairings.waiting().len(), 2);
    one.abort();
    let _ = one.await;
    pairings.abort(&key(1));
    assert_eq!(two.await.unwrap().err(), Some(Refusal::Expired));
}

/// The machine of an attempt with this PIN.
fn machine(pin: &str) -> HostPairing {
    use punktfunk_core::pairing::{HostIdentity, Secrets};
    let identity = HostIdentity::new(include_str!("../../../core/src/pairing/fixtures/host.pem"));
    let client = include_str!("../../../core/src/pairing/fixtures/client.pem");
    let secrets = Secrets {
        secret: [1; 16],
        challenge: [2; 16],
    };
    HostPairing::begin(
        identity.unwrap(),
        &"00".repeat(16),
        &hex::encode(client),
        pin,
        secrets,
    )
    .unwrap()
    .0
}

type Accepting = tokio::task::JoinHandle<Result<ClientId, PairingError>>;

/// Accepts in the background and lets the attempt begin.
async fn accepted(
    pairings: &Arc<Pairings>,
    id: u64,
    task: tokio::task::JoinHandle<Result<Approval, Refusal>>,
) -> (Accepting, Approval) {
    let accepting = tokio::spawn({
        let pairings = Arc::clone(pairings);
        async move { pairings.accept(id, "1234", ME, None).await }
    });
    let approval = task.await.unwrap().unwrap();
    (accepting, approval)
}

#[tokio::test]
async fn devices_behind_one_address_are_underway_one_after_another() {
    let pairings = open();
    let (first, task) = attempt(&pairings, key(1)).await;
    let (second, other) = attempt_of(&pairings, key(1), Device([2; 32])).await;
    let (one, approval) = accepted(&pairings, first, task).await;
    pairings.begin(key(1), machine("1234"), approval).await;
    let (two, approval) = accepted(&pairings, second, other).await;
    let begun = tokio::spawn({
        let pairings = Arc::clone(&pairings);
        async move { pairings.begin(key(1), machine("1234"), approval).await }
    });
    // The second waits for its turn: the stage that comes now is the first one's.
    let block = "00".repeat(16);
    pairings
        .advance(&key(1), |machine| machine.challenge(&block))
        .unwrap();
    assert!(!begun.is_finished());
    pairings.abort(&key(1));
    assert!(matches!(one.await.unwrap(), Err(PairingError::Expired)));
    begun.await.unwrap();
    pairings
        .advance(&key(1), |machine| machine.challenge(&block))
        .unwrap();
    pairings.abort(&key(1));
    assert!(matches!(two.await.unwrap(), Err(PairingError::Expired)));
}

#[tokio::test]
async fn a_device_that_falls_silent_after_the_pin_is_given_up_and_the_person_told() {
    let pairings = Arc::new(Pairings::within(Duration::from_millis(50)));
    pairings.open_window(ME, Duration::from_secs(60));
    let (id, task) = attempt(&pairings, key(1)).await;
    let (accepting, approval) = accepted(&pairings, id, task).await;
    pairings.begin(key(1), machine("1234"), approval).await;
    assert!(matches!(
        accepting.await.unwrap(),
        Err(PairingError::Expired)
    ));
    let late = pairings.advance(&key(1), |machine| machine.challenge(&"00".repeat(16)));
    assert_eq!(late.err(), Some(Refusal::NotUnderway));
}

#[tokio::test]
async fn a_window_that_closes_after_the_pin_does_not_end_the_attempt() {
    let pairings = open();
    let (id, task) = attempt(&pairings, key(1)).await;
    let (accepting, approval) = accepted(&pairings, id, task).await;
    pairings.begin(key(1), machine("1234"), approval).await;
    pairings.close_window(ME);
    pairings
        .advance(&key(1), |machine| machine.challenge(&"00".repeat(16)))
        .unwrap();
    accepting.abort();
}

#[tokio::test]
async fn stages_from_another_address_or_id_do_not_touch_the_attempt() {
    let pairings = open();
    let (id, task) = attempt(&pairings, key(1)).await;
    let (accepting, approval) = accepted(&pairings, id, task).await;
    pairings.begin(key(1), machine("1234"), approval).await;
    let block = "00".repeat(16);
    let mut foreign = key(1);
    foreign.unique_id = "another".into();
    for foreign in [foreign, key(2)] {
        let refused = pairings.advance(&foreign, |machine| machine.challenge(&block));
        assert_eq!(refused.err(), Some(Refusal::NotUnderway));
        pairings.abort(&foreign);
    }
    pairings
        .advance(&key(1), |machine| machine.challenge(&block))
        .unwrap();
    // Replayed: out of order, so it is over.
    let replayed = pairings.advance(&key(1), |machine| machine.challenge(&block));
    assert!(matches!(replayed, Err(Refusal::Protocol(_))));
    assert!(accepting.await.unwrap().is_err());
}

#[tokio::test]
async fn a_device_that_starts_anew_ends_its_own_attempt_that_was_underway() {
    let pairings = open();
    let (id, task) = attempt(&pairings, key(1)).await;
    let (accepting, approval) = accepted(&pairings, id, task).await;
    pairings.begin(key(1), machine("1234"), approval).await;
    let (_, again) = attempt(&pairings, key(1)).await;
    assert!(matches!(
        accepting.await.unwrap(),
        Err(PairingError::Expired)
    ));
    again.abort();
}

#[tokio::test]
async fn two_accounts_have_windows_of_their_own_and_one_closing_leaves_the_others_attempts() {
    let pairings = open();
    pairings.open_window(Uid(7), Duration::from_secs(60));
    let (id, task) = attempt(&pairings, key(1)).await;
    pairings.close_window(Uid(7));
    assert!(pairings.window_open());
    assert_eq!(pairings.waiting().first().map(|one| one.id), Some(id));
    pairings.close_window(ME);
    assert_eq!(task.await.unwrap().err(), Some(Refusal::Expired));
}
