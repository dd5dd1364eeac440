//! One message, put together from its fragments in whatever order they come.
use super::framing::Fragment;

#[derive(Debug)]
pub(super) struct Assembly {
    count: u32,
    /// One bit for each fragment that is here; there are at most 32.
    seen: u32,
    bytes: Vec<u8>,
}

impl Assembly {
    /// Room for the whole message; the framing has bounded its size.
    pub(super) fn new(fragment: &Fragment<'_>) -> Self {
        let total = usize::try_from(fragment.total).unwrap_or(0);
        Self {
            count: fragment.count,
            seen: 0,
            bytes: vec![0; total],
        }
    }

    /// Take a fragment. One that contradicts the first (another count or size) is passed over.
    pub(super) fn add(&mut self, fragment: &Fragment<'_>) {
        let fits = fragment.count == self.count
            && usize::try_from(fragment.total).is_ok_and(|total| total == self.bytes.len());
        let Some(bit) = 1u32.checked_shl(fragment.number) else {
            return;
        };
        let Ok(offset) = usize::try_from(fragment.offset) else {
            return;
        };
        let place = self
            .bytes
            .get_mut(offset..)
            .and_then(|rest| rest.get_mut(..fragment.payload.len()));
        if let (true, Some(place)) = (fits, place) {
            place.copy_from_slice(fragment.payload);
            self.seen |= bit;
        }
    }

    pub(super) fn is_whole(&self) -> bool {
        self.seen.count_ones() == self.count
    }

    /// Sequence numbers that the message takes.
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn into_message(self) -> Vec<u8> {
        self.bytes
    }
}
