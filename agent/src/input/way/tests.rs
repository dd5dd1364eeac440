//! With ways that open, fail and break as they are told.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::*;

/// No test takes longer than this unless something hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// What the ways of one test have in common.
#[derive(Default)]
struct Told {
    attempts: AtomicUsize,
    /// The attempts until this one fail.
    fails: AtomicUsize,
    /// Attempts wait for as long as this is set.
    slow: AtomicBool,
    /// The present way is broken.
    broken: AtomicBool,
    /// The way's number, and what it was told.
    heard: Mutex<Vec<(usize, Action)>>,
    dropped: AtomicUsize,
}

struct Heard(usize, Arc<Told>);

impl Backend for Heard {
    fn apply(&mut self, action: Action) {
        self.1.heard.lock().unwrap().push((self.0, action));
    }
    fn text(&mut self, _: char) -> Text {
        Text::Impossible
    }
    fn flush(&mut self) -> Result<(), InputError> {
        match self.1.broken.swap(false, Ordering::AcqRel) {
            true => Err(InputError::Libei("it hung up".to_owned())),
            false => Ok(()),
        }
    }
}

impl Drop for Heard {
    fn drop(&mut self) {
        self.1.dropped.fetch_add(1, Ordering::AcqRel);
    }
}

fn open(told: &Arc<Told>) -> Box<Open> {
    let told = Arc::clone(told);
    Box::new(move || {
        let number = told.attempts.fetch_add(1, Ordering::AcqRel) + 1;
        until("a slow compositor", || !told.slow.load(Ordering::Acquire));
        if number <= told.fails.load(Ordering::Acquire) {
            return Err(InputError::Libei(format!("not yet, {number}")));
        }
        Ok(Box::new(Heard(number, Arc::clone(&told))))
    })
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + LIMIT;
    while !done() {
        assert!(Instant::now() < end, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

fn key(down: bool) -> InputEvent {
    InputEvent::Key {
        down,
        code: 0x8041,
        modifiers: 0,
        flags: 0,
    }
}

const A: u16 = 30;

fn pressed(way: usize, down: bool) -> (usize, Action) {
    (way, Action::Key { code: A, down })
}

#[test]
fn input_that_was_not_there_at_the_start_comes_when_the_compositor_does() {
    let told = Arc::new(Told::default());
    told.fails.store(2, Ordering::Release);
    let (mut injector, handle) = keep(open(&told), LIMIT);
    assert!(!handle.promises());
    assert!(injector.tend().unwrap().contains("not yet"));
    // lost, and no way is waited for
    injector.inject(&key(true));
    until("the third attempt", || injector.tend().is_none());
    assert_eq!(told.attempts.load(Ordering::Acquire), 3);
    injector.inject(&key(true));
    assert_eq!(*told.heard.lock().unwrap(), [pressed(3, true)]);
}

#[test]
fn a_compositor_that_is_slow_delays_the_start_only_so_long_and_is_not_given_up() {
    let told = Arc::new(Told::default());
    told.slow.store(true, Ordering::Release);
    let (mut injector, handle) = keep(open(&told), Duration::from_millis(1));
    assert!(handle.promises());
    assert!(injector.tend().unwrap().contains("not answered"));
    injector.inject(&key(true));
    told.slow.store(false, Ordering::Release);
    until("the slow one", || injector.tend().is_none());
    // the first attempt, which nobody repeated
    assert_eq!(told.attempts.load(Ordering::Acquire), 1);
}

#[test]
fn a_way_that_breaks_is_opened_again_with_nothing_down() {
    let told = Arc::new(Told::default());
    let (mut injector, _handle) = keep(open(&told), LIMIT);
    injector.inject(&key(true));
    told.broken.store(true, Ordering::Release);
    assert!(injector.tend().unwrap().contains("hung up"));
    until("another way", || injector.tend().is_none());
    // the key that was down on the old one is new on this one, and its end no news on either
    injector.inject(&key(false));
    injector.inject(&key(true));
    drop(injector);
    assert_eq!(
        *told.heard.lock().unwrap(),
        [pressed(1, true), pressed(2, true), pressed(2, false)]
    );
}

#[test]
fn input_itself_has_another_way_opened_when_it_is_time() {
    let told = Arc::new(Told::default());
    told.fails.store(1, Ordering::Release);
    let (mut injector, _handle) = keep(open(&told), LIMIT);
    until("a way", || {
        injector.inject(&key(true));
        !told.heard.lock().unwrap().is_empty()
    });
    assert_eq!(told.attempts.load(Ordering::Acquire), 2);
}

#[test]
fn attempts_are_not_made_one_upon_the_other() {
    let told = Arc::new(Told::default());
    told.fails.store(usize::MAX, Ordering::Release);
    let begun = Instant::now();
    let (mut injector, _handle) = keep(open(&told), LIMIT);
    for _ in 0..1000 {
        injector.inject(&key(true));
    }
    // each of them would have been an attempt; the wait between two is a quarter of a second at least
    until("a few attempts", || {
        injector.tend();
        told.attempts.load(Ordering::Acquire) >= 3
    });
    assert!(begun.elapsed() >= Duration::from_millis(400));
}

#[test]
fn a_way_that_comes_after_the_end_of_the_stream_is_closed() {
    let told = Arc::new(Told::default());
    told.slow.store(true, Ordering::Release);
    let (injector, handle) = keep(open(&told), Duration::from_millis(1));
    drop(injector);
    handle.close();
    told.slow.store(false, Ordering::Release);
    until("its end", || told.dropped.load(Ordering::Acquire) == 1);
    assert!(told.heard.lock().unwrap().is_empty());
}
