//! x264, x265 and libaom through the system's FFmpeg: a Cargo feature, for FFmpeg's own libraries are needed to build it.
//!
//! Each picture comes out as one access unit at once. x264 takes a new rate as it runs; the other two are opened anew for
//! it, which costs a key frame. None of them can leave out single references here: an invalidation becomes a key frame at
//! the caller.

#![expect(
    unsafe_code,
    reason = "three planes of a frame at once, and a field that the safe interface does not reach"
)]

mod library;
#[cfg(test)]
mod tests;

pub use library::{Effort, Library};

use super::{AccessUnit, EncodeError, Encoder, EncoderSettings, Tag};
use crate::{
    convert::{Converter, PlanesMut},
    source::Picture,
};
use ffmpeg_next::{
    self as ffmpeg, Dictionary, Packet, Rational, codec, encoder,
    format::Pixel,
    frame::Video,
    picture,
    util::{error::EAGAIN, log},
};
use library::{RATES_KBPS, Rate};
use std::{collections::VecDeque, slice, thread};

/// Pictures that a library may hold back before it is given up: all of ours hold back none.
const MAX_PENDING: usize = 8;

/// FFmpeg's version, when it has this library.
///
/// # Errors
/// Why it has not, and what to do.
pub fn find(library: Library) -> Result<String, String> {
    log::set_level(log::Level::Error);
    let version = codec::version();
    let version = format!(
        "libavcodec {}.{}.{}",
        version >> 16,
        version >> 8 & 0xff,
        version & 0xff
    );
    match encoder::find_by_name(library.encoder()) {
        Some(_) => Ok(version),
        None => Err(format!(
            "FFmpeg ({version}) was built without {}; install the distribution's full libavcodec",
            library.encoder()
        )),
    }
}

pub struct Ffmpeg {
    library: Library,
    effort: Effort,
    settings: EncoderSettings,
    context: encoder::Video,
    converter: Converter,
    frame: Video,
    packet: Packet,
    /// Presentation time of the next picture, counted in pictures since the context was opened.
    next_pts: i64,
    /// Of pictures that have not come out yet.
    pending: VecDeque<Tag>,
    /// A picture has been converted.
    filled: bool,
    keyframe_wanted: bool,
    /// The rate has changed, which takes a new context.
    reopen: bool,
}

impl Ffmpeg {
    /// # Errors
    /// [`EncodeError::Unavailable`] where FFmpeg has no such library, [`EncodeError::Mode`] for what it cannot do.
    pub fn new(library: Library, settings: &EncoderSettings) -> Result<Self, EncodeError> {
        Self::with_effort(library, Effort::default(), settings)
    }

    /// # Errors
    /// As for [`Self::new`].
    pub fn with_effort(
        library: Library,
        effort: Effort,
        settings: &EncoderSettings,
    ) -> Result<Self, EncodeError> {
        find(library).map_err(|why| EncodeError::Unavailable {
            encoder: library.name(),
            why,
        })?;
        library.check(settings)?;
        let (width, height) = (settings.width, settings.height);
        let frame = Video::new(Pixel::YUV420P, width, height);
        if frame.planes() != 3 {
            return Err(failed(library, "start")(ffmpeg::Error::Other {
                errno: ffmpeg::util::error::ENOMEM,
            }));
        }
        Ok(Self {
            context: open(library, effort, settings)?,
            library,
            effort,
            converter: Converter::new(width as usize, height as usize, settings.colour),
            settings: settings.clone(),
            frame,
            packet: Packet::empty(),
            next_pts: 0,
            pending: VecDeque::new(),
            filled: false,
            keyframe_wanted: false,
            reopen: false,
        })
    }

    fn encode(&mut self, tag: Tag) -> Result<(), EncodeError> {
        if std::mem::take(&mut self.reopen) {
            self.context = open(self.library, self.effort, &self.settings)?;
            self.next_pts = 0;
            self.pending.clear();
        }
        let key = std::mem::take(&mut self.keyframe_wanted);
        self.frame.set_kind(match key {
            true => picture::Type::I,
            false => picture::Type::None,
        });
        self.frame.set_pts(Some(self.next_pts));
        self.next_pts += 1;
        (self.context.send_frame(&self.frame)).map_err(failed(self.library, "encode a picture"))?;
        self.pending.push_back(tag);
        if self.pending.len() > MAX_PENDING {
            return Err(EncodeError::Backend {
                encoder: self.library.name(),
                what: "encode without delay",
                why: format!("it holds back more than {MAX_PENDING} pictures"),
            });
        }
        Ok(())
    }

