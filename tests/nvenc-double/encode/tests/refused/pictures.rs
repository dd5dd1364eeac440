//! Pictures: how they are registered, mapped, encoded, fetched and let go of.

use crate::card::{Card, Handle, Mistake, Ready, resource};
use nvidia_video_codec_sdk::sys::nvEncodeAPI::*;
use std::{
    ptr, thread,
    time::{Duration, Instant},
};

fn encode(card: &Card, ready: &Ready, stamp: u64, spoil: fn(&mut NV_ENC_PIC_PARAMS)) -> u32 {
    let mut picture = NV_ENC_PIC_PARAMS {
        version: NV_ENC_PIC_PARAMS_VER,
        inputWidth: crate::card::WIDTH,
        inputHeight: crate::card::HEIGHT,
        inputPitch: ready.pitch as u32,
        inputTimeStamp: stamp,
        inputBuffer: ready.mapped,
        outputBitstream: ready.bitstream,
        bufferFmt: NV_ENC_BUFFER_FORMAT::NV_ENC_BUFFER_FORMAT_NV12,
        pictureStruct: NV_ENC_PIC_STRUCT::NV_ENC_PIC_STRUCT_FRAME,
        ..Default::default()
    };
    spoil(&mut picture);
    nv!(card, nvEncEncodePicture: ready.session, &raw mut picture)
}

fn lock(card: &Card, ready: &Ready) -> u32 {
    let mut lock = NV_ENC_LOCK_BITSTREAM {
        version: NV_ENC_LOCK_BITSTREAM_VER,
        outputBitstream: ready.bitstream,
        ..Default::default()
    };
    nv!(card, nvEncLockBitstream: ready.session, &raw mut lock)
}

fn unlock(card: &Card, ready: &Ready) -> u32 {
    nv!(card, nvEncUnlockBitstream: ready.session, ready.bitstream)
}

fn unmap(card: &Card, ready: &Ready) -> u32 {
    nv!(card, nvEncUnmapInputResource: ready.session, ready.mapped)
}

/// One picture, encoded, fetched and given back.
fn whole(card: &Card, stamp: u64) -> Ready {
    let ready = card.ready();
    assert_eq!(encode(card, &ready, stamp, |_| {}), 0);
    assert_eq!((lock(card, &ready), unlock(card, &ready)), (0, 0));
    ready
}

fn map(card: &Card, session: Handle, registered: Handle) -> u32 {
    let mut map = NV_ENC_MAP_INPUT_RESOURCE {
        version: NV_ENC_MAP_INPUT_RESOURCE_VER,
        registeredResource: registered,
        ..Default::default()
    };
    nv!(card, nvEncMapInputResource: session, &raw mut map)
}

fn register(card: &Card, spoil: fn(&mut NV_ENC_REGISTER_RESOURCE)) -> u32 {
    let (context, session) = card.encoder();
    let (memory, pitch) = card.memory(context, 320, 288);
    let mut wanted = resource(memory, pitch);
    spoil(&mut wanted);
    nv!(card, nvEncRegisterResource: session, &raw mut wanted)
}

/// One thread encodes while another asks, until they meet.
pub fn two_threads(card: &Card) {
    let ready = card.ready();
    let session = ready.session.addr();
    let until = Instant::now() + Duration::from_secs(60);
    thread::scope(|scope| {
        let asks = scope.spawn(move || {
            let card = Card::find();
            let session: Handle = ptr::without_provenance_mut(session);
            let mut count = 0;
            while !card.has_fault() && Instant::now() < until {
                nv!(card, nvEncGetEncodeGUIDCount: session, &raw mut count);
            }
        });
        let mut stamp = 0;
        while !asks.is_finished() {
            assert_eq!(encode(card, &ready, stamp, |_| {}), 0);
            assert_eq!((lock(card, &ready), unlock(card, &ready)), (0, 0));
            stamp += 1;
        }
    });
    assert!(card.has_fault(), "they never met");
}

