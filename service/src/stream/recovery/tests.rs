#![expect(clippy::arithmetic_side_effects, reason = "tests")]
use super::*;

const MS: u64 = 1_000_000;
const IDR: Answer = Answer::Order(Order::Idr);

fn invalidate(first: u32, last: u32) -> Answer {
    Answer::Order(Order::Invalidate { first, last })
}

/// Frames are announced and sent; the agent's numbers are 10 behind the client's, as after frames that were never sent.
struct Host {
    recovery: Recovery,
    next: u32,
    now_ns: u64,
}

impl Host {
    /// Frame 100 was the first and a key frame, all up to and with `last` followed.
    fn at(last: u32, can_invalidate: bool) -> Self {
        let mut host = Self {
            recovery: Recovery::new(can_invalidate),
            next: 100,
            now_ns: 0,
        };
        host.frame(Some(Restart::Key));
        while host.next <= last {
            host.frame(None);
        }
        host
    }

    /// `true`: the agent has not answered an invalidation.
    fn frame(&mut self, restart: Option<Restart>) -> bool {
        let unanswered = self.recovery.announced(restart);
        let sequence = self.next - 10;
        self.recovery
            .sent(self.next, sequence, restart, self.now_ns);
        self.next += 1;
        unanswered
    }
}

#[test]
fn a_thousand_requests_a_second_get_few_key_frames_and_the_last_one_is_answered() {
    let mut host = Host::at(110, false);
    let (mut asked, mut coming) = (0, None);
    for ms in 0..2000 {
        let now = ms * MS;
        host.now_ns = now;
        // A frame every 10 ms; the agent answers with the second one.
        if ms % 10 == 0 {
            let key = coming.take_if(|at| *at <= ms).map(|_| Restart::Key);
            host.frame(key);
        }
        let answer = host.recovery.key_frame_wanted(now);
        let due = host.recovery.due(now);
        if answer == IDR || due.is_some() {
            asked += 1;
            coming = Some(ms + 10);
        }
    }
    assert!((20..=24).contains(&asked), "{asked} in two seconds");
    // The last request of all is not forgotten, though nobody repeats it.
    let waits = (0..=KEY_FRAME_BURST).any(|_| {
        host.frame(Some(Restart::Key));
        host.frame(None);
        host.recovery.key_frame_wanted(2000 * MS) == Answer::Later
    });
    assert!(waits, "there is no end to the burst");
    assert_eq!(host.recovery.due(2400 * MS), Some(Order::Idr));
}

#[test]
fn a_request_that_may_be_answered_is_answered_at_once() {
    let mut host = Host::at(110, false);
    assert_eq!(host.recovery.key_frame_wanted(0), IDR);
    assert_eq!(host.recovery.key_frame_wanted(50 * MS), Answer::Coalesced);
    host.frame(Some(Restart::Key));
    // Nothing followed it: nobody can know yet that it is lost, unless nothing follows for long.
    assert_eq!(host.recovery.key_frame_wanted(60 * MS), Answer::Coalesced);
    assert_eq!(host.recovery.key_frame_wanted(100 * MS), IDR);
    host.frame(Some(Restart::Key));
    host.frame(None);
    assert_eq!(host.recovery.key_frame_wanted(101 * MS), IDR);
}

#[test]
fn a_key_frame_that_is_reported_lost_is_replaced_though_nothing_followed_it() {
    let mut host = Host::at(110, true);
    host.frame(Some(Restart::Key));
    assert_eq!(host.recovery.references_lost(111, 111, 0), IDR);
}

#[test]
fn what_was_left_out_behind_a_key_frame_gets_another_one() {
    let mut host = Host::at(100, true);
    // for all that a client can know, the key frame may be on its way
    assert_eq!(host.recovery.key_frame_wanted(MS), Answer::Coalesced);
    assert_eq!(host.recovery.left_out(MS), IDR);
    assert_eq!(host.recovery.left_out(2 * MS), Answer::Coalesced);
}

#[test]
fn a_key_frame_that_the_agent_owes_is_asked_for_again_when_it_is_wanted_again() {
    let mut host = Host::at(110, false);
    assert_eq!(host.recovery.key_frame_wanted(0), IDR);
    (0..MISSING_FRAMES).for_each(|_| assert!(!host.frame(None)));
    assert_eq!(host.recovery.key_frame_wanted(99 * MS), Answer::Coalesced);
    assert_eq!(host.recovery.key_frame_wanted(100 * MS), IDR);
    assert_eq!(host.recovery.key_frame_wanted(999 * MS), Answer::Coalesced);
    assert_eq!(host.recovery.key_frame_wanted(1100 * MS), IDR);
}

