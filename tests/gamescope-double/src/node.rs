//! The node in PipeWire: named `gamescope`, a `Video/Source` that drives its graph, BGRx or NV12, each first with the LINEAR
//! modifier as a condition, then without; rate 0/1; the real one's private properties.
//!
//! Unlike the real one it leaves the time stamp of a buffer as it is (0, where the real one writes -1; both mean none), has no
//! NV12 behind its offer, and sends empty buffers, not ones marked corrupted, while a new size is agreed. PipeWire makes the
//! buffers, but for those that play the GPU's ([`Pool`]).

use std::{cell::RefCell, os::unix::fs::FileExt, rc::Rc, time::Duration};

use pipewire::{
    channel::Receiver,
    context::ContextRc,
    main_loop::MainLoopRc,
    properties::properties,
    spa::{
        param::{
            ParamType,
            format::{FormatProperties, MediaSubtype, MediaType},
            video::{VideoFormat, VideoInfoRaw},
        },
        pod::{
            ChoiceValue, Object, Pod, Property, PropertyFlags, Value, object, property,
            serialize::PodSerializer,
        },
        sys,
        utils::{Choice, ChoiceEnum, ChoiceFlags, Direction, Fraction, Id, Rectangle, SpaTypes},
    },
    stream::{Stream, StreamFlags, StreamRc, StreamState},
};

use crate::{
    log::{error, info},
    memory::Pool,
};

/// The real one's private properties of a format.
const REQUESTED_SIZE: u32 = 0x70000;
const FOCUS_APPID: u32 = 0x70001;

/// What is shown.
pub struct Picture {
    pub width: u32,
    pub height: u32,
    pub fps: u32,
    pub resize: Option<Resize>,
    /// Whether the log names the node.
    pub announce: bool,
    /// Whether pictures lie in the memory of a GPU, for who takes them with a modifier.
    pub gpu: bool,
}

/// Another size after so many pictures.
#[derive(Clone, Copy)]
pub struct Resize {
    pub width: u32,
    pub height: u32,
    pub after: u64,
}

struct Shown {
    picture: Picture,
    agreed: (u32, u32),
    streaming: bool,
    count: u64,
    /// Of the buffers that are not PipeWire's; of the format that was agreed last, whether it has a modifier.
    pool: Pool,
    with_modifier: bool,
    picture_bytes: Vec<u8>,
}

/// Show it until `quits` hears something.
pub fn show(picture: Picture, quits: Receiver<()>) -> anyhow::Result<()> {
    pipewire::init();
    let main_loop = MainLoopRc::new(None)?;
    let context = ContextRc::new(&main_loop, None)?;
    let core = context.connect_rc(None)?;
    let stream = StreamRc::new(
        core,
        "gamescope",
        properties! { "media.class" => "Video/Source" },
    )?;
    let period = Duration::from_secs(1) / picture.fps.clamp(1, 1000);
    let size = (picture.width, picture.height);
    let shown = Rc::new(RefCell::new(Shown {
        picture,
        agreed: (0, 0),
        streaming: false,
        count: 0,
        pool: Pool::default(),
        with_modifier: false,
        picture_bytes: Vec::new(),
    }));
    let gpu = shown.borrow().picture.gpu;
    let _listener = stream
        .add_local_listener_with_user_data(Rc::clone(&shown))
        .state_changed(|stream, shown, _, new| state_changed(stream, &mut shown.borrow_mut(), &new))
        .param_changed(|stream, shown, id, param| {
            if id == ParamType::Format.as_raw() {
                format_changed(stream, &mut shown.borrow_mut(), param);
            }
        })
        .add_buffer(|_, shown, buffer| {
            let mut shown = shown.borrow_mut();
            let (width, height) = shown.agreed;
            let (bytes, on_gpu) = (
                u64::from(width) * 4 * u64::from(height),
                shown.with_modifier,
            );
            if shown.picture.gpu
                && let Err(why) = shown.pool.add(buffer, bytes, on_gpu)
            {
                error("pipewire", &format!("no memory for a picture: {why}"));
            }
        })
        .remove_buffer(|_, shown, buffer| shown.borrow_mut().pool.remove(buffer))
        .process(|stream, shown| process(stream, &mut shown.borrow_mut()))
        .register()?;
    let offers = offers(size);
    let mut pods: Vec<&Pod> = offers.iter().filter_map(|o| Pod::from_bytes(o)).collect();
    stream.connect(
        Direction::Output,
        None,
        StreamFlags::DRIVER
            | match gpu {
                true => StreamFlags::ALLOC_BUFFERS,
                false => StreamFlags::MAP_BUFFERS,
            },
        &mut pods,
    )?;
    let quitting = main_loop.clone();
    let _quits = quits.attach(main_loop.loop_(), move |()| quitting.quit());
    let ticking = stream.clone();
    let timer = main_loop.loop_().add_timer(move |_| tick(&ticking, &shown));
    timer
        .update_timer(Some(period), Some(period))
        .into_result()?;
    main_loop.run();
    Ok(())
}