pub const MISTAKES: &[Mistake] = &[
    (
        "a texture where memory is taken",
        |card| {
            register(card, |wanted| {
                wanted.resourceType =
                    NV_ENC_INPUT_RESOURCE_TYPE::NV_ENC_INPUT_RESOURCE_TYPE_OPENGL_TEX;
            })
        },
        12,
        "takes CUDA device pointers only",
    ),
    (
        "a pitch shorter than a line",
        |card| register(card, |wanted| wanted.pitch = 319),
        8,
        "a pitch shorter than a line",
    ),
    (
        "memory smaller than its picture",
        |card| register(card, |wanted| wanted.height = 256),
        23,
        "registered memory is smaller than its picture",
    ),
    (
        "memory that is nobody's",
        |card| {
            register(card, |wanted| {
                wanted.resourceToRegister = ptr::without_provenance_mut(0x1000);
            })
        },
        23,
        "registered memory is smaller than its picture",
    ),
    (
        "memory registered twice",
        |card| {
            let ready = card.ready();
            let mut again = resource(ready.memory, ready.pitch);
            nv!(card, nvEncRegisterResource: ready.session, &raw mut again)
        },
        23,
        "memory was registered twice",
    ),
    (
        "memory of another context than the session's",
        |card| {
            let (memory, pitch) = card.memory(card.context(), 320, 288);
            let mut foreign = resource(memory, pitch);
            nv!(card, nvEncRegisterResource: card.encoder().1, &raw mut foreign)
        },
        23,
        "a copy to or from another context's memory",
    ),
    (
        "a resource mapped twice",
        |card| {
            let ready = card.ready();
            map(card, ready.session, ready.resource)
        },
        9,
        "a resource was mapped twice",
    ),
    (
        "a resource of another session",
        |card| map(card, card.encoder().1, card.ready().resource),
        24,
        "a resource was mapped that is not registered",
    ),
    (
        "a resource unregistered while it is mapped",
        |card| {
            let ready = card.ready();
            nv!(card, nvEncUnregisterResource: ready.session, ready.resource)
        },
        9,
        "a mapped resource was unregistered",
    ),
    (
        "a resource unregistered twice",
        |card| {
            let ready = card.ready();
            assert_eq!(unmap(card, &ready), 0);
            let first = nv!(card, nvEncUnregisterResource: ready.session, ready.resource);
            assert_eq!(first, 0);
            nv!(card, nvEncUnregisterResource: ready.session, ready.resource)
        },
        24,
        "a resource was unregistered that is not registered",
    ),
    (
        "a picture unmapped twice",
        |card| {
            let ready = card.ready();
            assert_eq!(unmap(card, &ready), 0);
            unmap(card, &ready)
        },
        25,
        "a resource was unmapped that is not mapped",
    ),
    (
        "a picture unmapped before it was fetched",
        |card| {
            let ready = card.ready();
            assert_eq!(encode(card, &ready, 0, |_| {}), 0);
            unmap(card, &ready)
        },
        0,
        "a picture was unmapped while it was encoded",
    ),
    (
        "a picture that is not mapped any more",
        |card| {
            let ready = card.ready();
            assert_eq!(unmap(card, &ready), 0);
            encode(card, &ready, 0, |_| {})
        },
        25,
        "a picture that is not mapped",
    ),
    (
        "a registered resource in the place of a mapped one",
        |card| {
            let mut ready = card.ready();
            ready.mapped = ready.resource;
            encode(card, &ready, 0, |_| {})
        },
        25,
        "a picture that is not mapped",
    ),
    (
        "a picture in a structure of another version",
        |card| encode(card, &card.ready(), 0, |picture| picture.version = 6),
        15,
        "NV_ENC_PIC_PARAMS of another version",
    ),
    (
        "a picture of another size",
        |card| encode(card, &card.ready(), 0, |picture| picture.inputHeight = 190),
        8,
        "a picture of another size, format or structure",
    ),
    (
        "a field",
        |card| {
            encode(card, &card.ready(), 0, |picture| {
                picture.pictureStruct = NV_ENC_PIC_STRUCT::NV_ENC_PIC_STRUCT_FIELD_TOP_BOTTOM;
            })
        },
        8,
        "a picture of another size, format or structure",
    ),
    (
        "a picture into nothing",
        |card| {
            encode(card, &card.ready(), 0, |picture| {
                picture.outputBitstream = ptr::null_mut();
            })
        },
        8,
        "a bitstream buffer that is missing or in use",
    ),
    (
        "a second picture into the place of one that nobody has fetched",
        |card| {
            let ready = card.ready();
            assert_eq!(encode(card, &ready, 0, |_| {}), 0);
            encode(card, &ready, 1, |_| {})
        },
        8,
        "a bitstream buffer that is missing or in use",
    ),
    (
        "a time stamp for the second time",
        |card| encode(card, &whole(card, 7), 7, |_| {}),
        8,
        "a time stamp that is not later than the last one",
    ),
    (
        "a stream fetched before anything was encoded",
        |card| lock(card, &card.ready()),
        9,
        "a bitstream was locked that holds no picture",
    ),
    (
        "a stream locked twice",
        |card| {
            let ready = card.ready();
            assert_eq!(encode(card, &ready, 0, |_| {}), 0);
            assert_eq!(lock(card, &ready), 0);
            lock(card, &ready)
        },
        9,
        "a bitstream was locked that holds no picture",
    ),
    (
        "a stream unlocked twice",
        |card| unlock(card, &whole(card, 0)),
        9,
        "a bitstream was unlocked that is not locked",
    ),
    (
        "a stream let go of while it is locked",
        |card| {
            let ready = card.ready();
            assert_eq!(encode(card, &ready, 0, |_| {}), 0);
            assert_eq!(lock(card, &ready), 0);
            nv!(card, nvEncDestroyBitstreamBuffer: ready.session, ready.bitstream)
        },
        13,
        "a locked bitstream was destroyed",
    ),
    (
        "a stream let go of twice",
        |card| {
            let ready = card.ready();
            let first = nv!(card, nvEncDestroyBitstreamBuffer: ready.session, ready.bitstream);
            assert_eq!(first, 0);
            nv!(card, nvEncDestroyBitstreamBuffer: ready.session, ready.bitstream)
        },
        6,
        "a bitstream was destroyed that does not exist",
    ),
    (
        "a picture invalidated that was never encoded",
        |card| nv!(card, nvEncInvalidateRefFrames: whole(card, 7).session, 8),
        8,
        "a picture was invalidated that was never encoded",
    ),
    (
        "a picture invalidated before the first",
        |card| nv!(card, nvEncInvalidateRefFrames: card.encoder().1, 0),
        8,
        "a picture was invalidated that was never encoded",
    ),
];
