//! A cast outlives its stream for a moment: a client that comes back finds it as it was, without a dialogue and without a new
//! session. Meanwhile it is not active: no picture is made or taken.

use std::{
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use punktfunk_core::input::InputEvent;
use punktfunk_dbus::channel::message::Held;

use crate::{
    life::pulse::Pulse,
    source::{
        AudioOrigin, DmabufFormat, Injector, Painter, PictureSlot, Source, SourceError,
        SourceRequest,
    },
};

/// How long it is kept. The desktop tells its user for as long that the screen is shared.
const KEPT: Duration = Duration::from_secs(60);

/// What a cast was opened for; of no use to who wants another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    fps: u32,
    cursor: bool,
    importable: Vec<DmabufFormat>,
    monitor: Option<String>,
}

impl Key {
    pub fn of(request: &SourceRequest, monitor: Option<&str>) -> Self {
        Self {
            fps: request.fps,
            cursor: request.cursor,
            importable: request.importable.formats().to_vec(),
            monitor: monitor.map(str::to_owned),
        }
    }
}

type Shared = Arc<Mutex<Option<Box<dyn Injector>>>>;

/// A cast, in use or not.
struct Cast {
    source: Box<dyn Source>,
    /// Asked of the source once; each stream gets a way to it.
    injector: Option<Shared>,
    key: Key,
}

struct Idle {
    cast: Cast,
    until: Instant,
}

/// Casts that nobody uses now.
#[derive(Default)]
pub struct Pool {
    idle: Mutex<Vec<Idle>>,
    changed: Condvar,
    reaper: AtomicBool,
}

impl Pool {
    /// A cast of that kind that is still alive, else one that `open` makes. It comes back here when it is dropped.
    ///
    /// # Errors
    /// What `open` says.
    pub fn get(
        &'static self,
        key: Key,
        open: impl FnOnce() -> Result<Box<dyn Source>, SourceError>,
    ) -> Result<Box<dyn Source>, SourceError> {
        let known = {
            let mut idle = self.idle();
            let at = idle.iter().position(|idle| idle.cast.key == key);
            at.map(|at| idle.swap_remove(at).cast)
        };
        if let Some(mut cast) = known.filter(Cast::lives) {
            tracing::info!("the portal's cast of before is used again");
            let slot = cast.source.slot();
            let mut state = slot.state();
            // those were another stream's
            (state.newest, state.captured, state.replaced) = (None, 0, 0);
            drop(state);
            cast.source.set_active(true);
            return Ok(self.lend(cast));
        }
        let mut source = open()?;
        let injector = source.injector().map(|i| Arc::new(Mutex::new(Some(i))));
        Ok(self.lend(Cast {
            source,
            injector,
            key,
        }))
    }

    fn lend(&'static self, cast: Cast) -> Box<dyn Source> {
        Box::new(Lent {
            slot: cast.source.slot(),
            injector: cast.injector.clone(),
            cast: Some(cast),
            pool: self,
        })
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keep a cast for a while.
    fn park(&'static self, mut cast: Cast, kept: Duration) {
        if !cast.lives() || !self.reaped() {
            return;
        }
        cast.source.set_active(false);
        let until = Instant::now() + kept;
        self.idle().push(Idle { cast, until });
        self.changed.notify_all();
    }

    /// Whether there is a thread that ends what was kept long enough.
    fn reaped(&'static self) -> bool {
        if self.reaper.swap(true, Ordering::AcqRel) {
            return true;
        }
        let thread = thread::Builder::new().name("pf-casts".into());
        let spawned = thread.spawn(move || {
            let mut idle = self.idle();
            loop {
                let now = Instant::now();
                let over = idle
                    .iter()
                    .position(|idle| idle.until <= now || !idle.cast.lives());
                if let Some(at) = over {
                    let ended = idle.swap_remove(at);
                    drop(idle);
                    // closing a session takes its time
                    drop(ended);
                    idle = self.idle();
                    continue;
                }
                let next = idle.iter().map(|idle| idle.until).min();
                idle = match next {
                    // a cast that ends by itself is noticed within a second
                    Some(next) => {
                        let wait = next.saturating_duration_since(now);
                        let wait = wait.min(Duration::from_secs(1));
                        let woken = self.changed.wait_timeout(idle, wait);
                        woken.unwrap_or_else(PoisonError::into_inner).0
                    }
                    None => (self.changed.wait(idle)).unwrap_or_else(PoisonError::into_inner),
                };
            }
        });
        if spawned.is_err() {
            self.reaper.store(false, Ordering::Release);
        }
        spawned.is_ok()
    }
}

impl Cast {
    fn lives(&self) -> bool {
        self.source.slot().state().failed.is_none()
    }
}

/// A cast that one stream uses.
struct Lent {
    slot: Arc<PictureSlot>,
    injector: Option<Shared>,
    cast: Option<Cast>,
    pool: &'static Pool,
}

impl Source for Lent {
    fn name(&self) -> &'static str {
        super::NAME
    }

    fn slot(&self) -> Arc<PictureSlot> {
        Arc::clone(&self.slot)
    }

    fn painter(&mut self) -> Option<Box<dyn Painter>> {
        None
    }

    fn injector(&mut self) -> Option<Box<dyn Injector>> {
        Some(Box::new(Way(self.injector.take()?)))
    }

