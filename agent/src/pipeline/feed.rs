//! One way to ask for the next picture, whichever kind of source it comes from.

use super::OrdersHandle;
use crate::source::{Painter, Picture, PictureSlot, Source};
use std::{borrow::Cow, sync::Arc};

/// Where a pipeline takes its pictures from.
pub trait Pictures: Send {
    /// Pictures that the source made so far.
    fn captured(&self) -> u64;

    /// Those of another size than the stream's.
    fn scaled(&self) -> u64 {
        0
    }

    /// Those that a newer one took the place of before they were asked for.
    fn replaced(&self) -> u64;

    /// What there is to encode now (CLOCK_MONOTONIC).
    ///
    /// # Errors
    /// Text for a person, when there will be no picture any more.
    fn next(&mut self, now_ns: u64) -> Result<Next<'_>, Cow<'static, str>>;

    /// The picture has been used: its buffer may go back to the capture thread.
    fn done(&mut self) {}

    /// Tell `orders` of each picture that comes on its own from now on.
    fn announce_to(&mut self, _orders: &OrdersHandle) {}

    /// A tick passes without a picture: a painted sequence shows the gap.
    fn skip(&mut self);
}

/// Tell `orders` of each picture that comes into `slot`.
pub fn announce(slot: &PictureSlot, orders: &OrdersHandle) {
    let orders = orders.clone();
    slot.listen(move || orders.arrived());
}

/// The pictures of one source.
pub enum Feed {
    /// Painted when asked.
    Painted {
        painter: Box<dyn Painter>,
        picture: Picture,
        painted: u64,
    },
    /// Captured at the compositor's pace.
    Captured {
        slot: Arc<PictureSlot>,
        taken: Option<Picture>,
        /// Of the last one taken.
        capture_ns: Option<u64>,
    },
}

/// What a tick gets.
pub enum Next<'a> {
    New {
        picture: &'a Picture,
        /// It has nothing to do with what came before: a key frame is best.
        cut: bool,
    },
    /// Nothing has changed since the last one, which was captured then.
    Same { capture_ns: u64 },
    /// There has not been a picture yet.
    Nothing,
}

impl Feed {
    /// From a source that was just opened.
    pub fn of(source: &mut dyn Source) -> Self {
        match source.painter() {
            Some(painter) => Self::Painted {
                painter,
                picture: Picture::default(),
                painted: 0,
            },
            None => Self::Captured {
                slot: source.slot(),
                taken: None,
                capture_ns: None,
            },
        }
    }
}

impl Pictures for Feed {
    fn captured(&self) -> u64 {
        match self {
            Self::Painted { painted, .. } => *painted,
            Self::Captured { slot, .. } => slot.state().captured,
        }
    }

    fn replaced(&self) -> u64 {
        match self {
            Self::Painted { .. } => 0,
            Self::Captured { slot, .. } => slot.state().replaced,
        }
    }

    fn next(&mut self, now_ns: u64) -> Result<Next<'_>, Cow<'static, str>> {
        match self {
            Self::Painted {
                painter,
                picture,
                painted,
            } => {
                painter.paint(picture, now_ns);
                *painted += 1;
                Ok(Next::New {
                    picture,
                    cut: false,
                })
            }
            Self::Captured {
                slot,
                taken,
                capture_ns,
            } => {
                let mut state = slot.state();
                if let Some(reason) = state.over() {
                    return Err(reason.to_owned().into());
                }
                let newest = state.newest.take();
                drop(state);
                match newest {
                    Some(picture) => {
                        *capture_ns = Some(picture.capture_ns);
                        Ok(Next::New {
                            picture: taken.insert(picture),
                            cut: false,
                        })
                    }
                    None => Ok(
                        capture_ns.map_or(Next::Nothing, |capture_ns| Next::Same { capture_ns })
                    ),
                }
            }
        }
    }

    fn announce_to(&mut self, orders: &OrdersHandle) {
        if let Self::Captured { slot, .. } = self {
            announce(slot, orders);
        }
    }

    fn done(&mut self) {
        if let Self::Captured { slot, taken, .. } = self
            && let Some(picture) = taken.take()
        {
            slot.recycle(picture.data);
        }
    }

    fn skip(&mut self) {
        if let Self::Painted { painter, .. } = self {
            painter.skip();
        }
    }
}
