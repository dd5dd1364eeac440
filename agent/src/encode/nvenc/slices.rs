//! Slices of a picture that is still being encoded.
//!
//! The driver writes each slice to memory as soon as it is done and says how many there are, when asked without waiting. That costs a
//! look every tenth of a millisecond until the last slice but one is there; the last one is waited for as a whole picture is. What was
//! handed out is compared with the whole picture: should a driver take something back, it is not asked again.

use super::{
    abi::{self, Handle, LockBitstream, Plain, Status},
    configuration::Plan,
    error::NvencError,
    library::Driver,
};
use crate::encode::{AccessUnit, Codec, Parts};
use std::{ffi::c_void, slice, thread, time::Duration};

/// Between two looks, and how many there are before the picture is waited for.
const PAUSE: Duration = Duration::from_micros(100);
const LOOKS: u32 = 1000;
/// Nothing is there yet; the encoder is busy.
const NOT_YET: [Status; 2] = [13, 18];
/// More than a slice's neighbours ever hold.
const MAX_BYTES: usize = 64 << 20;

pub struct Slices {
    /// In a picture, and the parts that they are handed out in.
    slices: u32,
    parts: u8,
    /// Room for the driver's list: it wants a place for each block of the picture.
    offsets: Vec<u32>,
    /// Where the parts of the picture ended that were handed out.
    ends: Vec<usize>,
    /// Pictures come whole from now on.
    given_up: bool,
}

impl Slices {
    /// `None` where pictures come whole.
    pub fn of(plan: &Plan) -> Option<Self> {
        let blocks = plan.width.div_ceil(16) as usize * plan.height.div_ceil(16) as usize;
        (plan.parts > 1).then(|| Self {
            slices: plan.slices,
            parts: plan.parts,
            offsets: vec![0; blocks],
            ends: Vec::with_capacity(usize::from(plan.parts)),
            given_up: false,
        })
    }

    /// Where the driver may write its list.
    pub fn offsets(&mut self) -> *mut u32 {
        self.offsets.as_mut_ptr()
    }

    /// Parts of which all slices are there.
    fn complete(&self, slices: u32) -> u8 {
        let ended = |part: &u8| self.slices * u32::from(*part) <= slices * u32::from(self.parts);
        (0..=self.parts).rev().find(ended).unwrap_or(0)
    }

    /// Look no more. The driver goes on to write its list.
    pub fn give_up(&mut self) {
        self.given_up = true;
    }

    /// Hand out parts of the picture under way until only the last one is missing. `unit` is what was handed out. Answers the picture,
    /// still locked, where a look found it whole: it cannot be fetched again.
    ///
    /// # Errors
    /// What the driver says of a bitstream that it has lent.
    pub fn watch(
        &mut self,
        driver: &Driver,
        session: Handle,
        bitstream: *mut c_void,
        unit: &mut Vec<u8>,
        early: &mut dyn FnMut(&[u8], u8),
    ) -> Result<Option<LockBitstream>, NvencError> {
        unit.clear();
        self.ends.clear();
        if self.given_up {
            return Ok(None);
        }
        let mut handed_out = 0u8;
        for _ in 0..LOOKS {
            let mut lock = LockBitstream {
                version: abi::LOCK_BITSTREAM_VERSION,
                flags: abi::LOCK_DO_NOT_WAIT,
                output: bitstream,
                slice_offsets: self.offsets(),
                ..LockBitstream::zeroed()
            };
            // SAFETY: the structure is of the version it says, and its list has a place for each block of the picture.
            let status = unsafe { (driver.nvenc.lock_bitstream)(session, &raw mut lock) };
            if NOT_YET.contains(&status) {
                thread::sleep(PAUSE);
                continue;
            }
            if status != 0 {
                // whoever waits for the whole picture hears of it as well
                return Ok(None);
            }
            if lock.hw_status == abi::HW_STATUS_DONE || lock.num_slices >= self.slices {
                return Ok(Some(lock));
            }
            let complete = self.complete(lock.num_slices);
            let size = (lock.size as usize).min(MAX_BYTES);
            let news = complete > handed_out && complete < self.parts && size > unit.len();
            if news && !lock.bytes.is_null() {
                // SAFETY: the driver says that so many bytes lie there until the buffer is unlocked.
                let bytes = unsafe { slice::from_raw_parts(lock.bytes.cast::<u8>(), size) };
                unit.clear();
                unit.extend_from_slice(bytes);
                self.ends.push(size);
            }
            // SAFETY: locked above.
            let status = unsafe { (driver.nvenc.unlock_bitstream)(session, bitstream) };
            driver.call(session, "releasing a slice", status)?;
            if news {
                handed_out = complete;
                early(unit, self.parts);
            }
            if complete + 1 >= self.parts {
                return Ok(None);
            }
            thread::sleep(PAUSE);
        }
        tracing::warn!("the driver is slow to tell of slices: pictures come whole from now on");
        self.give_up();
        Ok(None)
    }

