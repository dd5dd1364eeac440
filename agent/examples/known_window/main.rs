//! A window whose colours are known: shown over a whole output to be captured, and recognised in a picture of it.
//!
//! `known_window show OUTPUT`: wait for an output whose name begins with OUTPUT (`new`: for one that is not there yet), cover it, and print each event of keys,
//! pointer, wheel and fingers ([`devices`]) with its place in the window, one a line, until the output goes.
//! `known_window clock OUTPUT`: the same, with the time of each painting in the picture's top left corner, as the test client's `--picture-clock` reads it.
//! `known_window check PICTURE.png TOLERANCE [WIDTHxHEIGHT]`: print the worst deviation of any channel; exit status 1 over TOLERANCE. With a size the pattern
//! has to be as large as that, in the middle of a picture that is black around it.
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
        [command, output] if command == "show" || command == "clock" => {
            window::show(output, command == "clock")
        }
        [command, picture, tolerance, inner @ ..] if command == "check" && inner.len() < 2 => {
            let inner = inner.first().map(|size| parse(size)).transpose()?;
            check(picture, tolerance.parse()?, inner)
        }
        [command] if command == "order" => {
            println!("{}", order::outputs()?.join(" "));
            Ok(())
        }
        _ => bail!(
            "usage: known_window show OUTPUT | known_window clock OUTPUT | known_window check PICTURE.png TOLERANCE [WIDTHxHEIGHT] | known_window order"
        ),
    }
}

fn parse(size: &str) -> anyhow::Result<(u32, u32)> {
    let (width, height) = size.split_once('x').context("a size is WIDTHxHEIGHT")?;
    Ok((width.parse()?, height.parse()?))
}

fn check(path: &str, tolerance: u8, inner: Option<(u32, u32)>) -> anyhow::Result<()> {
    let file = File::open(path).with_context(|| format!("cannot read {path}"))?;
    let mut reader = png::Decoder::new(BufReader::new(file)).read_info()?;
    let mut pixels = vec![0; reader.output_buffer_size().context("too large a picture")?];
    let info = reader.next_frame(&mut pixels)?;
    ensure!(
        info.color_type == png::ColorType::Rgb && info.bit_depth == png::BitDepth::Eight,
        "{path} is not RGB with 8 bits"
    );
    let (width, height) = inner.unwrap_or((info.width, info.height));
    ensure!(
        width <= info.width && height <= info.height,
        "{path} is smaller than {width}x{height}"
    );
    let (shown, around) = pattern::cut_out(&pixels, (info.width, info.height), (width, height));
    ensure!(
        around <= tolerance,
        "around {width}x{height} the picture is not black, but {around}"
    );
    let worst = pattern::worst_deviation(&shown, width, height);
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
