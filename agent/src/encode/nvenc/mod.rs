//! NVIDIA's encoder: H.264, HEVC and AV1 on the card, through libraries that are loaded when they are there.
//!
//! Pictures that the compositor lends in the memory of the GPU are converted there; others go through pinned memory. A device
//! that is lost is opened anew without ending the stream: pictures that come meanwhile are left out, the first one after is a
//! key frame, and numbers go on. What cannot be used here says why, and what to do, in [`NvencError`].

#![expect(
    unsafe_code,
    reason = "the driver's interface is C: structures, pointers and functions from a library"
)]

mod abi;
#[cfg(test)]
mod abi_tests;
mod capabilities;
mod configuration;
mod cuda;
mod error;
mod import;
mod library;
mod metadata;
mod references;
mod session;
mod slices;
mod surface;

pub use capabilities::{Capabilities, Card};
pub use error::{DriverVersion, NvencError};

use super::{AccessUnit, Codec, EncodeError, Encoder, EncoderSettings, Parts, Tag, lost::Lost};
use crate::{
    convert::{Converter, Layout},
    source::{Dmabuf, DmabufFormat, Picture},
};
use configuration::Plan;
use cuda::Context;
use library::Driver;
use references::References;
use session::Session;
use slices::{Whole, is_key};
use std::sync::{Arc, Mutex, PoisonError};

pub const NAME: &str = "nvenc";

/// The card that was found; a failure is not kept.
static CARD: Mutex<Option<Arc<Card>>> = Mutex::new(None);

/// The card of this machine that encodes.
///
/// # Errors
/// Why there is none, and what to do about it.
pub fn card() -> Result<Arc<Card>, NvencError> {
    let mut found = CARD.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(card) = &*found {
        return Ok(Arc::clone(card));
    }
    let card = Arc::new(Card::find(&Driver::get()?)?);
    *found = Some(Arc::clone(&card));
    Ok(card)
}

/// What the driver says of itself, where one is loaded.
pub fn driver_version() -> Option<DriverVersion> {
    Driver::get().ok().map(|driver| driver.version.clone())
}

/// A buffer of the compositor's with the last picture.
struct Lent {
    picture: Arc<Dmabuf>,
    /// It was not converted yet: what the session or `kept` has is older.
    due: bool,
}

pub struct Nvenc {
    card: Arc<Card>,
    plan: Plan,
    converter: Converter,
    layout: Layout,
    invalidation: bool,
    dynamic_bitrate: bool,
    /// What the card imports.
    importable: Vec<DmabufFormat>,
    /// `None` until a lost device is back.
    session: Option<Session>,
    lost: Lost,
    /// The last picture, in the encoder's layout, when there was no session to keep it.
    kept: Option<Vec<u8>>,
    /// The last picture where the compositor lent it, until another one comes: a device that is lost takes what was converted with it.
    lent: Option<Lent>,
    references: References,
    filled: bool,
    keyframe_wanted: bool,
    output: Vec<u8>,
    /// The access unit in `output`, not yet polled.
    ready: Option<(Tag, bool)>,
}

impl Nvenc {
    /// # Errors
    /// [`EncodeError::Unavailable`] where there is no NVENC, [`EncodeError::Mode`] for what the card cannot do.
    pub fn new(codec: Codec, settings: &EncoderSettings) -> Result<Self, EncodeError> {
        let card = card().map_err(unavailable)?;
        let capabilities = card.capabilities(codec).map_err(unavailable)?;
        if let Some(why) = capabilities.refusal(settings) {
            return Err(EncodeError::Mode {
                encoder: NAME,
                width: settings.width,
                height: settings.height,
                fps: settings.fps,
                why,
            });
        }
        let plan = Plan::new(settings, capabilities);
        let mut session = open(&card, &plan).map_err(unavailable)?;
        let importable = session.importable().unwrap_or_else(|why| {
            tracing::info!("pictures are taken to the card through memory: {why}");
            Vec::new()
        });
        Ok(Self {
            importable,
            invalidation: capabilities.invalidation && plan.references > 1,
            dynamic_bitrate: capabilities.dynamic_bitrate,
            converter: Converter::new(
                settings.width as usize,
                settings.height as usize,
                plan.colour,
            )
            .hdr(plan.mastering.is_some()),
            layout: match (settings.hdr, settings.chroma_444) {
                (false, false) => Layout::Nv12,
                (false, true) => Layout::Yuv444,
                (true, false) => Layout::P010,
                (true, true) => Layout::Yuv444Deep,
            },
            references: References::new(plan.references),
            card,
            plan,
            session: Some(session),
            lost: Lost::default(),
            kept: None,
            lent: None,
            filled: false,
            keyframe_wanted: false,
            output: Vec::new(),
            ready: None,
        })
    }

