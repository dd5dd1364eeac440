//! Codes by shape, made once.
use super::Code;
use crate::Result;
use std::collections::HashMap;

/// Shapes kept at once. One stream at one percentage uses about 200; a peer that invents shapes costs at most
/// 512 matrices of 16 KiB.
const MAX_CODES: usize = 512;

/// Keeps the codes that were used, bounded.
#[derive(Debug, Default)]
pub struct CodeCache {
    codes: HashMap<(usize, usize), Code>,
}

impl CodeCache {
    /// The Cauchy code for this shape, made on first use.
    ///
    /// # Errors
    /// As [`Code::cauchy`].
    pub fn get(&mut self, data: usize, parity: usize) -> Result<&Code> {
        use std::collections::hash_map::Entry;
        if self.codes.len() >= MAX_CODES && !self.codes.contains_key(&(data, parity)) {
            self.codes.clear();
        }
        Ok(match self.codes.entry((data, parity)) {
            Entry::Occupied(found) => found.into_mut(),
            Entry::Vacant(free) => free.insert(Code::cauchy(data, parity)?),
        })
    }
}