fn state_changed(stream: &Stream, shown: &mut Shown, new: &StreamState) {
    let name = match new {
        StreamState::Error(_) => "error",
        StreamState::Unconnected => "unconnected",
        StreamState::Connecting => "connecting",
        StreamState::Paused => "paused",
        StreamState::Streaming => "streaming",
    };
    info("pipewire", &format!("stream state changed: {name}"));
    shown.streaming = matches!(new, StreamState::Streaming);
    if matches!(new, StreamState::Paused) && shown.picture.announce {
        let node = stream.node_id();
        info("pipewire", &format!("stream available on node ID: {node}"));
    }
}

fn format_changed(stream: &Stream, shown: &mut Shown, param: Option<&Pod>) {
    let mut format = VideoInfoRaw::new();
    if param.is_none_or(|param| format.parse(param).is_err()) {
        return;
    }
    shown.agreed = (format.size().width, format.size().height);
    let modifier = Id(FormatProperties::VideoModifier.as_raw());
    shown.with_modifier = param
        .and_then(|param| param.as_object().ok())
        .is_some_and(|object| object.find_prop(modifier).is_some());
    let kind = match shown.picture.gpu && shown.with_modifier {
        true => sys::SPA_DATA_DmaBuf,
        false => sys::SPA_DATA_MemFd,
    };
    let (width, height) = shown.agreed;
    let stride = i32::try_from(width * 4).unwrap_or(0);
    let size = stride * i32::try_from(height).unwrap_or(0);
    let params = [
        bytes(buffers(stride, size, kind)),
        bytes(meta(
            sys::SPA_META_Header,
            size_of::<sys::spa_meta_header>(),
        )),
    ];
    let mut pods: Vec<&Pod> = params.iter().filter_map(|p| Pod::from_bytes(p)).collect();
    if stream.update_params(&mut pods).is_err() {
        error("pipewire", "pw_stream_update_params failed");
    }
}

fn tick(stream: &StreamRc, shown: &RefCell<Shown>) {
    let mut offers_again = None;
    {
        let mut shown = shown.borrow_mut();
        if !shown.streaming {
            return;
        }
        if let Some(resize) = shown.picture.resize
            && shown.count >= resize.after
        {
            shown.picture.resize = None;
            (shown.picture.width, shown.picture.height) = (resize.width, resize.height);
            offers_again = Some((resize.width, resize.height));
        }
    }
    if let Some(size) = offers_again {
        let offers = offers(size);
        let mut pods: Vec<&Pod> = offers.iter().filter_map(|o| Pod::from_bytes(o)).collect();
        let _ = stream.update_params(&mut pods);
    }
    let _ = stream.trigger_process();
}

fn process(stream: &Stream, shown: &mut Shown) {
    let Some(mut buffer) = stream.dequeue_buffer() else {
        return;
    };
    let Some(data) = buffer.datas_mut().first_mut() else {
        return;
    };
    let (width, height) = shown.agreed;
    let (columns, rows) = (width as usize, height as usize);
    let line = columns * 4;
    let right_size = shown.agreed == (shown.picture.width, shown.picture.height);
    let mut painted = false;
    if right_size && line > 0 {
        if let Some(file) = shown.pool.file(data.fd().into()) {
            shown.picture_bytes.resize(line * rows, 0);
            paint(&mut shown.picture_bytes, (columns, rows), shown.count);
            painted = file.write_all_at(&shown.picture_bytes, 0).is_ok();
        } else if let Some(bytes) = data.data().filter(|bytes| bytes.len() >= line * rows) {
            paint(bytes, (columns, rows), shown.count);
            painted = true;
        }
    }
    let size = if painted { line * rows } else { 0 };
    let chunk = data.chunk_mut();
    *chunk.offset_mut() = 0;
    *chunk.stride_mut() = i32::try_from(line).unwrap_or(0);
    *chunk.size_mut() = u32::try_from(size).unwrap_or(0);
    shown.count += 1;
}

