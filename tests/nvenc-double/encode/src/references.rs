//! The decoded pictures that a real encoder would keep, and what each was made from: decides what may be referred to.

use std::collections::VecDeque;

#[derive(Debug, Clone, Copy)]
struct Kept {
    stamp: u64,
    from: Option<u64>,
    valid: bool,
}

#[derive(Debug, Default)]
pub struct References {
    kept: VecDeque<Kept>,
    depth: usize,
    /// Pictures encoded in all, and the latest of them.
    count: u64,
    last: Option<u64>,
}

/// What a picture is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Idr,
    /// From the picture with this stamp; whether that is the one before.
    From {
        stamp: u64,
        latest: bool,
    },
    /// Nothing valid is left.
    Intra,
}

impl References {
    pub fn new(depth: u32) -> Self {
        Self {
            depth: depth.max(1) as usize,
            ..Self::default()
        }
    }

    /// What the next picture is, without the wish for an IDR.
    pub fn next(&self) -> Kind {
        if self.count == 0 {
            return Kind::Idr;
        }
        match self.kept.iter().rev().find(|kept| kept.valid) {
            Some(kept) => Kind::From {
                stamp: kept.stamp,
                latest: Some(kept.stamp) == self.last,
            },
            None => Kind::Intra,
        }
    }

    pub fn encoded(&mut self, stamp: u64, kind: Kind) {
        if kind == Kind::Idr {
            self.kept.clear();
        }
        if self.kept.len() == self.depth {
            self.kept.pop_front();
        }
        let from = match kind {
            Kind::From { stamp, .. } => Some(stamp),
            _ => None,
        };
        self.kept.push_back(Kept {
            stamp,
            from,
            valid: true,
        });
        self.count += 1;
        self.last = Some(stamp);
    }

    /// The latest stamp so far.
    pub fn last(&self) -> Option<u64> {
        self.last
    }

    /// Marks the picture, and what was reconstructed from it, as unusable.
    pub fn invalidate(&mut self, stamp: u64) {
        let mut gone = vec![stamp];
        for kept in &mut self.kept {
            if gone.contains(&kept.stamp) || kept.from.is_some_and(|from| gone.contains(&from)) {
                kept.valid = false;
                gone.push(kept.stamp);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_from_a_lost_picture_is_lost_with_it() {
        let mut references = References::new(4);
        assert_eq!(references.next(), Kind::Idr);
        references.encoded(0, Kind::Idr);
        for stamp in 1..6 {
            let kind = references.next();
            assert_eq!(
                kind,
                Kind::From {
                    stamp: stamp - 1,
                    latest: true
                }
            );
            references.encoded(stamp, kind);
        }
        references.invalidate(4);
        assert_eq!(
            references.next(),
            Kind::From {
                stamp: 3,
                latest: false
            }
        );
        references.invalidate(2);
        assert_eq!(references.next(), Kind::Intra);
    }
}
