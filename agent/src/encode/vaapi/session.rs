//! One encoder on the card: opened for a stream, one picture at a time in and out.
//!
//! A picture is encoded and its bitstream fetched in one call: nothing is ever under way between two calls. All calls come
//! from the thread that owns the encoder.

use super::{
    abi::{self, CodedSegment, ConfigAttrib, Id, Rectangle},
    av1,
    buffers::Batch,
    display::Display,
    error::VaapiError,
    h264, hevc,
    import::{self, Importer},
    plan::Plan,
    references::Next,
    surface::{self, Nv12},
};
use crate::{
    encode::Codec,
    source::{Dmabuf, DmabufFormat},
};
use std::{path::Path, ptr, slice};

/// The largest access unit that is taken from the driver, in bytes: more than any ring slot holds.
const MAX_UNIT: usize = 64 << 20;
/// Pieces that a driver cuts an access unit into.
const MAX_SEGMENTS: usize = 1024;

pub struct Session {
    plan: Plan,
    /// Of the parameter sets.
    level: u8,
    /// Of the rate control's structures, not yet handed over.
    rate_changed: bool,
    /// Key frames so far.
    keys: u32,
    /// So far, the driver's pictures name the references that they were told to.
    names_ours: bool,
    config: Id,
    context: Id,
    input: Vec<Id>,
    /// For reconstruction: one more than there are references.
    surfaces: Vec<Id>,
    coded: Id,
    /// From the first picture in the memory of the GPU on.
    importer: Option<Importer>,
    /// Where the last picture was converted to, if the rest of the surface is black.
    framed: Option<Rectangle>,
    display: Display,
}

impl Session {
    /// # Errors
    /// What of it failed.
    pub fn open(node: &Path, plan: Plan) -> Result<Self, VaapiError> {
        let level = match plan.codec() {
            Codec::H264 => h264::level_idc(&plan),
            Codec::Hevc => hevc::level_idc(&plan),
            Codec::Av1 => av1::level_idx(&plan),
        };
        let mut session = Self {
            level,
            rate_changed: true,
            keys: 0,
            names_ours: true,
            config: abi::INVALID_ID,
            context: abi::INVALID_ID,
            input: Vec::new(),
            surfaces: Vec::new(),
            coded: abi::INVALID_ID,
            importer: None,
            framed: None,
            display: Display::open(node)?,
            plan,
        };
        // what was made so far is let go of by Drop
        session.create()?;
        Ok(session)
    }

    fn create(&mut self) -> Result<(), VaapiError> {
        let (library, raw) = (&self.display.library, self.display.raw());
        let card = &self.plan.card;
        let attrib = |kind, value| ConfigAttrib { kind, value };
        let mut attribs = vec![
            attrib(abi::ATTRIB_RT_FORMAT, abi::RT_FORMAT_YUV420),
            attrib(abi::ATTRIB_RATE_CONTROL, card.rate),
        ];
        if card.packed != 0 {
            attribs.push(attrib(abi::ATTRIB_PACKED_HEADERS, card.packed));
        }
        // SAFETY: the display is open; as many attributes as the call is told, one number is written.
        let status = unsafe {
            let (list, count) = (attribs.as_mut_ptr(), attribs.len() as i32);
            let config = &raw mut self.config;
            (library.create_config)(raw, card.profile, card.entry, list, count, config)
        };
        self.display.check("setting up the encoder", status)?;
        let size = self.plan.coded();
        let count = self.plan.references as usize + 1;
        self.input = surface::create(&self.display, size, 1)?;
        self.surfaces = surface::create(&self.display, size, count)?;
        let mut targets = [&self.surfaces[..], &self.input[..]].concat();
        // SAFETY: the configuration and the surfaces are this display's; one number is written.
        let status = unsafe {
            let (width, height) = (size.0 as i32, size.1 as i32);
            let (list, count) = (targets.as_mut_ptr(), targets.len() as i32);
            let context = &raw mut self.context;
            let create = library.create_context;
            create(
                raw,
                self.config,
                width,
                height,
                abi::PROGRESSIVE,
                list,
                count,
                context,
            )
        };
        self.display.check("opening the encoder", status)?;
        // never more than the picture itself, with what headers take
        let bytes = size.0 * size.1 * 3 / 2 + size.0 * size.1 / 8 + (1 << 16);
        // SAFETY: the context is open; no data is handed over, one number is written.
        let status = unsafe {
            let (kind, none) = (abi::BUFFER_CODED, ptr::null_mut());
            let coded = &raw mut self.coded;
            (library.create_buffer)(raw, self.context, kind, bytes, 1, none, coded)
        };
        self.display.check("making room for the bitstream", status)
    }

