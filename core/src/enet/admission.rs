//! Who may connect: senders of connect data that belongs to a stream which waits.
use super::MAX_ATTEMPTS;
use std::collections::BTreeMap;

/// The connect data that may come in, with the attempts made (address and connect id of each).
#[derive(Debug)]
pub(super) struct Admission<A> {
    expected: BTreeMap<u32, Vec<(A, u32)>>,
}

impl<A> Default for Admission<A> {
    fn default() -> Self {
        Self {
            expected: BTreeMap::new(),
        }
    }
}

impl<A: Clone + PartialEq> Admission<A> {
    pub(super) fn expect(&mut self, data: u32) {
        self.expected.entry(data).or_default();
    }

    pub(super) fn forget(&mut self, data: u32) {
        self.expected.remove(&data);
    }

    /// May this CONNECT make a connection? A repeat costs no further attempt.
    pub(super) fn admits(&mut self, from: &A, connect_id: u32, data: u32) -> bool {
        let Some(attempts) = self.expected.get_mut(&data) else {
            return false;
        };
        let known = attempts
            .iter()
            .any(|(address, id)| address == from && *id == connect_id);
        if !known {
            if attempts.len() >= MAX_ATTEMPTS {
                return false;
            }
            attempts.push((from.clone(), connect_id));
        }
        true
    }
}