    /// The planes of the frame, once nobody else reads them.
    fn planes(&mut self) -> Result<PlanesMut<'_>, EncodeError> {
        let (width, height) = (self.settings.width as usize, self.settings.height as usize);
        // SAFETY: the frame is ours and has buffers; the call copies them if the library still holds a reference.
        let writable = unsafe { ffmpeg::ffi::av_frame_make_writable(self.frame.as_mut_ptr()) };
        if writable < 0 {
            let error = ffmpeg::Error::from(writable);
            return Err(failed(self.library, "reuse a picture")(error));
        }
        let strides = [0, 1, 2].map(|plane| self.frame.stride(plane));
        let lines = [height, height / 2, height / 2];
        // SAFETY: the frame is valid for as long as self is borrowed.
        let data = unsafe { (*self.frame.as_mut_ptr()).data };
        let [y, u, v] = [0, 1, 2].map(|plane| {
            // SAFETY: a plane of a writable 4:2:0 frame holds its lines times its stride; the planes do not overlap, and
            // self stays borrowed while they are used.
            let bytes =
                unsafe { slice::from_raw_parts_mut(data[plane], strides[plane] * lines[plane]) };
            (bytes, strides[plane])
        });
        Ok(PlanesMut {
            width,
            height,
            y,
            u,
            v,
        })
    }
}

impl Encoder for Ffmpeg {
    fn name(&self) -> &'static str {
        self.library.name()
    }

    fn submit(&mut self, picture: &Picture, tag: Tag) -> Result<(), EncodeError> {
        // taken out so that the planes can be borrowed beside it
        let mut converter = std::mem::take(&mut self.converter);
        let converted =
            (self.planes()).and_then(|planes| converter.convert_to_planes(picture, planes));
        self.converter = converter;
        converted?;
        self.filled = true;
        self.encode(tag)
    }

    fn submit_again(&mut self, tag: Tag) -> Result<(), EncodeError> {
        if self.filled {
            self.encode(tag)?;
        }
        Ok(())
    }

    fn poll(&mut self) -> Result<Option<AccessUnit<'_>>, EncodeError> {
        match self.context.receive_packet(&mut self.packet) {
            Ok(()) => {}
            Err(ffmpeg::Error::Eof | ffmpeg::Error::Other { errno: EAGAIN }) => return Ok(None),
            Err(error) => return Err(failed(self.library, "encode a picture")(error)),
        }
        // nothing is reordered
        let Some(tag) = self.pending.pop_front() else {
            return Ok(None);
        };
        Ok(self.packet.data().map(|data| AccessUnit {
            data,
            key: self.packet.is_key(),
            tag,
        }))
    }

    fn request_keyframe(&mut self) {
        // the first picture of a context is one anyway
        self.keyframe_wanted = self.next_pts > 0;
    }

    fn invalidate_refs(&mut self, _first: u32, _last: u32) -> bool {
        false
    }

    fn set_bitrate(&mut self, kbps: u32) -> Result<(), EncodeError> {
        let kbps = kbps.clamp(*RATES_KBPS.start(), *RATES_KBPS.end());
        if kbps == self.settings.bitrate_kbps {
            return Ok(());
        }
        self.settings.bitrate_kbps = kbps;
        if !self.library.changes_rate() {
            self.reopen = true;
            return Ok(());
        }
        let rate = Rate::of(kbps, self.settings.fps);
        self.context.set_bit_rate(rate.bits as usize);
        self.context.set_max_bit_rate(rate.bits as usize);
        // SAFETY: the context is open and ours; FFmpeg's x264 looks at the field with each picture.
        unsafe { (*self.context.as_mut_ptr()).rc_buffer_size = rate.buffer as i32 };
        Ok(())
    }

    fn flush(&mut self) -> Result<(), EncodeError> {
        (self.context.send_eof()).map_err(failed(self.library, "finish"))
    }
}

fn open(
    library: Library,
    effort: Effort,
    settings: &EncoderSettings,
) -> Result<encoder::Video, EncodeError> {
    let failed = failed(library, "start");
    let Some(found) = encoder::find_by_name(library.encoder()) else {
        return Err(failed(ffmpeg::Error::EncoderNotFound));
    };
    let mut video = match codec::Context::new_with_codec(found).encoder().video() {
        Ok(video) => video,
        Err(error) => return Err(failed(error)),
    };
    video.set_width(settings.width);
    video.set_height(settings.height);
    video.set_format(Pixel::YUV420P);
    video.set_time_base(Rational(1, settings.fps as i32));
    video.set_frame_rate(Some(Rational(settings.fps as i32, 1)));
    let cores = thread::available_parallelism().map_or(1, Into::into);
    let threads = library.threads(settings.slices, cores);
    let mut options = Dictionary::new();
    for (name, value) in library.options(settings, effort, threads) {
        options.set(name, &value);
    }
    video.open_with(options).map_err(failed)
}

fn failed(library: Library, what: &'static str) -> impl FnOnce(ffmpeg::Error) -> EncodeError {
    move |error| EncodeError::Backend {
        encoder: library.name(),
        what,
        why: error.to_string(),
    }
}
