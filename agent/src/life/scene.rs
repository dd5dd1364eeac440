//! What the encode thread gets at each tick: a captured picture, the last one again, or a placeholder.

use super::{
    Life, placeholder,
    view::{Seen, Shown},
};
use crate::{
    pipeline::{Next, OrdersHandle, Pictures, announce},
    source::{Painter, Picture, PictureSlot},
};
use std::{borrow::Cow, sync::Arc};

/// What the encoder has in its hands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    Nothing,
    /// A picture of the session, taken then.
    Session(u64),
    Placeholder(placeholder::Message, u64),
}

/// The pictures of one stream, whichever source gives them.
pub struct Scene {
    life: Arc<Life>,
    size: (u32, u32),
    slot: Arc<PictureSlot>,
    painter: Option<Box<dyn Painter>>,
    /// The newest picture of the session. It is kept, because a compositor paints no second one of a still screen.
    last: Option<Picture>,
    placeholder: Picture,
    held: Held,
    seen: Seen,
    /// The present source's end has been told.
    lost: bool,
    /// The next picture of the session is the first of another source.
    cut: bool,
    /// Who is told of each picture that comes.
    orders: Option<OrdersHandle>,
    /// Pictures of earlier sources, and painted ones.
    before: u64,
    /// Pictures of earlier sources that nobody took in time.
    replaced_before: u64,
    scaled: u64,
}

impl Scene {
    pub fn new(life: Arc<Life>, now_ns: u64) -> Self {
        Self {
            size: life.size,
            life,
            slot: Arc::default(),
            painter: None,
            last: None,
            placeholder: Picture::default(),
            held: Held::Nothing,
            seen: Seen {
                since_ns: now_ns,
                any: false,
                ever: false,
            },
            lost: false,
            cut: false,
            orders: None,
            before: 0,
            replaced_before: 0,
            scaled: 0,
        }
    }

    /// Take over from a new source, if there is one.
    fn follow(&mut self, now_ns: u64) {
        let Some(arrival) = self.life.arrival() else {
            return;
        };
        let gone = self.slot.state();
        self.before += gone.captured;
        self.replaced_before += gone.replaced;
        drop(gone);
        self.slot = arrival.slot;
        self.painter = arrival.painter;
        if let Some(orders) = &self.orders {
            announce(&self.slot, orders);
        }
        self.lost = false;
        self.cut = self.seen.ever;
        self.seen.since_ns = now_ns;
        // a painter always has one
        self.seen.any = self.painter.is_some();
    }

    /// The newest captured picture, if one has come.
    fn take(&mut self) -> bool {
        let mut state = self.slot.state();
        let failed = state.over().is_some();
        let newest = state.newest.take();
        drop(state);
        if failed && !std::mem::replace(&mut self.lost, true) {
            self.life.nudge();
        }
        let Some(newest) = newest else { return false };
        let size = (newest.width, newest.height);
        let old = self.last.replace(newest);
        if old.as_ref().map(|old| (old.width, old.height)) != Some(size) {
            self.life.captured(size);
        }
        if size != self.size {
            self.scaled += 1;
        }
        if let Some(old) = old {
            self.slot.recycle(old.data);
        }
        self.seen.any = true;
        true
    }

    fn show(&mut self, new: bool) -> Next<'_> {
        let Some(last) = &self.last else {
            return match self.held {
                Held::Session(capture_ns) => Next::Same { capture_ns },
                _ => Next::Nothing,
            };
        };
        let covered = matches!(self.held, Held::Placeholder(..));
        if !new && !covered && self.held != Held::Nothing {
            return Next::Same {
                capture_ns: last.capture_ns,
            };
        }
        self.held = Held::Session(last.capture_ns);
        self.seen.ever = true;
        Next::New {
            cut: covered || (new && std::mem::take(&mut self.cut)),
            picture: last,
        }
    }

    fn cover(&mut self, message: placeholder::Message, now_ns: u64) -> Next<'_> {
        if let Held::Placeholder(shown, capture_ns) = self.held
            && shown == message
        {
            return Next::Same { capture_ns };
        }
        self.held = Held::Placeholder(message, now_ns);
        placeholder::draw(message, self.size, now_ns, &mut self.placeholder);
        Next::New {
            picture: &self.placeholder,
            cut: true,
        }
    }
}

impl Pictures for Scene {
    fn captured(&self) -> u64 {
        self.before + self.slot.state().captured
    }

    fn scaled(&self) -> u64 {
        self.scaled
    }

    fn replaced(&self) -> u64 {
        self.replaced_before + self.slot.state().replaced
    }

    fn next(&mut self, now_ns: u64) -> Result<Next<'_>, Cow<'static, str>> {
        self.follow(now_ns);
        let mut new = self.take();
        let view = self.life.view(now_ns, self.seen);
        if view.over {
            return Err(view.reason);
        }
        match view.shown {
            Shown::Placeholder(message) => Ok(self.cover(message, now_ns)),
            Shown::Held => Ok(self.show(new)),
            Shown::Live => {
                if let Some(painter) = &mut self.painter {
                    painter.paint(self.last.get_or_insert_default(), now_ns);
                    self.before += 1;
                    new = true;
                }
                Ok(self.show(new))
            }
        }
    }

    fn announce_to(&mut self, orders: &OrdersHandle) {
        self.orders = Some(orders.clone());
        announce(&self.slot, orders);
    }

    fn skip(&mut self) {
        if let Some(painter) = &mut self.painter {
            painter.skip();
        }
    }
}