/// Four quarters, and a white square along the middle.
fn paint(bytes: &mut [u8], (columns, rows): (usize, usize), count: u64) {
    let side = rows / 8;
    let at = (usize::try_from(count).unwrap_or(0) * 8) % columns.saturating_sub(side).max(1);
    for (y, row) in bytes.chunks_exact_mut(columns * 4).take(rows).enumerate() {
        let lower = y >= rows / 2;
        for (x, pixel) in row.chunks_exact_mut(4).enumerate() {
            let right = x >= columns / 2;
            let in_square = y.abs_diff(rows / 2) < side / 2 && (at..at + side).contains(&x);
            // B, G, R
            pixel.copy_from_slice(match (in_square, lower, right) {
                (true, ..) => &[255, 255, 255, 255],
                (_, false, false) => &[40, 40, 200, 255],
                (_, false, true) => &[40, 200, 40, 255],
                (_, true, false) => &[200, 40, 40, 255],
                (_, true, true) => &[128, 128, 128, 255],
            });
        }
    }
}

fn offers(size: (u32, u32)) -> Vec<Vec<u8>> {
    [VideoFormat::BGRx, VideoFormat::NV12]
        .into_iter()
        .flat_map(|format| [offer(format, size, true), offer(format, size, false)])
        .map(bytes)
        .collect()
}

fn offer(format: VideoFormat, (width, height): (u32, u32), linear: bool) -> Object {
    let nothing = Rectangle {
        width: 0,
        height: 0,
    };
    let mut offer = object!(
        SpaTypes::ObjectParamFormat,
        ParamType::EnumFormat,
        property!(FormatProperties::MediaType, Id, MediaType::Video),
        property!(FormatProperties::MediaSubtype, Id, MediaSubtype::Raw),
        property!(FormatProperties::VideoFormat, Id, format),
        property!(
            FormatProperties::VideoSize,
            Rectangle,
            Rectangle { width, height }
        ),
        property!(
            FormatProperties::VideoFramerate,
            Fraction,
            Fraction { num: 0, denom: 1 }
        ),
    );
    let choice = |value| Value::Choice(value);
    offer.properties.push(Property::new(
        REQUESTED_SIZE,
        choice(ChoiceValue::Rectangle(Choice(
            ChoiceFlags::empty(),
            ChoiceEnum::Range {
                default: nothing,
                min: nothing,
                max: Rectangle {
                    width: u32::MAX,
                    height: u32::MAX,
                },
            },
        ))),
    ));
    offer.properties.push(Property::new(
        FOCUS_APPID,
        choice(ChoiceValue::Long(Choice(
            ChoiceFlags::empty(),
            ChoiceEnum::Range {
                default: 0,
                min: i64::MIN,
                max: i64::MAX,
            },
        ))),
    ));
    if linear {
        offer.properties.push(Property {
            key: FormatProperties::VideoModifier.as_raw(),
            flags: PropertyFlags::MANDATORY,
            value: choice(ChoiceValue::Long(Choice(
                ChoiceFlags::empty(),
                ChoiceEnum::Enum {
                    default: 0,
                    alternatives: vec![0],
                },
            ))),
        });
    }
    offer
}

fn buffers(stride: i32, size: i32, kind: u32) -> Object {
    let plain = |key, value| Property::new(key, Value::Int(value));
    let choice = |key, value| {
        let value = ChoiceValue::Int(Choice(ChoiceFlags::empty(), value));
        Property::new(key, Value::Choice(value))
    };
    Object {
        type_: SpaTypes::ObjectParamBuffers.as_raw(),
        id: ParamType::Buffers.as_raw(),
        properties: vec![
            choice(
                sys::SPA_PARAM_BUFFERS_buffers,
                ChoiceEnum::Range {
                    default: 4,
                    min: 1,
                    max: 8,
                },
            ),
            plain(sys::SPA_PARAM_BUFFERS_blocks, 1),
            plain(sys::SPA_PARAM_BUFFERS_size, size),
            plain(sys::SPA_PARAM_BUFFERS_stride, stride),
            choice(
                sys::SPA_PARAM_BUFFERS_dataType,
                ChoiceEnum::Flags {
                    default: 1 << kind,
                    flags: vec![],
                },
            ),
        ],
    }
}

fn meta(kind: u32, size: usize) -> Object {
    Object {
        type_: SpaTypes::ObjectParamMeta.as_raw(),
        id: ParamType::Meta.as_raw(),
        properties: vec![
            Property::new(sys::SPA_PARAM_META_type, Value::Id(Id(kind))),
            Property::new(
                sys::SPA_PARAM_META_size,
                Value::Int(i32::try_from(size).unwrap_or(0)),
            ),
        ],
    }
}

fn bytes(object: Object) -> Vec<u8> {
    let value = Value::Object(object);
    PodSerializer::serialize(std::io::Cursor::new(Vec::new()), &value)
        .map(|(cursor, _)| cursor.into_inner())
        .unwrap_or_default()
}
