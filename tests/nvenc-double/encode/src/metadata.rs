//! The messages that a program has the encoder write into its stream: read, and judged as their standards lay them out.

use crate::{card::Codec, coder::Setup, session::Payloads};
use nvidia_video_codec_sdk::sys::nvEncodeAPI::NV_ENC_SEI_PAYLOAD;
use std::{ptr, slice};

/// More than any program sends with a picture.
const MOST: u32 = 16;
/// The transfer of ST 2084 in VUI and sequence headers.
const PQ: u32 = 16;

/// Types of the messages that say what a picture is mastered for, with their sizes.
fn known(codec: Codec) -> [(u32, usize); 2] {
    match codec {
        Codec::Av1 => [(2, 24), (1, 4)],
        _ => [(137, 24), (144, 4)],
    }
}

/// Type and bytes of each message.
///
/// # Errors
/// What is wrong with them.
pub fn read(setup: &Setup, wanted: &Payloads) -> Result<Vec<(u32, Vec<u8>)>, &'static str> {
    let (address, count) = match setup.codec {
        Codec::H264 => return Ok(Vec::new()),
        Codec::Hevc => wanted.hevc,
        Codec::Av1 => wanted.av1,
    };
    if count == 0 {
        return Ok(Vec::new());
    }
    if address == 0 || count > MOST {
        return Err("messages without an array, or more than anybody sends");
    }
    let first = ptr::with_exposed_provenance::<NV_ENC_SEI_PAYLOAD>(address);
    // SAFETY: the caller's contract: so many payloads, readable during the call.
    let payloads = unsafe { slice::from_raw_parts(first, count as usize) };
    let mut all = Vec::new();
    for payload in payloads {
        let kind = payload.payloadType;
        let size = payload.payloadSize as usize;
        let Some((_, expected)) = known(setup.codec).into_iter().find(|(of, _)| *of == kind) else {
            return Err("a message of a type that this double does not know");
        };
        if size != expected || payload.payload.is_null() {
            return Err("a message without its bytes, or of another size than its type has");
        }
        if setup.colour[1] != PQ || setup.bits != 10 {
            return Err("a message about HDR10 in a stream that is not");
        }
        // SAFETY: as above.
        all.push((
            kind,
            unsafe { slice::from_raw_parts(payload.payload, size) }.to_vec(),
        ));
    }
    Ok(all)
}