#[test]
fn lost_frames_are_left_out_from_the_first_one_to_the_latest() {
    let mut host = Host::at(110, true);
    assert_eq!(
        host.recovery.references_lost(107, 108, 0),
        invalidate(97, 100)
    );
    // The client repeats itself with what it discards meanwhile.
    host.frame(None);
    assert_eq!(
        host.recovery.references_lost(107, 111, MS),
        Answer::Coalesced
    );
    host.frame(Some(Restart::AfterInvalidation));
    assert_eq!(
        host.recovery.references_lost(107, 111, 2 * MS),
        Answer::Coalesced
    );
    // The answer itself is lost.
    host.frame(None);
    assert_eq!(
        host.recovery.references_lost(107, 112, 3 * MS),
        invalidate(97, 103)
    );
}

#[test]
fn ranges_that_no_invalidation_helps_get_a_key_frame() {
    for (first, last, why) in [
        (100, 105, "the key frame is among them"),
        (90, 110, "they reach behind the key frame"),
        (108, 150, "frames that were never sent"),
        (108, 107, "no range"),
    ] {
        let mut host = Host::at(110, true);
        assert_eq!(host.recovery.references_lost(first, last, 0), IDR, "{why}");
    }
    let mut host = Host::at(140, true);
    assert_eq!(host.recovery.references_lost(124, 124, 0), IDR, "too old");
    let mut host = Host::at(140, true);
    assert_eq!(
        host.recovery.references_lost(125, 125, 0),
        invalidate(115, 130)
    );
    let mut host = Host::at(140, false);
    assert_eq!(host.recovery.references_lost(139, 139, 0), IDR, "it cannot");
}

#[test]
fn reports_from_before_a_key_frame_are_answered_by_it() {
    let mut host = Host::at(110, true);
    host.frame(Some(Restart::Key));
    host.frame(None);
    assert_eq!(
        host.recovery.references_lost(105, 110, 0),
        Answer::Coalesced
    );
    assert_eq!(host.recovery.references_lost(105, 111, 0), IDR);
    assert_eq!(
        host.recovery.references_lost(105, 112, 0),
        Answer::Coalesced,
        "it is asked for"
    );
}

#[test]
fn an_older_loss_than_the_one_that_is_being_answered_gets_a_key_frame() {
    let mut host = Host::at(110, true);
    assert_eq!(
        host.recovery.references_lost(108, 108, 0),
        invalidate(98, 100)
    );
    assert_eq!(host.recovery.references_lost(104, 104, MS), IDR);
    host.frame(Some(Restart::AfterInvalidation));
    assert_eq!(
        host.recovery.references_lost(104, 104, 2 * MS),
        Answer::Coalesced
    );
    host.frame(Some(Restart::Key));
    host.frame(None);
    assert_eq!(
        host.recovery.references_lost(104, 104, 3 * MS),
        Answer::Coalesced
    );
}

#[test]
fn an_agent_that_does_not_answer_an_invalidation_is_asked_for_a_key_frame() {
    let mut host = Host::at(110, true);
    assert_eq!(
        host.recovery.references_lost(109, 109, 0),
        invalidate(99, 100)
    );
    let answers: Vec<bool> = (0..UNANSWERED_FRAMES).map(|_| host.frame(None)).collect();
    assert_eq!(answers.iter().filter(|late| **late).count(), 1);
    assert!(answers.last().is_some_and(|late| *late));
    assert_eq!(host.recovery.due(MS), Some(Order::Idr));
    assert_eq!(host.recovery.due(MS), None);
}

#[test]
fn a_mark_that_nobody_asked_for_answers_nothing() {
    let mut host = Host::at(110, true);
    host.frame(Some(Restart::AfterInvalidation));
    host.frame(None);
    assert_eq!(
        host.recovery.references_lost(109, 110, 0),
        invalidate(99, 102)
    );
}

#[test]
fn frame_indices_wrap() {
    let mut recovery = Recovery::new(true);
    for (step, sequence) in (0..8u32).zip(5..) {
        let key = (step == 0).then_some(Restart::Key);
        recovery.announced(key);
        recovery.sent((u32::MAX - 3).wrapping_add(step), sequence, key, 0);
    }
    let lost = recovery.references_lost(u32::MAX, 1, 0);
    assert_eq!(lost, invalidate(8, 12));
}
