//! The test pattern through an encoder of the card, and what ffmpeg makes of it.

use punktfunk_agent::{
    encode::{Choice, EncodeError, Encoder, EncoderSettings, Kind, Tag},
    source::{
        self, Importable, Outputs, Painter, Picture, SourceRequest, gamescope::Inside,
        synthetic::counter,
    },
};
use std::process::Command;

pub const VAAPI: Choice = Choice::Only(Kind::Vaapi);

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
            hdr: false,
        };
        Self {
            encoder: VAAPI.open(codec, settings).unwrap(),
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
        self.next_as(Clone::clone).unwrap()
    }

    /// As [`Self::next`], with the picture handed over in another form.
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

    pub fn some(&mut self, count: usize) -> Vec<(Vec<u8>, bool)> {
        (0..count)
            .map(|_| self.next().expect("an access unit"))
            .collect()
    }
}

/// What ffmpeg's decoder shows: the luma of each picture, and what it complained of.
pub fn decoded(format: &str, units: &[Vec<u8>], size: (usize, usize)) -> (Vec<Vec<u8>>, String) {
    static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let unique = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let name = format!("punktfunk-vaapi-stream-{}-{unique}", std::process::id());
    let file = std::env::temp_dir().join(name);
    std::fs::write(&file, units.concat()).unwrap();
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-f", format, "-i"])
        .arg(&file)
        .args(["-fps_mode", "passthrough", "-pix_fmt", "yuv420p"])
        .args(["-f", "rawvideo", "-"])
        // the machine's own libraries
        .env_remove("LD_LIBRARY_PATH")
        .output()
        .expect("Debian's ffmpeg");
    let _ = std::fs::remove_file(&file);
    let (luma, whole) = (size.0 * size.1, size.0 * size.1 * 3 / 2);
    let pictures = output.stdout.chunks(whole);
    (
        pictures.map(|picture| picture[..luma].to_vec()).collect(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

/// The numbers that decoded pictures carry; without a complaint of the decoder.
pub fn numbers(units: &[Vec<u8>], size: (usize, usize)) -> Vec<Option<u32>> {
    let (pictures, complaints) = decoded("h264", units, size);
    assert_eq!(complaints, "");
    pictures
        .iter()
        .map(|luma| counter::read(luma, size.0, size.0))
        .collect()
}
