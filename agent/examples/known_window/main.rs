//! A window whose colours are known: shown over a whole output to be captured, and recognised in a picture of it.
//!
//! `known_window show OUTPUT`: wait for an output whose name begins with OUTPUT (`new`: for one that is not there yet), cover it, and print each event of keys,
//! pointer, wheel and fingers ([`devices`]) with its place in the window, one a line, until the output goes.
//! `known_window check PICTURE.png TOLERANCE`: print the worst deviation of any channel; exit status 1 over TOLERANCE.
//! `known_window order`: print the names of KWin's outputs, first to last.

mod devices;
mod order;
mod pattern;
mod window;

use std::{fs::File, io::BufReader};

use anyhow::{Context, bail, ensure};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments[..] {
        [command, output] if command == "show" => window::show(output),
        [command, picture, tolerance] if command == "check" => check(picture, tolerance.parse()?),
        [command] if command == "order" => {
            println!("{}", order::outputs()?.join(" "));
            Ok(())
        }
        _ => bail!(
            "usage: known_window show OUTPUT | known_window check PICTURE.png TOLERANCE | known_window order"
        ),
    }
}

fn check(path: &str, tolerance: u8) -> anyhow::Result<()> {
    let file = File::open(path).with_context(|| format!("cannot read {path}"))?;
    let mut reader = png::Decoder::new(BufReader::new(file)).read_info()?;
    let mut pixels = vec![0; reader.output_buffer_size().context("too large a picture")?];
    let info = reader.next_frame(&mut pixels)?;
    ensure!(
        info.color_type == png::ColorType::Rgb && info.bit_depth == png::BitDepth::Eight,
        "{path} is not RGB with 8 bits"
    );
    let worst = pattern::worst_deviation(&pixels, info.width, info.height);
    println!(
        "{}x{} worst deviation {} of 255 at patch {} (is {:?}, should be {:?})",
        info.width, info.height, worst.amount, worst.patch, worst.found, worst.expected
    );
    ensure!(
        worst.amount <= tolerance,
        "the picture does not show the pattern"
    );
    Ok(())
}