    /// Where the next picture is to be written; without a session into memory of our own.
    fn place(&mut self) -> &mut [u8] {
        match &mut self.session {
            Some(session) => session.picture(),
            None => {
                let bytes =
                    surface::Shape::new(self.plan.width, self.plan.height, self.plan.format())
                        .bytes();
                let kept = self.kept.get_or_insert_default();
                kept.resize(bytes, 0);
                kept
            }
        }
    }

    /// Encode the last picture.
    fn encode(&mut self, tag: Tag, parts: &mut dyn Parts) -> Result<(), EncodeError> {
        let codec = self.plan.codec;
        // the second time with a device that was opened anew
        for _ in 0..2 {
            if self.session.is_none() && !self.reopen()? {
                return Ok(());
            }
            let Some(session) = &mut self.session else {
                return Ok(());
            };
            let mut importing = false;
            let on_card = match &self.lent {
                Some(lent) if lent.due => Ok(false),
                _ => session.bring(),
            };
            let brought = match (on_card, &mut self.lent) {
                (Ok(false), Some(lent)) => {
                    importing = true;
                    let imported = session.import(&lent.picture);
                    lent.due &= imported.is_err();
                    imported.map(|()| true)
                }
                (on_card, _) => on_card,
            };
            let key = self.keyframe_wanted;
            let mut told = None;
            let mut early = |data: &[u8], of| {
                let key = *told.get_or_insert_with(|| is_key(codec, data));
                parts.part(&AccessUnit { data, key, tag }, of);
            };
            let result = match brought {
                Ok(true) => {
                    let stamp = self.references.next_stamp();
                    session.encode(stamp, key, &mut self.output, &mut early)
                }
                // nobody has it any more: the next picture brings the screen back
                Ok(false) => return Ok(()),
                Err(error) if importing && (self.lost.is_away() || !error.lost_device()) => {
                    if self.lost.may_settle() {
                        // soon after a reset a driver may refuse what it takes a moment later: once, that is waited for
                        self.let_go();
                        return self.lost.still_away(NAME, &error);
                    }
                    return Err(EncodeError::Import(error.to_string()));
                }
                Err(error) => Err(error),
            };
            match result {
                Ok(encoded) => {
                    self.lost.encoded();
                    let key = told.unwrap_or(encoded.key);
                    if !encoded.continues {
                        tracing::warn!(
                            "the driver took back slices that it had given: pictures come whole from now on"
                        );
                        parts.void();
                        self.plan.parts = 1;
                    }
                    self.keyframe_wanted = false;
                    self.references.encoded(tag.picture, key);
                    self.ready = (!self.output.is_empty()).then_some((tag, key));
                    return Ok(());
                }
                Err(error) if error.lost_device() => {
                    parts.void();
                    self.lose(&error)?;
                }
                Err(error) => return Err(failed("encode a picture")(error)),
            }
        }
        Ok(())
    }

    /// The last picture once more.
    fn encode_again(&mut self, tag: Tag, parts: &mut dyn Parts) -> Result<(), EncodeError> {
        match (self.encode(tag, parts), self.lent.take()) {
            // a device that was opened anew takes it no longer: shared memory brings the next one
            (Err(EncodeError::Import(why)), Some(lent)) => {
                tracing::warn!("the compositor's pictures are copied from now on: {why}");
                lent.picture.refuse();
                self.filled = false;
                Ok(())
            }
            (encoded, lent) => {
                self.lent = lent;
                encoded
            }
        }
    }

    /// The device is gone: let go of everything that was made on it.
    fn lose(&mut self, reason: &NvencError) -> Result<(), EncodeError> {
        self.let_go();
        self.lost.gone(NAME, reason)
    }

