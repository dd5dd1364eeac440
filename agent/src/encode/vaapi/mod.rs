//! VAAPI: the encoders of Intel's and AMD's cards, through a library that is loaded when it is there.
//!
//! Parameter sets and slice headers are written here, and which picture refers to which is decided here; the driver adds the
//! picture. A device that is lost is opened anew without ending the stream: pictures that come meanwhile are left out, the
//! first one after is a key frame, and numbers go on. What cannot be used here says why, and what to do, in [`VaapiError`].

#![expect(
    unsafe_code,
    reason = "the driver's interface is C: structures, pointers and functions from a library"
)]

pub mod abi;
#[cfg(test)]
mod abi_tests;
mod av1;
mod bits;
mod buffers;
mod capabilities;
mod display;
mod error;
mod h264;
mod hevc;
mod import;
mod library;
mod plan;
mod references;
mod session;
mod surface;

pub use capabilities::{Capabilities, Device};
pub use error::VaapiError;

use super::{AccessUnit, Codec, EncodeError, Encoder, EncoderSettings, Tag, lost::Lost};
use crate::{
    convert::{Converter, Layout},
    source::{Dmabuf, DmabufFormat, Picture},
};
use plan::Plan;
use references::References;
use session::Session;
use std::sync::{Arc, Mutex, PoisonError};

pub const NAME: &str = "vaapi";

/// The card that was found; a failure is not kept.
static DEVICE: Mutex<Option<Arc<Device>>> = Mutex::new(None);

/// The card of this machine that encodes.
///
/// # Errors
/// Why there is none, and what to do about it.
pub fn device() -> Result<Arc<Device>, VaapiError> {
    let mut found = DEVICE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(device) = &*found {
        return Ok(Arc::clone(device));
    }
    let device = Arc::new(Device::find()?);
    *found = Some(Arc::clone(&device));
    Ok(device)
}

/// Where the last picture was taken from.
enum Last {
    None,
    Memory,
    /// Kept until another picture comes: each repetition is converted anew. A driver may put a conversion off until the encoder
    /// reads the surface, once, and never write into that surface; and a device that is lost takes the surface with it.
    Card(Arc<Dmabuf>),
}

pub struct Vaapi {
    device: Arc<Device>,
    plan: Plan,
    converter: Converter,
    /// The last picture as converted: NV12, lines without padding.
    converted: Vec<u8>,
    last: Last,
    /// The session's surface holds the last picture, which came from memory.
    loaded: bool,
    /// What the card imports.
    importable: Vec<DmabufFormat>,
    /// `None` until a lost device is back.
    session: Option<Session>,
    lost: Lost,
    references: References,
    keyframe_wanted: bool,
    output: Vec<u8>,
    /// The access unit in `output`, not yet polled.
    ready: Option<(Tag, bool)>,
}

impl Vaapi {
    /// # Errors
    /// [`EncodeError::Unavailable`] where there is no VAAPI, [`EncodeError::Mode`] for what the card cannot do.
    pub fn new(codec: Codec, settings: &EncoderSettings) -> Result<Self, EncodeError> {
        let device = device().map_err(unavailable)?;
        let card = device.capabilities(codec).map_err(unavailable)?;
        if let Some(why) = card.refusal(settings) {
            return Err(EncodeError::Mode {
                encoder: NAME,
                width: settings.width,
                height: settings.height,
                fps: settings.fps,
                why,
            });
        }
        let plan = Plan::new(settings, card);
        let session = Session::open(&device.node, plan.clone()).map_err(unavailable)?;
        let (width, height) = (settings.width as usize, settings.height as usize);
        Ok(Self {
            converter: Converter::new(width, height, settings.colour),
            converted: vec![0; width * height * 3 / 2],
            last: Last::None,
            loaded: false,
            importable: session.importable(),
            references: References::new(plan.references),
            device,
            plan,
            session: Some(session),
            lost: Lost::default(),
            keyframe_wanted: false,
            output: Vec::new(),
            ready: None,
        })
    }

