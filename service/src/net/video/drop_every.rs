//! Injected loss for tests: the first of every N datagrams is dropped, always the same ones.

/// Counts datagrams over the whole stream.
#[derive(Debug, Clone)]
pub struct DropEvery {
    period: u32,
    position: u32,
}

/// The datagrams in front: drop the first of them, or send that many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Drop,
    Send(usize),
}

impl DropEvery {
    /// 0 drops nothing.
    pub fn new(period: u32) -> Self {
        Self {
            period,
            position: 0,
        }
    }

    /// What to do with the next of `available` (at least one) datagrams. Changes nothing.
    pub(super) fn next(&self, available: usize) -> Next {
        if self.period == 0 {
            return Next::Send(available);
        }
        if self.position == 0 {
            return Next::Drop;
        }
        let left = self.period.saturating_sub(self.position);
        Next::Send(available.min(usize::try_from(left).unwrap_or(usize::MAX)))
    }

    /// `count` datagrams, not more than `next` spoke of, are done with.
    pub(super) fn advance(&mut self, count: usize) {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        self.position = self
            .position
            .saturating_add(count)
            .checked_rem(self.period)
            .unwrap_or(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_every_n_is_dropped() {
        let mut drop = DropEvery::new(4);
        let mut sent = Vec::new();
        let mut position = 0usize;
        while position < 12 {
            match drop.next(3) {
                Next::Drop => {
                    drop.advance(1);
                    position = position.wrapping_add(1);
                }
                Next::Send(count) => {
                    sent.extend(position..position.wrapping_add(count));
                    drop.advance(count);
                    position = position.wrapping_add(count);
                }
            }
        }
        assert_eq!(sent, [1, 2, 3, 5, 6, 7, 9, 10, 11]);
        assert_eq!(DropEvery::new(0).next(9), Next::Send(9));
    }
}