    /// Whether `whole` begins with what was handed out, and goes on with a slice wherever a part of that ended.
    pub fn continue_in(&self, handed_out: &[u8], whole: &[u8]) -> bool {
        let mut ends = self.ends.iter();
        let is_start = |end: &usize| {
            let rest = whole.get(*end..).unwrap_or_default();
            rest.starts_with(&[0, 0, 1]) || rest.starts_with(&[0, 0, 0, 1])
        };
        self.ends.is_empty() || whole.starts_with(handed_out) && ends.all(is_start)
    }
}

/// Whether a picture that begins so is a key frame: its first slice says it.
pub fn is_key(codec: Codec, unit: &[u8]) -> bool {
    let starts = unit.windows(4).filter(|bytes| bytes[..3] == [0, 0, 1]);
    let mut slices = starts.filter_map(|bytes| match (codec, bytes[3]) {
        (Codec::H264, header) => match header & 0x1f {
            5 => Some(true),
            1..=4 => Some(false),
            _ => None,
        },
        (Codec::Hevc, header) => match header >> 1 & 0x3f {
            16..=21 => Some(true),
            0..=31 => Some(false),
            _ => None,
        },
        (Codec::Av1, _) => None,
    });
    slices.next().unwrap_or(false)
}

/// For whoever takes pictures whole.
pub struct Whole;

impl Parts for Whole {
    fn part(&mut self, _: &AccessUnit<'_>, _: u8) {}

    fn void(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slices(slices: u32, parts: u8, ends: &[usize]) -> Slices {
        Slices {
            slices,
            parts,
            offsets: Vec::new(),
            ends: ends.to_vec(),
            given_up: false,
        }
    }

    #[test]
    fn a_part_is_complete_with_its_last_slice() {
        let complete = |all, parts| -> Vec<u8> {
            let slices = slices(all, parts, &[]);
            (0..=all).map(|done| slices.complete(done)).collect()
        };
        assert_eq!(complete(2, 2), [0, 1, 2]);
        assert_eq!(complete(4, 4), [0, 1, 2, 3, 4]);
        assert_eq!(complete(6, 4), [0, 0, 1, 2, 2, 3, 4]);
        assert_eq!(complete(8, 4), [0, 0, 1, 1, 2, 2, 3, 3, 4]);
    }

    #[test]
    fn what_was_taken_back_is_noticed() {
        let whole = [0, 0, 1, 0x65, 7, 0, 0, 1, 0x65, 8, 0, 0, 0, 1, 0x65, 9];
        let continues =
            |ends: &[usize], handed_out: &[u8]| slices(4, 4, ends).continue_in(handed_out, &whole);
        assert!(continues(&[], &[]));
        assert!(continues(&[5], &whole[..5]));
        assert!(continues(&[5, 10], &whole[..10]));
        assert!(!continues(&[4], &whole[..4]), "in the middle of a slice");
        assert!(!continues(&[5], &[0, 0, 1, 0x65, 6]), "other bytes");
        assert!(!continues(&[16], &whole), "nothing follows");
    }

    #[test]
    fn the_first_slice_tells_a_key_frame() {
        let key = |codec, unit: &[u8]| is_key(codec, unit);
        assert!(key(
            Codec::H264,
            &[0, 0, 0, 1, 0x67, 1, 0, 0, 1, 0x65, 1, 0, 0, 1, 0x41]
        ));
        assert!(!key(Codec::H264, &[0, 0, 0, 1, 0x41, 1, 0, 0, 1, 0x65]));
        assert!(key(Codec::Hevc, &[0, 0, 0, 1, 0x40, 1, 0, 0, 1, 0x28, 1]));
        assert!(!key(Codec::Hevc, &[0, 0, 0, 1, 0x02, 1]));
        assert!(!key(Codec::H264, &[]) && !key(Codec::Hevc, &[0, 0, 1]));
    }
}
