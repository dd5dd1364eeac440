//! What the consumer offers to a producer, and what came out of it.
//!
//! GPU memory is offered as one choice of modifiers for each pixel format, not to be fixated by PipeWire: the producer knows
//! which of them it can allocate. Behind each such offer stands one in shared memory, for producers that take none of them.

use pipewire::spa::{
    self,
    param::{
        ParamType,
        format::{FormatProperties, MediaSubtype, MediaType},
        format_utils,
        video::{VideoFormat, VideoInfoRaw},
    },
    pod::{
        ChoiceValue, Object, Pod, Property, PropertyFlags, Value, deserialize::PodDeserializer,
        object, property, serialize::PodSerializer,
    },
    utils::{Choice, ChoiceEnum, ChoiceFlags, Fraction, Id, Rectangle, SpaTypes},
};

use super::{CaptureError, MAX_SIDE, buffer::Order, cursor};
use crate::source::DmabufFormat;

/// Pixel formats by their names in PipeWire and in the kernel.
const FORMATS: [(VideoFormat, u32); 4] = [
    (VideoFormat::BGRx, DmabufFormat::XRGB8888),
    (VideoFormat::BGRA, DmabufFormat::ARGB8888),
    (VideoFormat::RGBx, DmabufFormat::XBGR8888),
    (VideoFormat::RGBA, DmabufFormat::ABGR8888),
];

/// Regions of damage that are asked for: whether there is any is all that is read.
const DAMAGE_REGIONS: usize = 4;

/// Where the pictures are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Shared(Order),
    Gpu(DmabufFormat),
    /// In GPU memory of a layout that the producer has yet to choose.
    Open,
}

/// A format that both sides agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Negotiated {
    pub width: u32,
    pub height: u32,
    pub place: Place,
}

/// The formats to offer, best first: exactly the wanted size, then any size; of each, what can be imported, then shared
/// memory.
///
/// A producer whose size is free (a virtual output) takes the first size, one whose size is fixed (a monitor) the second.
/// The rate is variable (0/1) wherever the producer likes it so, and never above `limit`.
pub fn offers(width: u32, height: u32, limit: Limit, importable: &[DmabufFormat]) -> Vec<Vec<u8>> {
    let wanted = Rectangle { width, height };
    let exact = property!(FormatProperties::VideoSize, Rectangle, wanted);
    let any = property!(
        FormatProperties::VideoSize,
        Choice,
        Range,
        Rectangle,
        wanted,
        Rectangle {
            width: 1,
            height: 1
        },
        Rectangle {
            width: MAX_SIDE,
            height: MAX_SIDE
        }
    );
    let mut offers = Vec::new();
    for size in [exact, any] {
        for (format, fourcc) in FORMATS {
            let modifiers: Vec<i64> = importable
                .iter()
                .filter(|known| known.fourcc == fourcc)
                .map(|known| known.modifier.cast_signed())
                .collect();
            if let Some(modifier) = modifiers_of(modifiers) {
                let format = property!(FormatProperties::VideoFormat, Id, format);
                offers.push(offer(vec![format, modifier], size.clone(), limit));
            }
        }
        let format = property!(
            FormatProperties::VideoFormat,
            Choice,
            Enum,
            Id,
            VideoFormat::BGRx,
            VideoFormat::BGRx,
            VideoFormat::BGRA,
            VideoFormat::RGBx,
            VideoFormat::RGBA,
        );
        offers.push(offer(vec![format], size, limit));
    }
    offers
}

/// The most pictures a second that a producer is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// This many or fewer, as the producer likes.
    UpTo(u32),
    /// This many, for a producer that would take less by itself where it may choose.
    Exactly(u32),
}

impl Limit {
    /// For a client of this rate.
    ///
    /// Compositors leave out a picture that comes sooner after the last one than the limit has it. With the client's own rate as the
    /// limit, a monitor of 75 Hz would give 37 pictures a second to a client of 60; so it is what is copied at most.
    pub fn of_client(fps: u32) -> Self {
        Self::UpTo(fps.saturating_add(fps / 3))
    }
}

/// The choice of modifiers; a producer that does not know what they are must not take the offer.
fn modifiers_of(modifiers: Vec<i64>) -> Option<Property> {
    let default = *modifiers.first()?;
    let choice = Choice(
        ChoiceFlags::empty(),
        ChoiceEnum::Enum {
            default,
            alternatives: modifiers,
        },
    );
    Some(Property {
        key: FormatProperties::VideoModifier.as_raw(),
        flags: PropertyFlags::MANDATORY | PropertyFlags::DONT_FIXATE,
        value: Value::Choice(ChoiceValue::Long(choice)),
    })
}

