//! A kernel that makes pads of memory, and a client that writes down what it is told.
#![expect(clippy::arithmetic_side_effects, reason = "tests")]
use super::super::{
    PadClient, PadKind,
    device::{Check, Identity, Maker, PadDevice},
    feedback::Wishes,
    kind::Arrival,
    state::PadState,
};
use crate::net::wake::Wake;
use punktfunk_core::control::HostMessage;
use std::{
    collections::VecDeque,
    io,
    os::fd::{AsFd, BorrowedFd},
    sync::{
        Arc, Condvar, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// More than a loaded machine takes.
const LIMIT: Duration = Duration::from_secs(20);

#[derive(Clone)]
pub(crate) struct FakePad {
    pub kind: PadKind,
    pub identity: Identity,
    pub state: PadState,
    wishes: Wishes,
    wake: Arc<Wake>,
    alive: bool,
}

#[derive(Default)]
struct World {
    pads: Vec<FakePad>,
    no_uhid: bool,
}

/// Every pad that was ever made, for a test to look at.
#[derive(Clone, Default)]
pub(crate) struct FakePads(Arc<(Mutex<World>, Condvar)>);

impl FakePads {
    pub(crate) fn maker(&self) -> FakeMaker {
        FakeMaker(self.clone())
    }

    pub(crate) fn forbid_uhid(&self) {
        self.lock().no_uhid = true;
    }

    pub(crate) fn alive(&self) -> Vec<FakePad> {
        let world = self.lock();
        world.pads.iter().filter(|pad| pad.alive).cloned().collect()
    }

    pub(crate) fn made(&self) -> usize {
        self.lock().pads.len()
    }

    /// Buttons of the first living pad of that number.
    pub(crate) fn buttons(&self, number: u8) -> Option<u32> {
        let alive = self.alive();
        let pad = alive.iter().find(|pad| pad.identity.pad == number)?;
        Some(pad.state.controls.buttons)
    }

    /// A program wants something of the pad of that number.
    pub(crate) fn wish(&self, number: u8, wish: impl FnOnce(&mut Wishes)) {
        let mut world = self.lock();
        let mut alive = world.pads.iter_mut().filter(|pad| pad.alive);
        let pad = alive.find(|pad| pad.identity.pad == number).unwrap();
        wish(&mut pad.wishes);
        pad.wake.ring();
    }

    pub(crate) fn wait_until(&self, what: &str, is: impl Fn(&Self) -> bool) {
        self.wait_for(what, |pads| is(pads).then_some(()));
    }

    pub(crate) fn wait_for<T>(&self, what: &str, find: impl Fn(&Self) -> Option<T>) -> T {
        let end = Instant::now() + LIMIT;
        loop {
            if let Some(found) = find(self) {
                return found;
            }
            assert!(Instant::now() < end, "{what}: did not come");
            let (lock, changed) = &*self.0;
            // A change between the look and the wait is seen at the next look.
            let step = Duration::from_millis(20);
            drop(changed.wait_timeout(lock.lock().unwrap(), step).unwrap());
        }
    }

    fn lock(&self) -> MutexGuard<'_, World> {
        self.0.0.lock().unwrap()
    }

    fn change(&self, index: usize, change: impl FnOnce(&mut FakePad)) {
        change(&mut self.lock().pads[index]);
        self.0.1.notify_all();
    }
}

pub(crate) struct FakeMaker(FakePads);

impl Maker for FakeMaker {
    fn check(&self) -> Check {
        let uhid = match self.0.lock().no_uhid {
            true => Err(io::ErrorKind::NotFound.into()),
            false => Ok(()),
        };
        Check {
            uinput: Ok(()),
            uhid,
        }
    }

    fn make(
        &mut self,
        kind: PadKind,
        _: Option<&Arrival>,
        identity: &Identity,
        _: Instant,
    ) -> io::Result<Box<dyn PadDevice>> {
        let wake = Arc::new(Wake::new()?);
        let mut world = self.0.lock();
        if world.no_uhid && kind == PadKind::DualSense {
            return Err(io::ErrorKind::NotFound.into());
        }
        let index = world.pads.len();
        world.pads.push(FakePad {
            kind,
            identity: *identity,
            state: PadState::default(),
            wishes: Wishes::default(),
            wake: Arc::clone(&wake),
            alive: true,
        });
        Ok(Box::new(FakeDevice {
            pads: self.0.clone(),
            index,
            wake,
        }))
    }
}

struct FakeDevice {
    pads: FakePads,
    index: usize,
    wake: Arc<Wake>,
}

impl PadDevice for FakeDevice {
    fn show(&mut self, state: &PadState, _: Instant) -> io::Result<()> {
        self.pads.change(self.index, |pad| pad.state = *state);
        Ok(())
    }

    fn serve(&mut self, _: Instant) -> io::Result<Wishes> {
        self.wake.clear();
        let mut wishes = Wishes::default();
        self.pads
            .change(self.index, |pad| wishes = std::mem::take(&mut pad.wishes));
        Ok(wishes)
    }

    fn due(&self, _: Instant) -> Option<Instant> {
        None
    }

    fn fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}

impl Drop for FakeDevice {
    fn drop(&mut self) {
        self.pads.change(self.index, |pad| pad.alive = false);
    }
}

/// A machine that has neither uinput nor uhid.
pub(crate) struct NoPads;

impl Maker for NoPads {
    fn check(&self) -> Check {
        Check {
            uinput: Err(io::ErrorKind::NotFound.into()),
            uhid: Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn make(
        &mut self,
        _: PadKind,
        _: Option<&Arrival>,
        _: &Identity,
        _: Instant,
    ) -> io::Result<Box<dyn PadDevice>> {
        Err(io::ErrorKind::NotFound.into())
    }
}

/// A client that may play until it is told otherwise.
#[derive(Default)]
pub(super) struct FakeClient {
    forbidden: AtomicBool,
    over: AtomicBool,
    heard: Mutex<VecDeque<HostMessage>>,
    news: Condvar,
}

impl FakeClient {
    pub(super) fn permit(&self, allowed: bool) {
        self.forbidden.store(!allowed, Ordering::Release);
    }

    pub(super) fn end_session(&self) {
        self.over.store(true, Ordering::Release);
    }

    /// The next message; waits for it.
    pub(super) fn hear(&self) -> HostMessage {
        let heard = self.heard.lock().unwrap();
        let (mut heard, _) = self
            .news
            .wait_timeout_while(heard, LIMIT, |heard| heard.is_empty())
            .unwrap();
        heard.pop_front().expect("no message came")
    }

    pub(super) fn heard(&self) -> Vec<HostMessage> {
        self.heard.lock().unwrap().iter().cloned().collect()
    }
}

impl PadClient for FakeClient {
    fn may_play(&self) -> bool {
        !self.forbidden.load(Ordering::Acquire)
    }

    fn session_lives(&self) -> bool {
        !self.over.load(Ordering::Acquire)
    }

    fn tell(&self, message: HostMessage) {
        self.heard.lock().unwrap().push_back(message);
        self.news.notify_all();
    }
}
