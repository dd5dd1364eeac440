//! What is made of a picture, and how it is fetched.

use super::{INVALID_CALL, INVALID_PTR, LOCK_BUSY, Session, Submission};
use crate::{card::Codec, coder, knobs, references::Kind};

/// An access unit that waits to be fetched.
pub struct Unit {
    pub bytes: Vec<u8>,
    /// Where its slices begin.
    pub slices: Vec<usize>,
    /// The mapped picture that it is encoded from.
    input: usize,
    /// It was asked for without waiting, and so many slices of it were shown.
    asked: bool,
    shown: usize,
    /// What was shown is not what comes in the end.
    taken_back: bool,
    pub stamp: u64,
    pub frame_index: u32,
    pub kind: Kind,
}

impl Unit {
    pub fn new(codec: Codec, bytes: Vec<u8>, wanted: &Submission, kind: Kind, number: u64) -> Self {
        Self {
            slices: coder::slices(codec, &bytes),
            bytes,
            input: wanted.input,
            asked: false,
            shown: 0,
            taken_back: knobs::takes_back(number),
            stamp: wanted.stamp,
            frame_index: wanted.frame_index,
            kind,
        }
    }

    /// Where the bytes of so many slices end.
    pub fn end(&self, slices: usize) -> usize {
        let next = self.slices.get(slices).filter(|_| slices > 0);
        next.copied().unwrap_or(self.bytes.len())
    }

    fn is_whole(&self) -> bool {
        self.shown >= self.slices.len()
    }
}

pub enum Bitstream {
    Free,
    Waiting(Unit),
    Locked(Unit),
}

impl Session {
    /// Whether a picture that is encoded from this was not yet shown to its end.
    pub(super) fn encodes_from(&self, mapped: usize) -> bool {
        self.bitstreams.values().any(|bitstream| match bitstream {
            Bitstream::Waiting(unit) | Bitstream::Locked(unit) => {
                unit.input == mapped && !unit.is_whole()
            }
            Bitstream::Free => false,
        })
    }

    pub fn create_bitstream(&mut self) -> Result<usize, u32> {
        self.set_up()?;
        let number = self.number();
        self.bitstreams.insert(number, Bitstream::Free);
        Ok(number)
    }

    pub fn destroy_bitstream(&mut self, number: usize) -> Result<(), u32> {
        match self.bitstreams.remove(&number) {
            Some(Bitstream::Locked(_)) => {
                Err(self.misuse(LOCK_BUSY, "a locked bitstream was destroyed"))
            }
            Some(_) => Ok(()),
            None => Err(self.misuse(INVALID_PTR, "a bitstream was destroyed that does not exist")),
        }
    }

    /// The picture and how many of its slices are there. Without waiting one more each time, where that was set up; the first time
    /// nothing is there yet.
    pub fn lock(&mut self, number: usize, waits: bool) -> Result<(&Unit, usize), u32> {
        let (setup, _) = self.set_up()?;
        match self.bitstreams.remove(&number) {
            Some(Bitstream::Waiting(mut unit)) => {
                let first = !std::mem::replace(&mut unit.asked, true);
                let all = unit.slices.len();
                if waits || !setup.sub_frames {
                    if unit.taken_back && unit.shown > 0 {
                        // another byte of the first slice
                        let at = unit.end(1) - 1;
                        unit.bytes[at] ^= 0x40;
                    }
                    unit.shown = all;
                } else if first {
                    self.bitstreams.insert(number, Bitstream::Waiting(unit));
                    return Err(LOCK_BUSY);
                } else {
                    let most = all - usize::from(knobs::held());
                    let more = if knobs::all_at_once() { all } else { 1 };
                    unit.shown = (unit.shown + more).min(most);
                }
                self.bitstreams.insert(number, Bitstream::Locked(unit));
            }
            Some(other) => {
                self.bitstreams.insert(number, other);
                return Err(
                    self.misuse(INVALID_CALL, "a bitstream was locked that holds no picture")
                );
            }
            None => {
                return Err(self.misuse(INVALID_PTR, "a bitstream was locked that does not exist"));
            }
        }
        match self.bitstreams.get(&number) {
            Some(Bitstream::Locked(unit)) => Ok((unit, unit.shown)),
            _ => Err(INVALID_CALL),
        }
    }

    pub fn unlock(&mut self, number: usize) -> Result<(), u32> {
        match self.bitstreams.remove(&number) {
            Some(Bitstream::Locked(unit)) => {
                let after = match unit.is_whole() {
                    true => Bitstream::Free,
                    false => Bitstream::Waiting(unit),
                };
                self.bitstreams.insert(number, after);
                Ok(())
            }
            other => {
                self.bitstreams.extend(other.map(|other| (number, other)));
                Err(self.misuse(INVALID_CALL, "a bitstream was unlocked that is not locked"))
            }
        }
    }
}