    /// The next picture opens everything anew; the last one stays, if it can still be had.
    fn let_go(&mut self) {
        if let Some(mut session) = self.session.take() {
            self.kept = session.keep();
        }
    }

    /// Open the device anew, if it is time to try. False: it is not there yet.
    fn reopen(&mut self) -> Result<bool, EncodeError> {
        if !self.lost.due() {
            return Ok(false);
        }
        match open(&self.card, &self.plan) {
            Ok(mut session) => {
                if let Some(kept) = self.kept.take() {
                    session.picture().copy_from_slice(&kept);
                    session.written();
                }
                self.session = Some(session);
                self.references = References::new(self.plan.references);
                Ok(true)
            }
            Err(error) => {
                self.lost.still_away(NAME, &error)?;
                Ok(false)
            }
        }
    }
}

impl Encoder for Nvenc {
    fn name(&self) -> &'static str {
        NAME
    }

    fn importable(&self) -> Vec<DmabufFormat> {
        self.importable.clone()
    }

    fn submit(&mut self, picture: &Picture, tag: Tag) -> Result<(), EncodeError> {
        self.submit_in_parts(Some(picture), tag, &mut Whole)
    }

    fn submit_again(&mut self, tag: Tag) -> Result<(), EncodeError> {
        self.submit_in_parts(None, tag, &mut Whole)
    }

    fn submit_in_parts(
        &mut self,
        picture: Option<&Picture>,
        tag: Tag,
        parts: &mut dyn Parts,
    ) -> Result<(), EncodeError> {
        let Some(picture) = picture else {
            return match self.filled {
                true => self.encode_again(tag, parts),
                false => Ok(()),
            };
        };
        if let Some(dmabuf) = &picture.dmabuf {
            // the one before goes back at once: what was converted of it stays until this one is
            self.lent = Some(Lent {
                picture: Arc::clone(dmabuf),
                due: true,
            });
            let encoded = self.encode(tag, parts);
            match &encoded {
                Err(EncodeError::Import(_)) => self.lent = None,
                _ => self.filled = true,
            }
            return encoded;
        }
        let layout = self.layout;
        // taken out so that the place can be borrowed beside it
        let mut converter = std::mem::take(&mut self.converter);
        let converted = converter.convert_into(picture, layout, self.place());
        self.converter = converter;
        converted?;
        self.lent = None;
        if let Some(session) = &mut self.session {
            session.written();
        }
        self.filled = true;
        self.encode(tag, parts)
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
        self.invalidation
    }

    fn invalidate_refs(&mut self, first: u32, _last: u32) -> bool {
        if !self.invalidation {
            return false;
        }
        let (Some(session), Some(stamps)) = (&mut self.session, self.references.forget_from(first))
        else {
            return false;
        };
        for stamp in stamps {
            if let Err(error) = session.invalidate(stamp) {
                tracing::warn!("a key frame instead: {error}");
                return false;
            }
        }
        true
    }

    fn set_bitrate(&mut self, kbps: u32) -> Result<(), EncodeError> {
        self.plan.kbps = kbps.max(1);
        if !self.dynamic_bitrate {
            // the next picture opens it anew, with this rate and a key frame
            self.let_go();
        }
        let Some(session) = &mut self.session else {
            return Ok(());
        };
        match session.set_bitrate(self.plan.kbps) {
            Ok(()) => Ok(()),
            Err(error) if error.lost_device() => self.lose(&error),
            Err(error) => Err(failed("change the rate")(error)),
        }
    }

    fn flush(&mut self) -> Result<(), EncodeError> {
        Ok(())
    }
}

fn open(card: &Card, plan: &Plan) -> Result<Session, NvencError> {
    let driver = Driver::get()?;
    Session::open(Context::create(&driver, card.ordinal)?, plan.clone())
}

fn unavailable(error: NvencError) -> EncodeError {
    EncodeError::Unavailable {
        encoder: NAME,
        why: error.to_string(),
    }
}

fn failed(what: &'static str) -> impl FnOnce(NvencError) -> EncodeError {
    move |error| EncodeError::Backend {
        encoder: NAME,
        what,
        why: error.to_string(),
    }
}