fn offer(format: Vec<Property>, size: Property, limit: Limit) -> Vec<u8> {
    let fraction = |num| Fraction { num, denom: 1 };
    let (most, limit) = match limit {
        Limit::UpTo(fps) => (
            fps,
            property!(
                FormatProperties::VideoMaxFramerate,
                Choice,
                Range,
                Fraction,
                fraction(fps),
                fraction(1),
                fraction(fps)
            ),
        ),
        Limit::Exactly(fps) => (
            fps,
            property!(FormatProperties::VideoMaxFramerate, Fraction, fraction(fps)),
        ),
    };
    let mut offer = object!(
        SpaTypes::ObjectParamFormat,
        ParamType::EnumFormat,
        property!(FormatProperties::MediaType, Id, MediaType::Video),
        property!(FormatProperties::MediaSubtype, Id, MediaSubtype::Raw),
    );
    offer.properties.extend(format);
    offer.properties.extend([
        size,
        property!(
            FormatProperties::VideoFramerate,
            Choice,
            Range,
            Fraction,
            fraction(most),
            fraction(0),
            fraction(most.max(240))
        ),
        limit,
    ]);
    bytes(Value::Object(offer))
}

/// The buffers and metadata wanted once a format is agreed: enough buffers that a slow copy, or an encoder that holds some,
/// never stalls the compositor, with a header (time stamp, corruption flag), damage, and the pointer if it is drawn here.
///
/// Explicit synchronisation is not asked for: the kernel's own fences on the buffers are waited for.
pub fn buffer_params(place: Place, cursor: bool) -> Vec<Vec<u8>> {
    let (memory, min) = match place {
        Place::Shared(_) => (
            (1 << spa::sys::SPA_DATA_MemFd) | (1 << spa::sys::SPA_DATA_MemPtr),
            2,
        ),
        // One shown, one waiting, and two for the compositor to draw into; one of these while VAAPI converts a new picture, which
        // keeps the one before until then. No more: KWin has four at most, and without an agreement there are no pictures.
        Place::Gpu(_) | Place::Open => (1 << spa::sys::SPA_DATA_DmaBuf, 4),
    };
    let choice = |value| Value::Choice(ChoiceValue::Int(Choice(ChoiceFlags::empty(), value)));
    let range = |default, min, max| choice(ChoiceEnum::Range { default, min, max });
    let buffers = Object {
        type_: SpaTypes::ObjectParamBuffers.as_raw(),
        id: ParamType::Buffers.as_raw(),
        properties: vec![
            Property::new(spa::sys::SPA_PARAM_BUFFERS_buffers, range(8, min, 16)),
            Property::new(
                spa::sys::SPA_PARAM_BUFFERS_dataType,
                choice(ChoiceEnum::Flags {
                    default: memory,
                    flags: vec![],
                }),
            ),
        ],
    };
    let meta = |kind, size| {
        bytes(Value::Object(Object {
            type_: SpaTypes::ObjectParamMeta.as_raw(),
            id: ParamType::Meta.as_raw(),
            properties: vec![
                Property::new(spa::sys::SPA_PARAM_META_type, Value::Id(Id(kind))),
                Property::new(spa::sys::SPA_PARAM_META_size, size),
            ],
        }))
    };
    let region = size_of::<spa::sys::spa_meta_region>() as i32;
    let mut params = vec![
        bytes(Value::Object(buffers)),
        meta(
            spa::sys::SPA_META_Header,
            Value::Int(size_of::<spa::sys::spa_meta_header>() as i32),
        ),
        meta(
            spa::sys::SPA_META_VideoDamage,
            range(region * DAMAGE_REGIONS as i32, region, region * 16),
        ),
    ];
    if cursor {
        let size = |side| cursor::meta_size(side) as i32;
        params.push(meta(
            spa::sys::SPA_META_Cursor,
            range(size(128), size(1), size(cursor::MAX_SIDE)),
        ));
    }
    params
}

/// Read a `Format` parameter of the producer; None when it is not raw video of a kind that was offered.
pub fn negotiated(param: &Pod) -> Option<Result<Negotiated, CaptureError>> {
    let (media, subtype) = format_utils::parse_format(param).ok()?;
    if media != MediaType::Video || subtype != MediaSubtype::Raw {
        return None;
    }
    let mut info = VideoInfoRaw::new();
    info.parse(param).ok()?;
    let (_, fourcc) = FORMATS
        .into_iter()
        .find(|(format, _)| *format == info.format())?;
    let place = match modifier(param) {
        None if matches!(info.format(), VideoFormat::BGRx | VideoFormat::BGRA) => {
            Place::Shared(Order::Bgr)
        }
        None => Place::Shared(Order::Rgb),
        Some(None) => Place::Open,
        Some(Some(modifier)) => Place::Gpu(DmabufFormat { fourcc, modifier }),
    };
    let Rectangle { width, height } = info.size();
    if width == 0 || height == 0 {
        return None;
    }
    if width > MAX_SIDE || height > MAX_SIDE {
        return Some(Err(CaptureError::TooLarge(width, height)));
    }
    Some(Ok(Negotiated {
        width,
        height,
        place,
    }))
}

