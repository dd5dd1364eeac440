//! Pictures of H.264: begun, described, ended, and what they refer to.

use crate::card::{Card, Encoder, HEIGHT, Mistake, WIDTH};
use vaapi_double::abi::{
    self, Display, FrameRate, Id, Misc, PictureH264, PictureParametersH264, Plain, RateControl,
    SequenceH264, SliceH264,
};

/// The structures of a picture, to be spoiled.
struct Described {
    sequence: Option<SequenceH264>,
    picture: PictureParametersH264,
    slice: Box<SliceH264>,
}

fn named(surface: Id, number: u32) -> PictureH264 {
    PictureH264 {
        picture_id: surface,
        frame_idx: number,
        flags: abi::PICTURE_H264_SHORT_TERM,
        top_order: number as i32 * 2,
        bottom_order: number as i32 * 2,
        reserved: [0; 4],
    }
}

impl Described {
    /// The first picture, or the second, which refers to it.
    fn of(encoder: &Encoder, number: u32) -> Self {
        let key = number == 0;
        let sequence = SequenceH264 {
            level_idc: 30,
            ip_period: 1,
            bits_per_second: 1_000_000,
            max_num_ref_frames: 1,
            width_in_mbs: (WIDTH / 16) as u16,
            height_in_mbs: (HEIGHT / 16) as u16,
            seq_fields: abi::H264_SEQ_CHROMA_420
                | abi::H264_SEQ_FRAME_MBS_ONLY
                | abi::H264_SEQ_DIRECT_8X8
                | 12 << abi::H264_SEQ_FRAME_NUM_SHIFT
                | 12 << abi::H264_SEQ_ORDER_SHIFT,
            ..SequenceH264::zeroed()
        };
        let mut picture = PictureParametersH264 {
            current: named(encoder.kept[number as usize % 2], number),
            references: [PictureH264::NONE; 16],
            coded_buf: encoder.coded,
            frame_num: number as u16,
            pic_init_qp: 26,
            pic_fields: abi::H264_PIC_REFERENCE
                | abi::H264_PIC_CABAC
                | abi::H264_PIC_TRANSFORM_8X8
                | abi::H264_PIC_DEBLOCKING_CONTROL
                | if key { abi::H264_PIC_IDR } else { 0 },
            ..PictureParametersH264::zeroed()
        };
        let mut slice = Box::new(SliceH264 {
            num_macroblocks: WIDTH / 16 * HEIGHT / 16,
            slice_type: if key { 2 } else { 0 },
            pic_order_cnt_lsb: number as u16 * 2,
            list0: [PictureH264::NONE; 32],
            list1: [PictureH264::NONE; 32],
            ..SliceH264::zeroed()
        });
        if !key {
            let before = named(encoder.kept[(number as usize + 1) % 2], number - 1);
            (picture.references[0], slice.list0[0]) = (before, before);
        }
        Self {
            sequence: key.then_some(sequence),
            picture,
            slice,
        }
    }
}

fn begin(card: &Card, encoder: &Encoder, surface: Id) -> i32 {
    va!(card, vaBeginPicture: fn(Display, Id, Id) -> i32; encoder.display, encoder.context, surface)
}

fn render(card: &Card, encoder: &Encoder, buffers: &mut [Id]) -> i32 {
    va!(card, vaRenderPicture: fn(Display, Id, *mut Id, i32) -> i32;
        encoder.display, encoder.context, buffers.as_mut_ptr(), buffers.len() as i32)
}

fn end(card: &Card, encoder: &Encoder) -> i32 {
    card.on("vaEndPicture", encoder.display, encoder.context)
}

fn buffer<T>(card: &Card, encoder: &Encoder, kind: i32, data: &mut T) -> Id {
    let (status, id) = card.buffer(encoder.display, encoder.context, kind, data);
    assert_eq!(status, 0);
    id
}

