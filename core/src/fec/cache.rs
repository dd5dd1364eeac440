//! Codes by shape, made once.
use super::{Code, Inverses, Layout};
use crate::Result;
use std::collections::HashMap;

/// Shapes kept at once. One stream at one percentage uses about 200; a peer that invents shapes costs at most
/// 512 matrices of 16 KiB.
const MAX_CODES: usize = 512;

/// Keeps the codes that were used, bounded.
#[derive(Debug, Default)]
pub struct CodeCache {
    codes: HashMap<(usize, usize), Code>,
    inverses: Inverses,
}

impl CodeCache {
    /// The Cauchy code for this shape, made on first use.
    ///
    /// # Errors
    /// As [`Code::cauchy`].
    pub fn get(&mut self, data: usize, parity: usize) -> Result<&Code> {
        find(&mut self.codes, data, parity)
    }

    /// [`Code::reconstruct`] of this shape's code, with the matrices of the latest losses kept.
    ///
    /// # Errors
    /// As there and as [`Code::cauchy`].
    pub fn reconstruct(
        &mut self,
        (data, parity): (usize, usize),
        block: &mut [u8],
        layout: Layout,
        present: &[bool],
    ) -> Result<usize> {
        find(&mut self.codes, data, parity)?.reconstruct_with(
            &mut self.inverses,
            block,
            layout,
            present,
        )
    }
}

fn find(codes: &mut HashMap<(usize, usize), Code>, data: usize, parity: usize) -> Result<&Code> {
    use std::collections::hash_map::Entry;
    if codes.len() >= MAX_CODES && !codes.contains_key(&(data, parity)) {
        // Any one makes room; the rest of what a long stream has gathered stays.
        let one = codes.keys().next().copied();
        one.and_then(|one| codes.remove(&one));
    }
    Ok(match codes.entry((data, parity)) {
        Entry::Occupied(found) => found.into_mut(),
        Entry::Vacant(free) => free.insert(Code::cauchy(data, parity)?),
    })
}
