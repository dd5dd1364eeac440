//! What the consumer offers to a producer, and what came out of it.

use pipewire::spa::{
    self,
    param::{
        ParamType,
        format::{FormatProperties, MediaSubtype, MediaType},
        format_utils,
        video::{VideoFormat, VideoInfoRaw},
    },
    pod::{ChoiceValue, Object, Pod, Property, Value, object, property, serialize::PodSerializer},
    utils::{Choice, ChoiceEnum, ChoiceFlags, Fraction, Id, Rectangle, SpaTypes},
};

use super::{CaptureError, MAX_SIDE, buffer::Order};

/// A format that both sides agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Negotiated {
    pub width: u32,
    pub height: u32,
    pub order: Order,
}

/// The formats to offer, best first: exactly the wanted size, then any size.
///
/// A producer whose size is free (a virtual output) takes the first, one whose size is fixed (a monitor) the second.
/// The rate is variable (0/1) wherever the producer likes it so, and never above `fps`.
pub fn offers(width: u32, height: u32, fps: u32) -> Vec<Vec<u8>> {
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
    [exact, any]
        .into_iter()
        .map(|size| bytes(Value::Object(offer(size, fps))))
        .collect()
}

fn offer(size: Property, fps: u32) -> Object {
    let fraction = |num| Fraction { num, denom: 1 };
    object!(
        SpaTypes::ObjectParamFormat,
        ParamType::EnumFormat,
        property!(FormatProperties::MediaType, Id, MediaType::Video),
        property!(FormatProperties::MediaSubtype, Id, MediaSubtype::Raw),
        property!(
            FormatProperties::VideoFormat,
            Choice,
            Enum,
            Id,
            VideoFormat::BGRx,
            VideoFormat::BGRx,
            VideoFormat::BGRA,
            VideoFormat::RGBx,
            VideoFormat::RGBA,
        ),
        size,
        property!(
            FormatProperties::VideoFramerate,
            Choice,
            Range,
            Fraction,
            fraction(fps),
            fraction(0),
            fraction(240)
        ),
        property!(
            FormatProperties::VideoMaxFramerate,
            Choice,
            Range,
            Fraction,
            fraction(fps),
            fraction(1),
            fraction(fps)
        ),
    )
}

/// The buffers and metadata wanted once a format is agreed: enough buffers that a slow copy never stalls the
/// compositor, in shared memory, with a header (time stamp, corruption flag).
pub fn buffer_params() -> Vec<Vec<u8>> {
    let memory = (1 << spa::sys::SPA_DATA_MemFd) | (1 << spa::sys::SPA_DATA_MemPtr);
    let choice = |value| Value::Choice(ChoiceValue::Int(Choice(ChoiceFlags::empty(), value)));
    let buffers = Object {
        type_: SpaTypes::ObjectParamBuffers.as_raw(),
        id: ParamType::Buffers.as_raw(),
        properties: vec![
            Property::new(
                spa::sys::SPA_PARAM_BUFFERS_buffers,
                choice(ChoiceEnum::Range {
                    default: 8,
                    min: 2,
                    max: 16,
                }),
            ),
            Property::new(
                spa::sys::SPA_PARAM_BUFFERS_dataType,
                choice(ChoiceEnum::Flags {
                    default: memory,
                    flags: vec![],
                }),
            ),
        ],
    };
    let header = Object {
        type_: SpaTypes::ObjectParamMeta.as_raw(),
        id: ParamType::Meta.as_raw(),
        properties: vec![
            Property::new(
                spa::sys::SPA_PARAM_META_type,
                Value::Id(Id(spa::sys::SPA_META_Header)),
            ),
            Property::new(
                spa::sys::SPA_PARAM_META_size,
                Value::Int(size_of::<spa::sys::spa_meta_header>() as i32),
            ),
        ],
    };
    vec![bytes(Value::Object(buffers)), bytes(Value::Object(header))]
}

/// Read a `Format` parameter of the producer; None when it is not raw video of a kind that was offered.
pub fn negotiated(param: &Pod) -> Option<Result<Negotiated, CaptureError>> {
    let (media, subtype) = format_utils::parse_format(param).ok()?;
    if media != MediaType::Video || subtype != MediaSubtype::Raw {
        return None;
    }
    let mut info = VideoInfoRaw::new();
    info.parse(param).ok()?;
    let order = match info.format() {
        VideoFormat::BGRx | VideoFormat::BGRA => Order::Bgr,
        VideoFormat::RGBx | VideoFormat::RGBA => Order::Rgb,
        _ => return None,
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
        order,
    }))
}

fn bytes(value: Value) -> Vec<u8> {
    let (cursor, _) = PodSerializer::serialize(std::io::Cursor::new(Vec::new()), &value)
        .expect("writing a pod into memory cannot fail");
    cursor.into_inner()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixed(format: VideoFormat, width: u32, height: u32) -> Vec<u8> {
        bytes(Value::Object(object!(
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
        )))
    }

    #[test]
    fn an_agreed_format_is_read_with_its_byte_order() {
        let read = |format, w, h| negotiated(Pod::from_bytes(&fixed(format, w, h)).unwrap());
        let expect = |order| {
            Some(Ok(Negotiated {
                width: 1280,
                height: 720,
                order,
            }))
        };
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
    fn the_offers_are_whole_pods() {
        for offer in offers(1280, 720, 60).iter().chain(&buffer_params()) {
            assert!(Pod::from_bytes(offer).is_some());
        }
    }
}
