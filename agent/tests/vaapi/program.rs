//! The program itself, with whatever driver there is.

use crate::driver::{Knob, said};
use std::process::Command;
use vaapi_double::rig::{Libraries, Rig};

const AGENT: &str = env!("CARGO_BIN_EXE_punktfunk-agent");

/// The agent with these libraries and knobs.
fn agent(libraries: Libraries, knobs: &[Knob], arguments: &[&str]) -> (bool, String) {
    let rig = Rig::new(libraries);
    let output = Command::new(AGENT)
        .args(arguments)
        .envs(rig.environment())
        .envs(knobs.iter().copied())
        .output()
        .unwrap();
    assert_eq!(rig.faults(), "");
    assert!(rig.left_over().is_empty(), "{:?}", rig.left_over());
    (output.status.success(), said(&output))
}

#[test]
fn one_program_starts_with_whatever_driver_there_is_and_says_what_is_missing() {
    let none: &[Knob] = &[];
    let cases: &[(Libraries, &[Knob], &[&str])] = &[
        (
            Libraries::Broken,
            none,
            &["libva is not there", "libva.so.2", "libva-drm2"],
        ),
        (
            Libraries::Both,
            &[("PUNKTFUNK_RENDER_NODE", "/dev/dri/renderD250")],
            &["no render node", "/dev/dri"],
        ),
        (
            Libraries::Both,
            &[("PUNKTFUNK_RENDER_NODE", "/proc/1/no-such-node")],
            &["/proc/1/no-such-node", "cannot be opened"],
        ),
        (
            Libraries::Both,
            &[("VAAPI_DOUBLE_NO_DRIVER", "1")],
            &["no VAAPI driver that works", "mesa-va-drivers"],
        ),
        (
            Libraries::Both,
            &[("VAAPI_DOUBLE_NO_ENCODER", "1")],
            &["Simulated VAAPI driver", "encodes nothing"],
        ),
        (
            Libraries::Both,
            &[("VAAPI_DOUBLE_NO_RATE", "1")],
            &["no rate control for h26", "i915.enable_guc=2"],
        ),
    ];
    let out = std::env::temp_dir().join(format!("punktfunk-vaapi-one-{}", std::process::id()));
    let spike = [
        "spike",
        "--width",
        "320",
        "--height",
        "192",
        "--seconds",
        "1",
        "--out",
    ];
    for (libraries, knobs, parts) in cases {
        let (fine, text) = agent(*libraries, knobs, &["encoders"]);
        assert!(fine && text.contains("openh264: h264"), "{text}");
        let out = out.to_str().unwrap();
        let named = [&spike[..], &[out, "--encoder", "vaapi"]].concat();
        let (refused, spike_text) = agent(*libraries, knobs, &named);
        assert!(!refused);
        for part in *parts {
            assert!(text.contains(part), "{part} is not in: {text}");
            assert!(spike_text.contains(part), "{part} is not in: {spike_text}");
        }
    }
    let _ = std::fs::remove_file(out);
    let (fine, text) = agent(Libraries::Both, none, &["encoders"]);
    let wanted = "vaapi: h264 + reference invalidation, h265 + reference invalidation, av1 + reference invalidation (Simulated VAAPI driver 1.0, ";
    assert!(fine && text.contains(wanted), "{text}");
}

#[test]
fn a_node_of_another_group_is_named_with_the_group_to_join() {
    use punktfunk_agent::encode::vaapi::VaapiError;
    let text = VaapiError::NoPermission {
        node: "/dev/dri/renderD128".to_owned(),
    }
    .to_string();
    for part in [
        "/dev/dri/renderD128 may not be opened",
        "usermod -aG render",
    ] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn the_spike_writes_streams_that_foreign_decoders_play() {
    for (codec, format) in [("h264", "h264"), ("h265", "hevc"), ("av1", "obu")] {
        let rig = Rig::new(Libraries::Both);
        let out = rig.books().join(format!("spike.{codec}"));
        let output = Command::new(AGENT)
            .args([
                "spike",
                "--encoder",
                "vaapi",
                "--codec",
                codec,
                "--loopback",
            ])
            .args([
                "--width",
                "320",
                "--height",
                "184",
                "--seconds",
                "1",
                "--out",
            ])
            .arg(&out)
            .envs(rig.environment())
            .output()
            .unwrap();
        assert!(output.status.success(), "{codec}: {}", said(&output));
        assert_eq!((rig.faults(), rig.left_over()), (String::new(), vec![]));
        let probe = Command::new("ffprobe")
            .args(["-v", "error", "-f", format, "-count_frames"])
            .args(["-select_streams", "v"])
            .args(["-show_entries", "stream=width,height,nb_read_frames"])
            .args(["-of", "csv=p=0"])
            .arg(&out)
            .output()
            .expect("ffprobe, of Debian's ffmpeg");
        assert_eq!(said(&probe).trim(), "320,184,60", "{codec}");
    }
}