/// Rate and frame rate, as they come with the first picture.
fn rate(card: &Card, encoder: &Encoder, bits: u32) -> [Id; 2] {
    let mut rate = Misc {
        kind: abi::MISC_RATE_CONTROL,
        data: RateControl {
            bits_per_second: bits,
            target_percentage: 100,
            ..RateControl::zeroed()
        },
    };
    let mut frames = Misc {
        kind: abi::MISC_FRAME_RATE,
        data: FrameRate {
            framerate: 60 | 1 << 16,
            ..FrameRate::zeroed()
        },
    };
    [
        buffer(card, encoder, abi::BUFFER_MISC, &mut rate),
        buffer(card, encoder, abi::BUFFER_MISC, &mut frames),
    ]
}

/// Hand over a picture, with or without its rate; the status of its end.
fn encode(card: &Card, encoder: &Encoder, mut described: Described, bits: u32) -> i32 {
    assert_eq!(begin(card, encoder, encoder.input), 0);
    let mut buffers = Vec::new();
    if let Some(sequence) = &mut described.sequence {
        buffers.push(buffer(card, encoder, abi::BUFFER_SEQUENCE, sequence));
    }
    if bits > 0 {
        buffers.extend(rate(card, encoder, bits));
    }
    let picture = &mut described.picture;
    buffers.push(buffer(card, encoder, abi::BUFFER_PICTURE, picture));
    buffers.push(buffer(
        card,
        encoder,
        abi::BUFFER_SLICE,
        &mut *described.slice,
    ));
    assert_eq!(render(card, encoder, &mut buffers), 0);
    let status = end(card, encoder);
    for buffer in buffers {
        assert_eq!(card.on("vaDestroyBuffer", encoder.display, buffer), 0);
    }
    status
}

const RATE: u32 = 1_000_000;

/// A first picture with something wrong.
fn first(card: &Card, spoil: fn(&Encoder, &mut Described)) -> i32 {
    let encoder = card.encoder();
    let mut described = Described::of(&encoder, 0);
    spoil(&encoder, &mut described);
    encode(card, &encoder, described, RATE)
}

/// A second picture with something wrong.
fn second(card: &Card, spoil: fn(&Encoder, &mut Described)) -> i32 {
    let encoder = card.encoder();
    assert_eq!(encode(card, &encoder, Described::of(&encoder, 0), RATE), 0);
    let mut described = Described::of(&encoder, 1);
    spoil(&encoder, &mut described);
    encode(card, &encoder, described, 0)
}

/// A picture of these buffers.
fn of(card: &Card, encoder: &Encoder, buffers: &mut [Id]) -> i32 {
    assert_eq!(begin(card, encoder, encoder.input), 0);
    assert_eq!(render(card, encoder, buffers), 0);
    end(card, encoder)
}

