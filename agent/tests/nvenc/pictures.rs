//! The test pattern through an encoder of the card.

use openh264::{decoder::Decoder, formats::YUVSource};
use punktfunk_agent::{
    encode::{Choice, EncodeError, Encoder, EncoderSettings, Kind, Parts, Tag},
    source::{
        self, Importable, Outputs, Painter, Picture, SourceRequest, gamescope::Inside,
        synthetic::counter,
    },
};

pub const NVENC: Choice = Choice::Only(Kind::Nvenc);

pub fn settings(width: u32, height: u32) -> EncoderSettings {
    EncoderSettings {
        width,
        height,
        fps: 60,
        bitrate_kbps: 4000,
        ..EncoderSettings::default()
    }
}

/// An encoder with the test pattern in front of it.
pub struct Pictures {
    pub encoder: Box<dyn Encoder>,
    painter: Box<dyn Painter>,
    picture: Picture,
    /// Pictures so far.
    pub number: u32,
}

impl Pictures {
    pub fn open(codec: &str, settings: &EncoderSettings) -> Self {
        let request = SourceRequest {
            width: settings.width,
            height: settings.height,
            fps: 60,
            cursor: false,
            importable: Importable::NOTHING,
            inside: Inside::Whatever,
            outputs: Outputs::Extend,
            monitor: Default::default(),
            hdr: settings.mastering.is_some(),
        };
        Self {
            encoder: NVENC.open(codec, settings).unwrap(),
            painter: source::open("synthetic", &request)
                .unwrap()
                .painter()
                .unwrap(),
            picture: Picture::default(),
            number: 0,
        }
    }

    /// The next picture's access unit, and whether it is a key frame; `None` where none came out.
    pub fn next(&mut self) -> Option<(Vec<u8>, bool)> {
        self.try_next().unwrap()
    }

    /// As [`Self::next`], or why the encoder gave up.
    pub fn try_next(&mut self) -> Result<Option<(Vec<u8>, bool)>, EncodeError> {
        self.next_as(Clone::clone)
    }

    /// As [`Self::try_next`], with the picture handed over in another form.
    pub fn next_as(
        &mut self,
        form: impl FnOnce(&Picture) -> Picture,
    ) -> Result<Option<(Vec<u8>, bool)>, EncodeError> {
        let tag = self.tag();
        self.painter.paint(&mut self.picture, tag.pts_ns);
        self.encoder.submit(&form(&self.picture), tag)?;
        Ok(self.unit(tag))
    }

    /// The last picture once more.
    pub fn again(&mut self) -> Option<(Vec<u8>, bool)> {
        let tag = Tag {
            repeated: true,
            ..self.tag()
        };
        self.encoder.submit_again(tag).unwrap();
        self.unit(tag)
    }

    fn tag(&mut self) -> Tag {
        let tag = Tag {
            picture: self.number,
            pts_ns: u64::from(self.number) * 16_666_667,
            ..Tag::default()
        };
        self.number += 1;
        tag
    }

    fn unit(&mut self, tag: Tag) -> Option<(Vec<u8>, bool)> {
        let unit = self.encoder.poll().unwrap()?;
        assert_eq!(unit.tag, tag);
        Some((unit.data.to_vec(), unit.key))
    }

    /// As [`Self::next`], with its slices as they come.
    pub fn next_in_parts(&mut self, parts: &mut dyn Parts) -> Option<(Vec<u8>, bool)> {
        let tag = Tag {
            picture: self.number,
            pts_ns: u64::from(self.number) * 16_666_667,
            ..Tag::default()
        };
        self.number += 1;
        self.painter.paint(&mut self.picture, tag.pts_ns);
        let picture = Some(&self.picture);
        self.encoder.submit_in_parts(picture, tag, parts).unwrap();
        let unit = self.encoder.poll().unwrap()?;
        assert_eq!(unit.tag, tag);
        Some((unit.data.to_vec(), unit.key))
    }

    pub fn some(&mut self, count: usize) -> Vec<(Vec<u8>, bool)> {
        (0..count)
            .map(|_| self.next().expect("an access unit"))
            .collect()
    }
}

pub fn shown(decoder: &mut Decoder, unit: &[u8]) -> Option<u32> {
    let picture = decoder.decode(unit).unwrap()?;
    counter::read(picture.y(), picture.strides().0, picture.dimensions().0)
}
