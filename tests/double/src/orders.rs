//! What the service told the double, in order, to be read or waited for.

use punktfunk_core::input::InputEvent;
use punktfunk_dbus::channel::message::Held;
use punktfunk_dbus::open_stream::OpenStream;
use std::{
    io::Write,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// One thing that the service said, or that became of a stream.
#[derive(Debug, Clone, PartialEq)]
pub enum Order {
    Opened {
        codec: String,
        width: u32,
        height: u32,
        fps: u32,
        kbps: u32,
    },
    Idr,
    InvalidateRefs {
        first: u32,
        last: u32,
    },
    Bitrate {
        kbps: u32,
    },
    Input(InputEvent),
    Release(Held),
    ReleaseAll,
    Stop,
    /// The channel ended; `frames` access units were handed over in all.
    Closed {
        frames: u64,
    },
}

/// Everything since the start.
#[derive(Debug, Default)]
pub struct Seen {
    /// With the number of the stream, as the service counts them.
    pub orders: Vec<(u64, Order)>,
    /// What was asked of each stream, in full.
    pub wishes: Vec<OpenStream>,
    pub inputs: Vec<InputEvent>,
    pub released: u32,
    pub opened: u32,
    pub key_frames_asked: u32,
    /// Channels that ended.
    pub closed: u32,
    /// The double has begun to stall.
    pub stalled: bool,
}

impl Seen {
    /// The ranges that were to be left out as references, of all streams.
    pub fn invalidations(&self) -> Vec<(u32, u32)> {
        let ranges = self.orders.iter().filter_map(|(_, order)| match order {
            Order::InvalidateRefs { first, last } => Some((*first, *last)),
            _ => None,
        });
        ranges.collect()
    }

    /// What was let go, each time, of all streams.
    pub fn releases(&self) -> Vec<Held> {
        let releases = self.orders.iter().filter_map(|(_, order)| match order {
            Order::Release(held) => Some(*held),
            Order::ReleaseAll => Some(Held::ALL),
            _ => None,
        });
        releases.collect()
    }

    /// Nothing was pressed or moved behind the last release.
    pub fn is_at_rest(&self) -> bool {
        let last = |wanted: fn(&Order) -> bool| {
            self.orders
                .iter()
                .rposition(|(_, order)| wanted(order))
                .unwrap_or(0)
        };
        last(|order| matches!(order, Order::Input(_)))
            <= last(|order| matches!(order, Order::Release(_) | Order::ReleaseAll))
    }

    /// The budgets that were ordered after the start, in kbit/s.
    pub fn bitrates(&self) -> Vec<u32> {
        let rates = self.orders.iter().filter_map(|(_, order)| match order {
            Order::Bitrate { kbps } => Some(*kbps),
            _ => None,
        });
        rates.collect()
    }
}

#[derive(Default)]
struct Shared {
    seen: Mutex<Seen>,
    changed: Condvar,
    /// One line for each order on standard output.
    aloud: bool,
}

/// The log of orders; cheap to clone.
#[derive(Clone, Default)]
pub struct Orders(Arc<Shared>);

impl Orders {
    /// A log that also prints each order.
    pub fn aloud() -> Self {
        Self(Arc::new(Shared {
            aloud: true,
            ..Shared::default()
        }))
    }

    pub(crate) fn note(&self, stream: u64, order: Order) {
        if self.0.aloud {
            // Nobody may be reading any more.
            let _ = writeln!(std::io::stdout(), "stream {stream}: {order:?}");
        }
        let mut seen = self.lock();
        match &order {
            Order::Opened { .. } => seen.opened += 1,
            Order::Idr => seen.key_frames_asked += 1,
            Order::Input(event) => seen.inputs.push(event.clone()),
            Order::ReleaseAll => seen.released += 1,
            Order::Closed { .. } => seen.closed += 1,
            _ => {}
        }
        seen.orders.push((stream, order));
        drop(seen);
        self.0.changed.notify_all();
    }

    pub(crate) fn wished(&self, wishes: &OpenStream) {
        self.lock().wishes.push(wishes.clone());
        self.0.changed.notify_all();
    }

    pub(crate) fn stalled(&self) {
        self.lock().stalled = true;
        self.0.changed.notify_all();
    }

    /// Look at what was seen so far.
    pub fn look<T>(&self, at: impl FnOnce(&Seen) -> T) -> T {
        at(&self.lock())
    }

    /// Wait until what was seen satisfies `holds`; answers whether it did in time.
    pub fn wait(&self, timeout: Duration, holds: impl Fn(&Seen) -> bool) -> bool {
        let waited = self
            .0
            .changed
            .wait_timeout_while(self.lock(), timeout, |seen| !holds(seen));
        holds(&waited.unwrap_or_else(PoisonError::into_inner).0)
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
