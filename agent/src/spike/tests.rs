use super::*;
use openh264::{decoder::Decoder, formats::YUVSource, nal_units};
use std::path::PathBuf;

fn args(name: &str) -> SpikeArgs {
    SpikeArgs {
        hdr: false,
        source: "synthetic".to_owned(),
        outputs: "extend".to_owned(),
        codec: "h264".to_owned(),
        encoder: crate::encode::Choice::Only(crate::encode::Kind::OpenH264),
        width: 640,
        height: 368,
        fps: 60,
        seconds: 1,
        bitrate: 2000,
        out: out(name),
        loopback: false,
        drop: 0,
        command: Vec::new(),
    }
}

/// A file of this test process alone.
fn out(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!(
        "punktfunk-spike-{}-{name}.h264",
        std::process::id()
    ))
}

#[test]
fn a_run_writes_a_file_that_decodes_to_every_picture_in_order() {
    let args = args("decodes");
    let figures = run(&args).unwrap();
    assert_eq!(figures.totals.encoded, 60);
    assert_eq!(figures.totals.keyframes, 1);
    let file = std::fs::read(&args.out).unwrap();
    std::fs::remove_file(&args.out).unwrap();
    assert_eq!(file.len() as u64, figures.totals.bytes);
    let line = figures.to_string();
    for figure in ["submitted=60", "encoded=60", "keyframes=1", "encode_fps="] {
        assert!(line.contains(figure), "{line}");
    }

    let mut decoder = Decoder::new().unwrap();
    let mut numbers = Vec::new();
    for nal in nal_units(&file) {
        if let Some(picture) = decoder.decode(nal).unwrap() {
            let stride = picture.strides().0;
            numbers.push(crate::source::synthetic::counter::read(
                picture.y(),
                stride,
                640,
            ));
        }
    }
    for picture in decoder.flush_remaining().unwrap() {
        let stride = picture.strides().0;
        numbers.push(crate::source::synthetic::counter::read(
            picture.y(),
            stride,
            640,
        ));
    }
    let expected: Vec<_> = (1..=60).map(Some).collect();
    assert_eq!(numbers, expected);
}

#[test]
fn an_unknown_source_or_codec_is_named_in_the_error() {
    let mut wrong = args("unknown-source");
    wrong.source = "webcam".to_owned();
    assert!(run(&wrong).unwrap_err().to_string().contains("webcam"));
    let _ = std::fs::remove_file(&wrong.out);
    let mut wrong = args("unknown-codec");
    wrong.codec = "vp9".to_owned();
    assert!(run(&wrong).unwrap_err().to_string().contains("vp9"));
    assert!(!wrong.out.exists(), "refused before anything is written");
}

#[test]
fn every_access_unit_crosses_the_loopback_unchanged_also_with_losses() {
    for drop in [0, 7] {
        let mut args = args(&format!("loopback-{drop}"));
        args.loopback = true;
        args.drop = drop;
        args.bitrate = 20_000;
        let figures = run(&args).unwrap();
        std::fs::remove_file(&args.out).unwrap();
        let (compared, repaired) = figures.loopback.unwrap();
        assert_eq!(compared, 60);
        assert_eq!(repaired > 0, drop > 0, "{figures}");
    }
}

#[test]
fn a_loss_beyond_repair_fails_the_run() {
    let mut args = args("loopback-lost");
    args.loopback = true;
    args.drop = 1;
    let error = format!("{:#}", run(&args).unwrap_err());
    let _ = std::fs::remove_file(&args.out);
    assert!(error.contains("never arrived"), "{error}");
}
