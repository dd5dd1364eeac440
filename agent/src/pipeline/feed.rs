//! One way to ask for the next picture, whichever kind of source it comes from.

use crate::source::{Painter, Picture, PictureSlot, Source};
use std::sync::Arc;

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
pub(super) enum Next<'a> {
    New(&'a Picture),
    /// Nothing has changed since the last one, which was captured then.
    Same {
        capture_ns: u64,
    },
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

    /// Pictures that the source made so far.
    pub fn captured(&self) -> u64 {
        match self {
            Self::Painted { painted, .. } => *painted,
            Self::Captured { slot, .. } => slot.state().captured,
        }
    }

    pub(super) fn next(&mut self, now_ns: u64) -> Result<Next<'_>, String> {
        match self {
            Self::Painted {
                painter,
                picture,
                painted,
            } => {
                painter.paint(picture, now_ns);
                *painted += 1;
                Ok(Next::New(picture))
            }
            Self::Captured {
                slot,
                taken,
                capture_ns,
            } => {
                let mut state = slot.state();
                if let Some(reason) = state.over() {
                    return Err(reason.to_owned());
                }
                let newest = state.newest.take();
                drop(state);
                match newest {
                    Some(picture) => {
                        *capture_ns = Some(picture.capture_ns);
                        Ok(Next::New(taken.insert(picture)))
                    }
                    None => Ok(
                        capture_ns.map_or(Next::Nothing, |capture_ns| Next::Same { capture_ns })
                    ),
                }
            }
        }
    }

    /// The picture has been used: its buffer goes back to the capture thread.
    pub(super) fn done(&mut self) {
        if let Self::Captured { slot, taken, .. } = self
            && let Some(picture) = taken.take()
        {
            slot.recycle(picture.data);
        }
    }

    /// A tick passes without a picture: a painted sequence shows the gap.
    pub(super) fn skip(&mut self) {
        if let Self::Painted { painter, .. } = self {
            painter.skip();
        }
    }
}