pub const MISTAKES: &[Mistake] = &[
    (
        "a picture within another",
        |card| {
            let encoder = card.encoder();
            assert_eq!(begin(card, &encoder, encoder.input), 0);
            begin(card, &encoder, encoder.input)
        },
        5,
        "a picture was begun within another",
    ),
    (
        "a picture from a surface that its context was not made with",
        |card| {
            let encoder = card.encoder();
            begin(card, &encoder, encoder.kept[0])
        },
        6,
        "a picture from a surface of another context",
    ),
    (
        "a picture ended that was not begun",
        |card| end(card, &card.encoder()),
        5,
        "a picture was ended that was not begun",
    ),
    (
        "buffers outside of a picture",
        |card| {
            let encoder = card.encoder();
            render(card, &encoder, &mut [encoder.coded])
        },
        5,
        "buffers outside of a picture, or none",
    ),
    (
        "a buffer that is gone",
        |card| {
            let encoder = card.encoder();
            assert_eq!(begin(card, &encoder, encoder.input), 0);
            render(card, &encoder, &mut [1])
        },
        7,
        "a buffer that is gone",
    ),
    (
        "a buffer let go of before its picture ended",
        |card| {
            let encoder = card.encoder();
            let [rate, _] = rate(card, &encoder, RATE);
            assert_eq!(begin(card, &encoder, encoder.input), 0);
            assert_eq!(render(card, &encoder, &mut [rate]), 0);
            card.on("vaDestroyBuffer", encoder.display, rate)
        },
        0,
        "a buffer was let go of before its picture ended",
    ),
    (
        "a context let go of within a picture",
        |card| {
            let encoder = card.encoder();
            assert_eq!(begin(card, &encoder, encoder.input), 0);
            card.on("vaDestroyContext", encoder.display, encoder.context)
        },
        5,
        "a context was let go of within a picture",
    ),
    (
        "a buffer that no encoder reads",
        |card| {
            let encoder = card.encoder();
            let odd = buffer(card, &encoder, abi::BUFFER_PIPELINE, &mut 0u32);
            of(card, &encoder, &mut [odd])
        },
        7,
        "a buffer that no encoder reads",
    ),
    (
        "a structure of another size than it has",
        |card| {
            let encoder = card.encoder();
            let mut buffers = rate(card, &encoder, RATE).to_vec();
            buffers.push(buffer(card, &encoder, abi::BUFFER_PICTURE, &mut 0u32));
            buffers.push(buffer(card, &encoder, abi::BUFFER_SLICE, &mut 0u32));
            of(card, &encoder, &mut buffers)
        },
        7,
        "a picture: 4 bytes instead of",
    ),
    (
        "a rate of nothing",
        |card| {
            let encoder = card.encoder();
            let mut nothing = rate(card, &encoder, 0);
            of(card, &encoder, &mut nothing)
        },
        0x12,
        "a rate of nothing",
    ),
    (
        "a stream without a rate",
        |card| {
            let encoder = card.encoder();
            encode(card, &encoder, Described::of(&encoder, 0), 0)
        },
        0,
        "a stream without a rate",
    ),
    (
        "a first picture that is no key frame",
        |card| {
            let encoder = card.encoder();
            encode(card, &encoder, Described::of(&encoder, 1), RATE)
        },
        0x12,
        "the first picture is no key frame",
    ),
    (
        "a key frame without a sequence",
        |card| first(card, |_, described| described.sequence = None),
        0x12,
        "a key frame without a sequence",
    ),
    (
        "a sequence of another size than its context",
        |card| {
            first(card, |_, described| {
                if let Some(sequence) = &mut described.sequence {
                    sequence.width_in_mbs += 1;
                }
            })
        },
        0,
        "a sequence of another size than its context",
    ),
    (
        "a slice of half the picture",
        |card| first(card, |_, described| described.slice.num_macroblocks /= 2),
        0,
        "a slice of another kind or size than its picture",
    ),
    (
        "a picture reconstructed where it comes from",
        |card| {
            first(card, |encoder, described| {
                described.picture.current.picture_id = encoder.input;
            })
        },
        0,
        "a picture is reconstructed where it must not be",
    ),
    (
        "a picture reconstructed over its reference",
        |card| {
            second(card, |encoder, described| {
                described.picture.current.picture_id = encoder.kept[0];
            })
        },
        0,
        "a picture is reconstructed where it must not be",
    ),
    (
        "a picture without a place for its stream",
        |card| first(card, |_, described| described.picture.coded_buf = 1),
        7,
        "a picture without a coded buffer",
    ),
    (
        "a picture with the number of another",
        |card| {
            second(card, |_, described| {
                described.picture.frame_num = 2;
            })
        },
        0,
        "a picture with a wrong number",
    ),
    (
        "a picture that keeps more than decoders do",
        |card| {
            second(card, |_, described| {
                described.picture.references[1] = described.picture.references[0];
            })
        },
        0,
        "other references than a decoder keeps",
    ),
    (
        "a reference that was never made",
        |card| {
            second(card, |encoder, described| {
                described.picture.references[0].picture_id = encoder.kept[1];
                described.slice.list0[0].picture_id = encoder.kept[1];
            })
        },
        0x12,
        "a reference that was never reconstructed",
    ),
    (
        "a predicted slice that refers to nothing",
        |card| {
            second(card, |_, described| {
                described.slice.list0[0] = PictureH264::NONE;
            })
        },
        0x12,
        "a predicted picture without a reference that it keeps",
    ),
    (
        "more references than the picture says",
        |card| {
            second(card, |_, described| {
                described.slice.list0[1] = described.slice.list0[0];
            })
        },
        0,
        "more references than the picture says",
    ),
];