    /// Take a picture to the card.
    ///
    /// # Errors
    /// What the driver says.
    pub fn upload(&mut self, bytes: &[u8]) -> Result<(), VaapiError> {
        self.framed = None;
        if let Some(importer) = &mut self.importer {
            importer.forget_gone(&self.display);
        }
        self.write(bytes)
    }

    fn write(&self, bytes: &[u8]) -> Result<(), VaapiError> {
        let picture = Nv12 {
            width: self.plan.width as usize,
            height: self.plan.height as usize,
            bytes,
        };
        surface::upload(&self.display, self.input[0], self.plan.coded(), picture)
    }

    /// Black bars around this region. Drivers (Mesa's) do not paint them, whatever background they are told.
    fn frame(&mut self, region: Rectangle) -> Result<(), VaapiError> {
        let (width, height) = (self.plan.width as usize, self.plan.height as usize);
        let covered = (usize::from(region.width), usize::from(region.height));
        if self.framed == Some(region) || covered.0 >= width && covered.1 >= height {
            return Ok(());
        }
        let luma = if self.plan.colour.full_range { 0 } else { 16 };
        let mut black = vec![luma; width * height];
        black.resize(width * height * 3 / 2, 128);
        self.write(&black)
    }

    /// What [`Self::import`] takes, best first.
    pub fn importable(&self) -> Vec<DmabufFormat> {
        import::formats(&self.display, self.plan.colour)
    }

    /// Convert a picture that is on the card.
    ///
    /// # Errors
    /// What the driver says.
    pub fn import(&mut self, picture: &Dmabuf) -> Result<(), VaapiError> {
        let buffer = picture.buffer();
        let region = import::region(&self.plan, (buffer.width, buffer.height));
        self.frame(region)?;
        self.framed = Some(region);
        let (display, target) = (&self.display, self.input[0]);
        let importer = match &mut self.importer {
            Some(importer) => importer,
            none => none.insert(Importer::create(display, self.plan.coded(), target)?),
        };
        importer.convert(display, &self.plan, picture, (target, region))
    }

    /// Encode the picture on the card; `unit` becomes its access unit.
    ///
    /// # Errors
    /// What the driver says.
    pub fn encode(&mut self, next: &Next, unit: &mut Vec<u8>) -> Result<(), VaapiError> {
        let (raw, context, input) = (self.display.raw(), self.context, self.input[0]);
        // SAFETY: context and surface are alive, no picture is begun.
        let status = unsafe { (self.display.library.begin_picture)(raw, context, input) };
        self.display.check("beginning a picture", status)?;
        // what is handed over lives until the picture has ended
        let mut batches = Vec::new();
        let rendered = self.render(next, &mut batches);
        // SAFETY: begun above; also ends what could not be rendered.
        let status = unsafe { (self.display.library.end_picture)(raw, context) };
        drop(batches);
        rendered?;
        self.display.check("encoding a picture", status)?;
        // SAFETY: the surface is alive; the call waits for the picture.
        let status = unsafe { (self.display.library.sync_surface)(raw, input) };
        self.display.check("waiting for a picture", status)?;
        self.fetch(unit)?;
        if self.plan.codec() == Codec::Av1 {
            self.look_at(next, unit);
        }
        self.rate_changed = false;
        if next.key() {
            self.keys = self.keys.wrapping_add(1);
        }
        Ok(())
    }

