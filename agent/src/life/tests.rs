//! A stream's pictures through everything that can happen to their source, with sources that do as they are told.

use super::{
    pulse::{Beat, Pulse},
    *,
};
use crate::{
    clock,
    pipeline::{Next, Pictures},
    source::{AudioOrigin, Picture, SourceError},
};
use nix::sys::eventfd::EfdFlags;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

const SIZE: (u32, u32) = (64, 48);
/// No test takes longer than this unless something hangs.
const LIMIT: Duration = Duration::from_secs(20);
const SECOND_NS: u64 = 1_000_000_000;

/// A source that does as it is told.
struct Told {
    slot: Arc<PictureSlot>,
    /// What is put into its session.
    injected: Arc<Mutex<Vec<String>>>,
    trouble: Arc<Mutex<Option<String>>>,
    hangs: Arc<AtomicBool>,
    /// There is no other one after it.
    last: Arc<AtomicBool>,
    dropped: Arc<AtomicUsize>,
}

struct ToldPulse(Arc<AtomicBool>);

impl Pulse for ToldPulse {
    fn beat(&mut self, _: u64) -> Beat {
        if self.0.load(Ordering::Acquire) {
            Beat::Silent
        } else {
            Beat::Alive
        }
    }
}

/// What is put in, and why it goes nowhere.
struct Notes(Arc<Mutex<Vec<String>>>, Arc<Mutex<Option<String>>>);

impl Injector for Notes {
    fn inject(&mut self, event: &InputEvent) {
        self.0.lock().unwrap().push(format!("{event:?}"));
    }
    fn release(&mut self, _: Held) {
        self.0.lock().unwrap().push("release".to_owned());
    }
    fn tend(&mut self) -> Option<String> {
        self.1.lock().unwrap().clone()
    }
}

impl Source for Told {
    fn name(&self) -> &'static str {
        "told"
    }
    fn slot(&self) -> Arc<PictureSlot> {
        Arc::clone(&self.slot)
    }
    fn injector(&mut self) -> Option<Box<dyn Injector>> {
        let (injected, trouble) = (Arc::clone(&self.injected), Arc::clone(&self.trouble));
        Some(Box::new(Notes(injected, trouble)))
    }
    fn pulse(&self) -> Option<Box<dyn Pulse>> {
        Some(Box::new(ToldPulse(Arc::clone(&self.hangs))))
    }
    fn comes_back(&self) -> bool {
        !self.last.load(Ordering::Acquire)
    }
    fn audio(&self) -> AudioOrigin {
        AudioOrigin::Tone
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        self.dropped.fetch_add(1, Ordering::AcqRel);
    }
}

/// A stream's keeper and scene over sources of which the test holds the other end.
struct Rig {
    life: Arc<Life>,
    session: watch::Sender<Facts>,
    scene: Scene,
    keeper: Option<Keeper>,
    /// Of the present source.
    slots: Arc<Mutex<Vec<Arc<PictureSlot>>>>,
    injected: Arc<Mutex<Vec<String>>>,
    trouble: Arc<Mutex<Option<String>>>,
    hangs: Arc<AtomicBool>,
    last: Arc<AtomicBool>,
    dropped: Arc<AtomicUsize>,
    refuses: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
    /// The time that the scene is told.
    now_ns: u64,
}

impl Rig {
    fn new(lock_screen: bool) -> Self {
        Self::begin(lock_screen, Facts::default(), false)
    }

    fn begin(lock_screen: bool, facts: Facts, refuses: bool) -> Self {
        let wake = Arc::new(EventFd::from_flags(EfdFlags::EFD_NONBLOCK).unwrap());
        let session = watch::Sender::new(facts);
        let life = Arc::new(Life::new(SIZE, lock_screen, session.subscribe(), wake));
        let slots = Arc::<Mutex<Vec<Arc<PictureSlot>>>>::default();
        let injected = Arc::<Mutex<Vec<String>>>::default();
        let trouble = Arc::<Mutex<Option<String>>>::default();
        let hangs = Arc::<AtomicBool>::default();
        let last = Arc::<AtomicBool>::default();
        let dropped = Arc::<AtomicUsize>::default();
        let refuses = Arc::new(AtomicBool::new(refuses));
        let asked = Arc::<AtomicUsize>::default();
        let open: Arc<Open> = {
            let (slots, injected) = (Arc::clone(&slots), Arc::clone(&injected));
            let (hangs, dropped) = (Arc::clone(&hangs), Arc::clone(&dropped));
            let (last, trouble) = (Arc::clone(&last), Arc::clone(&trouble));
            let (refuses, asked) = (Arc::clone(&refuses), Arc::clone(&asked));
            Arc::new(move || {
                asked.fetch_add(1, Ordering::AcqRel);
                if refuses.load(Ordering::Acquire) {
                    return Err(SourceError::Unavailable {
                        name: "told",
                        why: "no compositor here".to_owned(),
                    });
                }
                let slot = Arc::<PictureSlot>::default();
                slots.lock().unwrap().push(Arc::clone(&slot));
                Ok(Box::new(Told {
                    slot,
                    injected: Arc::clone(&injected),
                    trouble: Arc::clone(&trouble),
                    hangs: Arc::clone(&hangs),
                    last: Arc::clone(&last),
                    dropped: Arc::clone(&dropped),
                }))
            })
        };
        let now_ns = clock::now_ns();
        let keeper = Keeper::start(Arc::clone(&life), open(), open).unwrap();
        Self {
            scene: Scene::new(Arc::clone(&life), now_ns),
            life,
            session,
            keeper: Some(keeper),
            slots,
            injected,
            trouble,
            hangs,
            last,
            dropped,
            refuses,
            asked,
            now_ns,
        }
    }