    /// Encode the last picture.
    fn encode(&mut self, tag: Tag) -> Result<(), EncodeError> {
        // the second time with a device that was opened anew
        for _ in 0..2 {
            if self.session.is_none() && !self.reopen()? {
                return Ok(());
            }
            let Some(session) = &mut self.session else {
                return Ok(());
            };
            let loaded = std::mem::take(&mut self.loaded);
            let brought = match &self.last {
                Last::None => return Ok(()),
                Last::Memory if loaded => Ok(()),
                Last::Memory => session.upload(&self.converted),
                Last::Card(picture) => session.import(picture),
            };
            if let (Err(error), Last::Card(_)) = (&brought, &self.last)
                && (self.lost.is_away() || !error.lost_device())
            {
                if self.lost.may_settle() {
                    // soon after a reset a driver may refuse what it takes a moment later: once, that is waited for
                    self.session = None;
                    return self.lost.still_away(NAME, error);
                }
                return Err(EncodeError::Import(error.to_string()));
            }
            let next = self.references.next(self.keyframe_wanted);
            let result = brought.and_then(|()| session.encode(&next, &mut self.output));
            match result {
                Ok(()) => {
                    self.lost.encoded();
                    self.loaded = matches!(self.last, Last::Memory);
                    // a driver that refers to what it likes has not answered the loss
                    self.keyframe_wanted = next.passes_over() && !session.names_ours();
                    self.references.encoded(tag.picture, &next);
                    self.ready = (!self.output.is_empty()).then_some((tag, next.key()));
                    return Ok(());
                }
                Err(error) if error.lost_device() => self.lose(&error)?,
                Err(error) => return Err(failed("encode a picture")(error)),
            }
        }
        Ok(())
    }

    /// The device is gone: let go of everything that was made on it.
    fn lose(&mut self, reason: &VaapiError) -> Result<(), EncodeError> {
        self.session = None;
        self.loaded = false;
        self.lost.gone(NAME, reason)
    }

    /// Open the device anew, if it is time to try. False: it is not there yet.
    fn reopen(&mut self) -> Result<bool, EncodeError> {
        if !self.lost.due() {
            return Ok(false);
        }
        match Session::open(&self.device.node, self.plan.clone()) {
            Ok(session) => {
                self.session = Some(session);
                self.references = References::new(self.plan.references);
                Ok(true)
            }
            Err(error) => self.lost.still_away(NAME, &error).map(|()| false),
        }
    }
}

impl Encoder for Vaapi {
    fn name(&self) -> &'static str {
        NAME
    }

    fn importable(&self) -> Vec<DmabufFormat> {
        self.importable.clone()
    }

    fn submit(&mut self, picture: &Picture, tag: Tag) -> Result<(), EncodeError> {
        if let Some(dmabuf) = &picture.dmabuf {
            let before = std::mem::replace(&mut self.last, Last::Card(Arc::clone(dmabuf)));
            let encoded = self.encode(tag);
            if let Err(EncodeError::Import(_)) = &encoded {
                self.last = before;
            }
            return encoded;
        }
        self.converter
            .convert_into(picture, Layout::Nv12, &mut self.converted)?;
        self.last = Last::Memory;
        self.loaded = false;
        self.encode(tag)
    }

    fn submit_again(&mut self, tag: Tag) -> Result<(), EncodeError> {
        match (self.encode(tag), &self.last) {
            // it was taken before, so a device that was opened anew has changed its mind: shared memory brings the next one
            (Err(EncodeError::Import(why)), Last::Card(picture)) => {
                tracing::warn!("the compositor's pictures are copied from now on: {why}");
                picture.refuse();
                self.last = Last::None;
                Ok(())
            }
            (encoded, _) => encoded,
        }
    }

    fn poll(&mut self) -> Result<Option<AccessUnit<'_>>, EncodeError> {
        Ok(self.ready.take().map(|(tag, key)| AccessUnit {
            data: &self.output,
            key,
            tag,
        }))
    }

    fn request_keyframe(&mut self) {
        self.keyframe_wanted = true;
    }

    fn can_invalidate_refs(&self) -> bool {
        let named = self.session.as_ref().is_none_or(Session::names_ours);
        self.plan.card.invalidation && self.plan.references > 1 && named
    }

    fn invalidate_refs(&mut self, first: u32, _last: u32) -> bool {
        self.can_invalidate_refs() && self.session.is_some() && self.references.forget_from(first)
    }

    fn set_bitrate(&mut self, kbps: u32) -> Result<(), EncodeError> {
        self.plan.kbps = kbps.max(1);
        if let Some(session) = &mut self.session {
            session.set_bitrate(self.plan.kbps);
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), EncodeError> {
        Ok(())
    }
}

fn unavailable(error: VaapiError) -> EncodeError {
    EncodeError::Unavailable {
        encoder: NAME,
        why: error.to_string(),
    }
}

fn failed(what: &'static str) -> impl FnOnce(VaapiError) -> EncodeError {
    move |error| EncodeError::Backend {
        encoder: NAME,
        what,
        why: error.to_string(),
    }
}
