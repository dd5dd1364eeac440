//! The picture of an application: its cover, else its icon or initial on a coloured ground with its title below. Always a
//! PNG of 3:4, within the bounds of the bus.
mod canvas;
mod decode;
mod icon;

use super::{bounded, entry::Art, places::Places};
use crate::glyphs;
use canvas::{Canvas, Rect};
use punktfunk_dbus::applications::MAX_PICTURE;
use std::path::Path;

/// What clients show best, and what is used where a PNG of that would be too large.
const SIZES: [(u32, u32); 3] = [(600, 800), (450, 600), (300, 400)];
/// Largest picture file of other programs.
const MAX_FILE: u64 = 16 << 20;

/// The picture of an application. `places` are where icons are looked for.
pub fn of(places: Option<&Places>, id: u32, title: &str, art: &Art) -> Vec<u8> {
    let cover = art.covers.iter().find_map(|path| load(path));
    let (width, height) = SIZES[0];
    let canvas = match cover {
        Some(cover) => {
            let mut canvas = Canvas::new(width, height);
            canvas.cover(&cover);
            canvas
        }
        None => {
            let icon = art.icon.as_deref().zip(places).and_then(|(name, places)| {
                icon::candidates(places, name)
                    .iter()
                    .find_map(|path| load(path))
            });
            generated(id, title, icon.as_ref())
        }
    };
    let encoded = SIZES.iter().find_map(|&(width, height)| {
        let png = canvas.scaled(width, height).png()?;
        (png.len() <= MAX_PICTURE).then_some(png)
    });
    // The smallest is at most 360 kB even where nothing compresses.
    encoded.unwrap_or_default()
}

fn load(path: &Path) -> Option<canvas::Picture> {
    let bytes = bounded::read(path, MAX_FILE).ok()?;
    decode::picture(&bytes)
        .inspect_err(
            |why| tracing::debug!(path = %path.display(), "this picture cannot be used: {why}"),
        )
        .ok()
}

/// A ground whose colour comes of the id, the icon or the initial, and the title.
fn generated(id: u32, title: &str, icon: Option<&canvas::Picture>) -> Canvas {
    let (width, height) = SIZES[0];
    let mut canvas = Canvas::new(width, height);
    let hue = f64::from(id % 360);
    canvas.gradient(
        canvas::colour(hue, 0.45, 0.55),
        canvas::colour(hue + 35.0, 0.6, 0.18),
    );
    let middle = Rect {
        x: 140,
        y: 140,
        width: 320,
        height: 320,
    };
    match icon {
        Some(icon) => canvas.place(icon, middle),
        None => {
            let initial = title.chars().find_map(glyphs::of).unwrap_or(glyphs::PLAY);
            canvas.glyph(&initial, 180, 140, 48, [255; 3]);
        }
    }
    write_title(&mut canvas, title);
    canvas
}

/// Up to four centred lines, as large as the longest word allows.
fn write_title(canvas: &mut Canvas, title: &str) {
    const WIDTH: u32 = 540;
    const MAX_LINES: usize = 4;
    let longest = title
        .split_whitespace()
        .map(|word| word.chars().count())
        .max()
        .unwrap_or(0);
    let scale = (WIDTH / 6)
        .checked_div(longest as u32)
        .unwrap_or(7)
        .clamp(4, 7);
    let per_line = (WIDTH / (6 * scale)) as usize;
    for (line, y) in lines(title, per_line)
        .into_iter()
        .take(MAX_LINES)
        .zip((520..).step_by(9 * scale as usize))
    {
        let count = line.chars().count() as u32;
        let mut x = (600 - (count * 6 - 1) * scale) / 2;
        for character in line.chars() {
            if let Some(glyph) = glyphs::of(character) {
                canvas.glyph(&glyph, x, y, scale, [238; 3]);
            }
            x += 6 * scale;
        }
    }
}

/// Words put into lines of at most so many characters; what is longer is cut.
fn lines(title: &str, per_line: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in title.split_whitespace() {
        let word: String = word.chars().take(per_line).collect();
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= per_line => {
                line.push(' ');
                line.push_str(&word);
            }
            _ => lines.push(word),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(png: &[u8]) -> (u32, u32) {
        let reader = png::Decoder::new(std::io::Cursor::new(png))
            .read_info()
            .unwrap();
        (reader.info().width, reader.info().height)
    }

    #[test]
    fn every_title_has_a_picture_and_equal_ones_are_equal() {
        for title in [
            "Desktop",
            "",
            "日本",
            "A title of very many words that nobody would ever read to its end",
            "x",
        ] {
            let png = of(None, 7, title, &Art::default());
            assert_eq!(size(&png), (600, 800), "{title}");
            assert_eq!(png, of(None, 7, title, &Art::default()));
        }
        assert_ne!(
            of(None, 7, "A", &Art::default()),
            of(None, 8, "A", &Art::default())
        );
        let long = "m".repeat(128);
        assert_eq!(size(&of(None, 1, &long, &Art::default())), (600, 800));
    }

    #[test]
    fn a_cover_that_does_not_compress_is_made_smaller_until_it_fits() {
        let mut noise = Canvas::new(600, 800);
        let mut state = 1u32;
        noise.fill(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        });
        let path = std::env::temp_dir().join(format!("punktfunk-noise-{}.png", std::process::id()));
        std::fs::write(&path, noise.png().unwrap()).unwrap();
        let art = Art {
            covers: vec!["/nowhere".into(), path.clone()],
            icon: None,
        };
        let png = of(None, 1, "noise", &art);
        std::fs::remove_file(&path).unwrap();
        assert!(png.len() <= MAX_PICTURE);
        assert!(size(&png).0 < 600);
    }

    #[test]
    fn a_file_that_is_no_picture_falls_back_to_a_generated_one() {
        let art = Art {
            covers: vec!["/etc/passwd".into(), "/dev/zero".into()],
            icon: None,
        };
        assert_eq!(of(None, 1, "x", &art), of(None, 1, "x", &Art::default()));
    }
}
