//! A few slices of one access unit, without a heap.

/// Most pieces of an arranged unit.
pub const MAX_PIECES: usize = 24;

impl<'a> From<&'a [u8]> for Pieces<'a> {
    fn from(unit: &'a [u8]) -> Self {
        Self::whole(unit)
    }
}

impl<'a> From<&'a Vec<u8>> for Pieces<'a> {
    fn from(unit: &'a Vec<u8>) -> Self {
        Self::whole(unit)
    }
}

/// Slices to be sent one behind the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pieces<'a> {
    slices: [&'a [u8]; MAX_PIECES],
    count: usize,
}

impl<'a> Pieces<'a> {
    pub(super) const fn none() -> Self {
        Self {
            slices: [&[]; MAX_PIECES],
            count: 0,
        }
    }

    /// Everything in one piece.
    #[must_use]
    pub fn whole(unit: &'a [u8]) -> Self {
        let mut pieces = Self::none();
        pieces.push(unit);
        pieces
    }

    /// False when there is no room for one more.
    pub(super) fn push(&mut self, piece: &'a [u8]) -> bool {
        match self.slices.get_mut(self.count) {
            Some(place) => {
                *place = piece;
                self.count = self.count.saturating_add(1);
                true
            }
            None => false,
        }
    }

    /// In sending order.
    #[must_use]
    pub fn as_slice(&self) -> &[&'a [u8]] {
        self.slices.get(..self.count).unwrap_or_default()
    }

    /// Bytes in all.
    #[must_use]
    pub fn len(&self) -> usize {
        self.as_slice().iter().map(|piece| piece.len()).sum()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