/// The modifier of a format that has one, once it is chosen.
fn modifier(param: &Pod) -> Option<Option<u64>> {
    let (_, value) = PodDeserializer::deserialize_from::<Value>(param.as_bytes()).ok()?;
    let Value::Object(object) = value else {
        return None;
    };
    let key = FormatProperties::VideoModifier.as_raw();
    let property = object.properties.into_iter().find(|p| p.key == key)?;
    if property.flags.contains(PropertyFlags::DONT_FIXATE) {
        return Some(None);
    }
    Some(match property.value {
        Value::Long(modifier) => Some(modifier.cast_unsigned()),
        Value::Choice(ChoiceValue::Long(Choice(_, ChoiceEnum::None(modifier)))) => {
            Some(modifier.cast_unsigned())
        }
        _ => None,
    })
}

fn bytes(value: Value) -> Vec<u8> {
    let (cursor, _) = PodSerializer::serialize(std::io::Cursor::new(Vec::new()), &value)
        .expect("writing a pod into memory cannot fail");
    cursor.into_inner()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TILED: DmabufFormat = DmabufFormat {
        fourcc: DmabufFormat::XRGB8888,
        modifier: 0x0100_0000_0000_0002,
    };

    fn agreed(
        format: VideoFormat,
        width: u32,
        height: u32,
        more: Option<Property>,
    ) -> Option<Result<Negotiated, CaptureError>> {
        let mut object = object!(
            SpaTypes::ObjectParamFormat,
            ParamType::Format,
            property!(FormatProperties::MediaType, Id, MediaType::Video),
            property!(FormatProperties::MediaSubtype, Id, MediaSubtype::Raw),
            property!(FormatProperties::VideoFormat, Id, format),
            property!(
                FormatProperties::VideoSize,
                Rectangle,
                Rectangle { width, height }
            ),
        );
        object.properties.extend(more);
        negotiated(Pod::from_bytes(&bytes(Value::Object(object))).unwrap())
    }

    fn at_720(place: Place) -> Option<Result<Negotiated, CaptureError>> {
        Some(Ok(Negotiated {
            width: 1280,
            height: 720,
            place,
        }))
    }

    #[test]
    fn an_agreed_format_is_read_with_its_byte_order() {
        let read = |format, w, h| agreed(format, w, h, None);
        let expect = |order| at_720(Place::Shared(order));
        assert_eq!(read(VideoFormat::BGRx, 1280, 720), expect(Order::Bgr));
        assert_eq!(read(VideoFormat::RGBA, 1280, 720), expect(Order::Rgb));
        assert_eq!(read(VideoFormat::NV12, 1280, 720), None);
        assert_eq!(read(VideoFormat::BGRx, 0, 720), None);
        assert_eq!(
            read(VideoFormat::BGRx, 100_000, 720),
            Some(Err(CaptureError::TooLarge(100_000, 720)))
        );
    }

    #[test]
    fn a_modifier_counts_once_it_is_chosen() {
        let with = |modifier| agreed(VideoFormat::BGRx, 1280, 720, Some(modifier));
        let key = FormatProperties::VideoModifier.as_raw();
        let chosen = Property::new(key, Value::Long(TILED.modifier.cast_signed()));
        assert_eq!(with(chosen), at_720(Place::Gpu(TILED)));
        let open = modifiers_of(vec![TILED.modifier.cast_signed(), 0]).unwrap();
        assert_eq!(with(open), at_720(Place::Open));
    }

    #[test]
    fn what_can_be_imported_is_offered_before_shared_memory_of_the_same_size() {
        let linear = DmabufFormat {
            modifier: DmabufFormat::LINEAR,
            ..TILED
        };
        let rgb = DmabufFormat {
            fourcc: DmabufFormat::ABGR8888,
            ..linear
        };
        let modifiers = |importable: &[DmabufFormat]| -> Vec<Option<Option<u64>>> {
            let offers = offers(1280, 720, Limit::UpTo(60), importable);
            let pods = offers.iter().map(|o| Pod::from_bytes(o).unwrap());
            pods.map(modifier).collect()
        };
        let open = Some(None);
        assert_eq!(
            modifiers(&[TILED, linear, rgb]),
            [open, open, None, open, open, None]
        );
        assert_eq!(modifiers(&[]), [None, None]);
    }

    #[test]
    fn the_offers_are_whole_pods() {
        let params = buffer_params(Place::Shared(Order::Bgr), true);
        assert_eq!(params.len(), 4);
        for offer in offers(1280, 720, Limit::Exactly(60), &[TILED])
            .iter()
            .chain(&params)
        {
            assert!(Pod::from_bytes(offer).is_some());
        }
    }
}