    fn pulse(&self) -> Option<Box<dyn Pulse>> {
        self.cast.as_ref()?.source.pulse()
    }

    fn audio(&self) -> AudioOrigin {
        AudioOrigin::PipeWire
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(cast) = self.cast.take() {
            self.pool.park(cast, KEPT);
        }
    }
}

/// One stream's way to the injector.
struct Way(Shared);

impl Way {
    fn with<T: Default>(&self, use_it: impl FnOnce(&mut dyn Injector) -> T) -> T {
        let mut injector = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match injector.as_mut() {
            Some(injector) => use_it(injector.as_mut()),
            None => T::default(),
        }
    }
}

impl Injector for Way {
    fn inject(&mut self, event: &InputEvent) {
        self.with(|injector| injector.inject(event));
    }

    fn release(&mut self, held: Held) {
        self.with(|injector| injector.release(held));
    }

    fn tend(&mut self) -> Option<String> {
        self.with(|injector| injector.tend())
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        // the session lives on, so what this stream pressed would stay down
        self.release(Held::ALL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Importable, Outputs};
    use std::sync::atomic::AtomicU32;

    #[derive(Default)]
    struct Told {
        active: Mutex<Vec<bool>>,
        opened: AtomicU32,
        ended: AtomicU32,
        released: AtomicU32,
    }

    struct Stand {
        slot: Arc<PictureSlot>,
        told: Arc<Told>,
    }

    impl Source for Stand {
        fn name(&self) -> &'static str {
            "stand-in"
        }
        fn slot(&self) -> Arc<PictureSlot> {
            Arc::clone(&self.slot)
        }
        fn injector(&mut self) -> Option<Box<dyn Injector>> {
            Some(Box::new(Hand(Arc::clone(&self.told))))
        }
        fn set_active(&mut self, active: bool) {
            self.told.active.lock().unwrap().push(active);
        }
        fn audio(&self) -> AudioOrigin {
            AudioOrigin::PipeWire
        }
    }

    impl Drop for Stand {
        fn drop(&mut self) {
            self.told.ended.fetch_add(1, Ordering::Relaxed);
        }
    }

    struct Hand(Arc<Told>);

    impl Injector for Hand {
        fn inject(&mut self, _: &InputEvent) {}
        fn release(&mut self, _: Held) {
            self.0.released.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn key(monitor: Option<&str>) -> Key {
        let request = SourceRequest {
            width: 1280,
            height: 720,
            fps: 60,
            cursor: true,
            importable: Importable::NOTHING,
            inside: Default::default(),
            outputs: Outputs::Extend,
            monitor: Default::default(),
            hdr: false,
        };
        Key::of(&request, monitor)
    }

    fn pool() -> (&'static Pool, Arc<Told>) {
        (Box::leak(Box::<Pool>::default()), Arc::default())
    }

    fn get(pool: &'static Pool, told: &Arc<Told>, monitor: Option<&str>) -> Box<dyn Source> {
        let told = Arc::clone(told);
        let open = || {
            told.opened.fetch_add(1, Ordering::Relaxed);
            let slot = Arc::default();
            Ok(Box::new(Stand { slot, told }) as Box<dyn Source>)
        };
        pool.get(key(monitor), open).unwrap()
    }

    #[test]
    fn a_client_that_comes_back_gets_the_cast_of_before_and_its_input() {
        let (pool, told) = pool();
        let mut source = get(pool, &told, None);
        drop(source.injector().unwrap());
        assert_eq!(told.released.load(Ordering::Relaxed), 1);
        drop(source);
        assert_eq!(*told.active.lock().unwrap(), [false]);
        let mut again = get(pool, &told, None);
        assert!(again.injector().is_some());
        assert_eq!(*told.active.lock().unwrap(), [false, true]);
        assert_eq!(told.opened.load(Ordering::Relaxed), 1);
        // two at once are two
        let other = get(pool, &told, None);
        assert_eq!(told.opened.load(Ordering::Relaxed), 2);
        drop((again, other));
        assert_eq!(told.ended.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn another_monitor_and_a_cast_that_has_ended_are_opened_anew() {
        let (pool, told) = pool();
        drop(get(pool, &told, Some("left")));
        let right = get(pool, &told, Some("right"));
        assert_eq!(told.opened.load(Ordering::Relaxed), 2);
        right.slot().fail("stopped by its user");
        drop(right);
        assert_eq!(told.ended.load(Ordering::Relaxed), 1, "it is not kept");
        let left = get(pool, &told, Some("left"));
        assert_eq!(told.opened.load(Ordering::Relaxed), 2);
        drop(left);
    }

    #[test]
    fn what_nobody_comes_back_for_is_closed() {
        let (pool, told) = pool();
        let source = Box::new(Stand {
            slot: Arc::default(),
            told: Arc::clone(&told),
        });
        let cast = Cast {
            source,
            injector: None,
            key: key(None),
        };
        pool.park(cast, Duration::from_millis(1));
        let end = Instant::now() + Duration::from_secs(60);
        while told.ended.load(Ordering::Relaxed) == 0 {
            assert!(Instant::now() < end, "it is kept for ever");
            thread::sleep(Duration::from_millis(5));
        }
    }
}