    fn slot(&self) -> Arc<PictureSlot> {
        Arc::clone(self.slots.lock().unwrap().last().unwrap())
    }

    fn paint(&self, grey: u8, (width, height): (u32, u32)) {
        self.slot().put(Picture {
            width,
            height,
            stride: width as usize * 4,
            data: vec![grey; (width * height * 4) as usize],
            capture_ns: clock::now_ns(),
            sequence: 1,
            ..Picture::default()
        });
    }

    /// What the next tick encodes: the picture's first byte and whether it is a cut, or None for the last one again.
    fn tick(&mut self) -> Option<(u8, bool)> {
        self.now_ns = self.now_ns.max(clock::now_ns());
        match self.scene.next(self.now_ns).unwrap() {
            Next::New { picture, cut } => Some((picture.data[0], cut)),
            Next::Same { .. } => None,
            Next::Nothing => panic!("nothing to encode"),
        }
    }

    /// Tick until `done`; the time that the scene is told runs with the real one.
    fn until(&mut self, what: &str, mut done: impl FnMut(&mut Self, Option<(u8, bool)>) -> bool) {
        let end = Instant::now() + LIMIT;
        loop {
            let got = match self.scene.next(self.now_ns.max(clock::now_ns())) {
                Ok(Next::New { picture, cut }) => Some((picture.data[0], cut)),
                Ok(_) => None,
                Err(why) => panic!("{what}: {why}"),
            };
            if done(self, got) {
                return;
            }
            assert!(Instant::now() < end, "{what} never came");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn told(&self) -> Word {
        let told = self.life.news(&mut 0).unwrap();
        (told.state, told.reason.into_owned())
    }

    fn set(&self, edit: impl FnOnce(&mut Facts)) {
        self.session.send_modify(edit);
    }
}

type Word = (SourceState, String);

/// First byte of a placeholder.
const DARK: u8 = 40;

#[test]
fn another_source_takes_over_with_a_cut_when_one_has_ended() {
    let mut rig = Rig::new(false);
    rig.paint(100, SIZE);
    assert_eq!(rig.tick(), Some((100, false)));
    assert_eq!(rig.tick(), None);
    assert_eq!(rig.told().0, SourceState::Capturing);

    rig.slot().fail("the compositor went away");
    rig.until("the loss", |rig, got| {
        assert_eq!(got, None, "the last picture stands");
        rig.told() == (SourceState::NoOutput, "the compositor went away".to_owned())
    });
    rig.until("another source", |rig, _| {
        rig.slots.lock().unwrap().len() == 2
    });
    rig.paint(150, SIZE);
    rig.until("its picture", |_, got| {
        got.is_some_and(|got| {
            assert_eq!(got, (150, true));
            true
        })
    });
    assert_eq!(rig.told(), (SourceState::Capturing, String::new()));
    assert_eq!(rig.dropped.load(Ordering::Acquire), 1);
    assert_eq!(rig.scene.captured(), 2);
    drop(rig.keeper.take());
    assert_eq!(rig.dropped.load(Ordering::Acquire), 2);
}

#[test]
fn a_source_that_does_not_come_back_ends_the_stream_with_its_reason() {
    let mut rig = Rig::new(false);
    rig.paint(100, SIZE);
    rig.tick();
    rig.last.store(true, Ordering::Release);
    rig.slot().fail("the application ended");
    let end = Instant::now() + LIMIT;
    let why = loop {
        if let Err(why) = rig.scene.next(clock::now_ns()) {
            break why;
        }
        assert!(Instant::now() < end, "the stream goes on");
        std::thread::sleep(Duration::from_millis(2));
    };
    assert_eq!(why, "the application ended");
    assert_eq!(rig.asked.load(Ordering::Acquire), 1);
}

#[test]
fn a_desktop_that_stays_away_is_asked_for_less_and_less_often_and_the_reason_is_told() {
    let mut rig = Rig::new(false);
    rig.paint(100, SIZE);
    rig.tick();
    rig.refuses.store(true, Ordering::Release);
    rig.slot().fail("logged out");
    let asked = Arc::clone(&rig.asked);
    let begun = Instant::now();
    // after 250, 500 and 1000 ms
    rig.until("three more attempts", |_, _| {
        asked.load(Ordering::Acquire) == 4
    });
    assert!(begun.elapsed() >= Duration::from_millis(1750));
    rig.until("the reason", |rig, _| {
        rig.told().1.contains("no compositor here")
    });
    // what the client sees by then
    rig.now_ns = clock::now_ns() + 5 * SECOND_NS;
    assert_eq!(rig.tick(), Some((DARK, true)));
    assert_eq!(rig.tick(), None, "a placeholder is still");
    let dropped = Arc::clone(&rig.dropped);
    drop(rig.keeper.take());
    assert_eq!(dropped.load(Ordering::Acquire), 1);
    // ten minutes later nobody waits any more
    assert!(rig.scene.next(rig.now_ns + 700 * SECOND_NS).is_err());
}

#[test]
fn a_locked_session_is_covered_takes_no_input_and_comes_back_as_it_is() {
    let mut rig = Rig::new(false);
    rig.paint(100, SIZE);
    rig.tick();
    let event = InputEvent::MouseRelative { dx: 1, dy: 1 };
    rig.life.inject(&event);
    assert_eq!(rig.injected.lock().unwrap().len(), 1);
    rig.set(|facts| facts.locked = true);
    assert_eq!(rig.tick(), Some((DARK, true)));
    assert_eq!(rig.told().0, SourceState::Locked);
    rig.life.inject(&event);
    assert_eq!(rig.injected.lock().unwrap().len(), 1);
    // what is painted behind the cover is not seen now, and not missed later
    rig.paint(120, SIZE);
    assert_eq!(rig.tick(), None);
    rig.set(|facts| facts.locked = false);
    assert_eq!(rig.tick(), Some((120, true)));
    assert_eq!(rig.told().0, SourceState::Capturing);
    rig.life.inject(&event);
    assert_eq!(rig.injected.lock().unwrap().len(), 2);
}

#[test]
fn a_stream_that_begins_in_a_locked_session_shows_it_as_soon_as_it_is_unlocked() {
    let locked = Facts {
        locked: true,
        ..Facts::default()
    };
    let mut rig = Rig::begin(false, locked, true);
    assert_eq!(rig.tick(), Some((DARK, true)));
    assert_eq!(rig.told().0, SourceState::Locked);
    // long waits between the attempts by now
    let asked = Arc::clone(&rig.asked);
    rig.until("some attempts", |_, _| asked.load(Ordering::Acquire) == 4);
    rig.refuses.store(false, Ordering::Release);
    rig.set(|facts| facts.locked = false);
    rig.until("a source", |rig, _| rig.slots.lock().unwrap().len() == 1);
    rig.paint(100, SIZE);
    rig.until("its picture", |_, got| got == Some((100, true)));
}

#[test]
fn a_client_that_may_unlock_sees_the_lock_screen_and_types_at_it() {
    let mut rig = Rig::new(true);
    rig.paint(100, SIZE);
    rig.tick();
    rig.set(|facts| facts.locked = true);
    rig.paint(120, SIZE);
    assert_eq!(rig.tick(), Some((120, false)));
    assert_eq!(rig.told().0, SourceState::Locked);
    let event = InputEvent::MouseRelative { dx: 1, dy: 1 };
    rig.life.inject(&event);
    assert_eq!(rig.injected.lock().unwrap().len(), 1);
    // the permission is taken away, and given again
    rig.life.set_lock_screen(false);
    assert_eq!(rig.tick(), Some((DARK, true)));
    rig.life.inject(&event);
    assert_eq!(rig.injected.lock().unwrap().len(), 1);
    rig.life.set_lock_screen(true);
    assert_eq!(rig.tick(), Some((120, true)));
}

#[test]
fn a_session_switched_away_pauses_and_says_each_state_once() {
    let mut rig = Rig::new(true);
    rig.paint(100, SIZE);
    rig.tick();
    let mut seen = 0;
    assert_eq!(
        rig.life.news(&mut seen).unwrap().state,
        SourceState::Capturing
    );
    for (edit, state, takes_input) in [
        (
            (|facts: &mut Facts| facts.in_front = false) as fn(&mut Facts),
            SourceState::Paused,
            false,
        ),
        (|facts| facts.asleep = true, SourceState::Suspended, false),
        (
            |facts| *facts = Facts::default(),
            SourceState::Capturing,
            true,
        ),
    ] {
        rig.set(edit);
        for _ in 0..3 {
            rig.tick();
        }
        let told = rig.life.news(&mut seen).unwrap();
        assert_eq!((told.state, told.takes_input), (state, takes_input));
        assert_eq!(rig.life.news(&mut seen), None);
    }
}

#[test]
fn a_compositor_that_hangs_keeps_its_source_and_goes_on_when_it_answers() {
    let mut rig = Rig::new(false);
    rig.paint(100, SIZE);
    rig.tick();
    // a picture shows that it lives, and then it hangs
    rig.until("a round of the keeper", |rig, _| {
        rig.hangs.store(true, Ordering::Release);
        rig.told().0 == SourceState::NoOutput
    });
    assert!(rig.told().1.contains("does not answer"));
    rig.now_ns = clock::now_ns() + 3 * SECOND_NS;
    assert_eq!(rig.tick(), Some((DARK, true)));
    rig.hangs.store(false, Ordering::Release);
    rig.until("the answer", |rig, _| {
        rig.told().0 == SourceState::Capturing
    });
    assert_eq!(rig.slots.lock().unwrap().len(), 1, "the same source");
    assert_eq!(rig.dropped.load(Ordering::Acquire), 0);
}

#[test]
fn pictures_of_another_size_are_counted_and_pointed_at_where_they_are_seen() {
    let mut rig = Rig::new(false);
    rig.paint(100, (48, 48));
    rig.tick();
    assert_eq!(rig.scene.scaled(), 1);
    // bars of 8 pixels: the stream's pixel 8 is the captured picture's first
    rig.life.inject(&InputEvent::MouseAbsolute {
        x: 8,
        y: 0,
        ref_width: 64,
        ref_height: 48,
    });
    let injected = rig.injected.lock().unwrap().clone();
    assert!(
        injected[0].contains("x: 0, y: 0, ref_width: 32767"),
        "{injected:?}"
    );
    rig.paint(100, SIZE);
    rig.tick();
    assert_eq!((rig.scene.captured(), rig.scene.scaled()), (2, 1));
}

#[test]
fn pictures_that_nobody_took_in_time_are_counted_over_all_sources() {
    let mut rig = Rig::new(false);
    for shade in [100, 110, 120] {
        rig.paint(shade, SIZE);
    }
    rig.tick();
    assert_eq!((rig.scene.captured(), rig.scene.replaced()), (3, 2));
    rig.slot().fail("the compositor went away");
    rig.until("another source", |rig, _| {
        rig.slots.lock().unwrap().len() == 2
    });
    for shade in [130, 140] {
        rig.paint(shade, SIZE);
    }
    rig.until("its picture", |_, got| got.is_some_and(|got| got.0 == 140));
    assert_eq!((rig.scene.captured(), rig.scene.replaced()), (5, 3));
}

#[test]
fn input_that_goes_nowhere_is_told_of_while_the_pictures_go_on() {
    let mut rig = Rig::new(false);
    rig.paint(100, SIZE);
    rig.tick();
    let capturing = |reason: &str| (SourceState::Capturing, reason.to_owned());
    assert_eq!(rig.told(), capturing(""));
    *rig.trouble.lock().unwrap() = Some("it hung up".to_owned());
    rig.until("the trouble", |rig, _| {
        rig.told() == capturing("no input into the session: it hung up")
    });
    // what hides the session is told of before that
    rig.set(|facts| facts.asleep = true);
    rig.tick();
    assert_eq!(rig.told().0, SourceState::Suspended);
    rig.set(|facts| facts.asleep = false);
    *rig.trouble.lock().unwrap() = None;
    rig.until("its end", |rig, _| rig.told() == capturing(""));
}

#[test]
fn a_locker_that_logind_does_not_know_of_locks_the_session_too() {
    let (_session, facts) = watch::channel(Facts::default());
    let wake = Arc::new(EventFd::from_flags(EfdFlags::EFD_NONBLOCK).unwrap());
    // without a keeper, which looks for the real ones
    let life = Life::new(SIZE, false, facts, wake);
    assert!(life.facts().shows(false));
    life.locker(Some("swaylock"));
    assert!(life.facts().locked && !life.facts().shows(false));
    assert!(life.facts().shows(true), "with the permission to unlock");
    life.locker(None);
    assert!(life.facts().shows(false));
}