    /// Drivers (Mesa's) take headers of AV1 and write others: which reference those name is looked up.
    fn look_at(&mut self, next: &Next, unit: &mut Vec<u8>) {
        av1::delimit(unit);
        if self.names_ours && !av1::names_ours(&self.plan, next, unit) {
            self.names_ours = false;
            let driver = &self.display.driver;
            tracing::warn!(
                "{driver} writes other headers than it is given: lost pictures are answered with key frames"
            );
        }
    }

    /// Whether lost pictures can be avoided: the references are those that were chosen, as far as is known.
    pub fn names_ours(&self) -> bool {
        self.names_ours
    }

    /// Hand over what describes a picture. A change of the rate that the driver refuses is given up, the stream goes on.
    fn render<'a>(&'a self, next: &Next, batches: &mut Vec<Batch<'a>>) -> Result<(), VaapiError> {
        if next.key() {
            let mut sequence = self.batch();
            match self.plan.codec() {
                Codec::H264 => {
                    sequence.add(
                        abi::BUFFER_SEQUENCE,
                        &h264::sequence(&self.plan, self.level),
                    )?;
                }
                Codec::Hevc => sequence.add(
                    abi::BUFFER_SEQUENCE,
                    &hevc::sequence(&self.plan, self.level),
                )?,
                Codec::Av1 => {
                    sequence.add(abi::BUFFER_SEQUENCE, &av1::sequence(&self.plan, self.level))?;
                }
            }
            hand_over(batches, sequence, "describing the stream")?;
        }
        if next.key() || self.rate_changed {
            let mut rate = self.batch();
            rate.add_misc(abi::MISC_RATE_CONTROL, self.plan.rate_control())?;
            rate.add_misc(abi::MISC_HRD, self.plan.hrd())?;
            rate.add_misc(abi::MISC_FRAME_RATE, self.plan.frame_rate())?;
            match hand_over(batches, rate, "setting the rate") {
                Err(error) if !next.key() && !error.lost_device() => {
                    tracing::warn!("the rate stays as it was: {error}");
                }
                other => other?,
            }
        }
        let mut picture = self.batch();
        match self.plan.codec() {
            Codec::H264 => self.describe_h264(next, &mut picture)?,
            Codec::Hevc => self.describe_hevc(next, &mut picture)?,
            Codec::Av1 => self.describe_av1(next, &mut picture)?,
        }
        hand_over(batches, picture, "describing a picture")
    }

    fn batch(&self) -> Batch<'_> {
        Batch::new(&self.display, self.context)
    }

    fn describe_h264(&self, next: &Next, batch: &mut Batch<'_>) -> Result<(), VaapiError> {
        let (plan, surfaces) = (&self.plan, &self.surfaces[..]);
        let picture = h264::picture(plan, next, surfaces, self.coded);
        batch.add(abi::BUFFER_PICTURE, &picture)?;
        if next.key() && plan.packs(abi::PACKED_SEQUENCE) {
            let sets = h264::parameter_sets(plan, self.level);
            batch.add_packed(abi::HEADER_SEQUENCE, &sets)?;
        }
        if plan.packs(abi::PACKED_SLICE) {
            batch.add_packed(
                abi::HEADER_SLICE,
                &h264::slice_header(plan, next, self.keys),
            )?;
        }
        let slice = h264::slice(plan, next, surfaces, self.keys);
        batch.add(abi::BUFFER_SLICE, &*slice)
    }

    fn describe_hevc(&self, next: &Next, batch: &mut Batch<'_>) -> Result<(), VaapiError> {
        let (plan, surfaces) = (&self.plan, &self.surfaces[..]);
        let picture = hevc::picture(plan, next, surfaces, self.coded);
        batch.add(abi::BUFFER_PICTURE, &picture)?;
        if next.key() && plan.packs(abi::PACKED_SEQUENCE) {
            let sets = hevc::parameter_sets(plan, self.level);
            batch.add_packed(abi::HEADER_SEQUENCE, &sets)?;
        }
        if plan.packs(abi::PACKED_SLICE) {
            batch.add_packed(abi::HEADER_SLICE, &hevc::slice_header(plan, next))?;
        }
        batch.add(abi::BUFFER_SLICE, &hevc::slice(plan, next, surfaces))
    }

    fn describe_av1(&self, next: &Next, batch: &mut Batch<'_>) -> Result<(), VaapiError> {
        let plan = &self.plan;
        let sequence = next.key().then(|| av1::sequence_header(plan, self.level));
        let header = av1::frame_header(plan, next);
        // in bytes
        let before = sequence.as_ref().map_or(0, |sequence| sequence.bytes.len());
        let picture = av1::picture(plan, next, &self.surfaces, self.coded, &header, before);
        batch.add(abi::BUFFER_PICTURE, &*picture)?;
        if let Some(sequence) = &sequence {
            batch.add_packed(abi::HEADER_SEQUENCE, sequence)?;
        }
        batch.add_packed(abi::HEADER_PICTURE, &header.packed)?;
        batch.add(abi::BUFFER_SLICE, &av1::tile_group(plan))
    }

    fn fetch(&self, unit: &mut Vec<u8>) -> Result<(), VaapiError> {
        let (library, raw) = (&self.display.library, self.display.raw());
        let mut mapped = ptr::null_mut();
        // SAFETY: the buffer is alive and not mapped; the picture is done; one pointer is written.
        let status = unsafe { (library.map_buffer)(raw, self.coded, &raw mut mapped) };
        self.display.check("fetching a picture", status)?;
        unit.clear();
        let mut spoilt = None;
        let mut at = mapped.cast::<CodedSegment>().cast_const();
        for _ in 0..MAX_SEGMENTS {
            // SAFETY: the driver's list of segments, which ends with null and lives until the buffer is unmapped.
            let Some(segment) = (unsafe { at.as_ref() }) else {
                break;
            };
            let size = segment.size as usize;
            if segment.status & abi::CODED_SLICE_OVERFLOW != 0 {
                spoilt = Some("made a picture that is larger than its buffer");
            } else if segment.status & abi::CODED_BAD_BITSTREAM != 0 {
                spoilt = Some("says that a picture is damaged");
            } else if size > MAX_UNIT - unit.len() {
                spoilt = Some("made a picture that is too large");
            } else if !segment.buf.is_null() {
                // SAFETY: the driver says that so many bytes lie there.
                let bytes = unsafe { slice::from_raw_parts(segment.buf.cast::<u8>(), size) };
                unit.extend_from_slice(bytes);
            }
            at = segment.next.cast::<CodedSegment>().cast_const();
        }
        // SAFETY: mapped above.
        let status = unsafe { (library.unmap_buffer)(raw, self.coded) };
        self.display.check("releasing a picture", status)?;
        match spoilt {
            Some(what) => Err(VaapiError::Stream {
                what,
                driver: self.display.driver.clone(),
            }),
            None => Ok(()),
        }
    }

    /// Aim at this rate from the next picture on, without a key frame.
    pub fn set_bitrate(&mut self, kbps: u32) {
        self.plan.kbps = kbps;
        self.rate_changed = true;
    }
}

/// Render a batch, and keep it.
fn hand_over<'a>(
    batches: &mut Vec<Batch<'a>>,
    mut batch: Batch<'a>,
    what: &'static str,
) -> Result<(), VaapiError> {
    let rendered = batch.render(what);
    batches.push(batch);
    rendered
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(importer) = &mut self.importer {
            importer.close(&self.display);
        }
        let (library, raw) = (&self.display.library, self.display.raw());
        // SAFETY: made by create, each destroyed once, the last one made first; nothing is under way.
        unsafe {
            if self.coded != abi::INVALID_ID {
                (library.destroy_buffer)(raw, self.coded);
            }
            if self.context != abi::INVALID_ID {
                (library.destroy_context)(raw, self.context);
            }
        }
        surface::destroy(&self.display, &mut self.surfaces);
        surface::destroy(&self.display, &mut self.input);
        if self.config != abi::INVALID_ID {
            // SAFETY: as above.
            unsafe { (library.destroy_config)(raw, self.config) };
        }
    }
}
