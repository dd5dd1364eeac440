//! The program itself, with whatever driver there is.

use crate::driver::{Knob, said};
use nvenc_double::rig::{Libraries, Rig};
use std::process::Command;

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
    assert!(!rig.faults().contains("destroyed"), "{}", rig.faults());
    (output.status.success(), said(&output))
}

#[test]
fn one_program_starts_with_whatever_driver_there_is_and_says_what_is_missing() {
    let none: &[Knob] = &[];
    let cases: &[(Libraries, &[Knob], &[&str])] = &[
        (
            Libraries::None,
            none,
            &["there is no NVIDIA driver", "libcuda.so.1", "install one"],
        ),
        (
            Libraries::CudaAlone,
            none,
            &["CUDA 12.2", "libnvidia-encode.so.1", "libnvidia-encode1"],
        ),
        (
            Libraries::Both,
            &[("NVENC_DOUBLE_API", "11.0")],
            &["speaks NVENC 11.0", "12.1 is needed", "530.41.03"],
        ),
        (
            Libraries::Both,
            &[("NVENC_DOUBLE_MISSING", "nvEncInvalidateRefFrames")],
            &["lacks nvEncInvalidateRefFrames", "install"],
        ),
        (
            Libraries::Both,
            &[("CUDA_DOUBLE_CARDS", "0")],
            &["finds no card", "nvidia-smi"],
        ),
        (
            Libraries::Both,
            &[
                ("NVENC_DOUBLE_NO_ENCODER", "1"),
                ("CUDA_DOUBLE_NAME", "NVIDIA H200"),
            ],
            &["NVIDIA H200 has no video encoder"],
        ),
    ];
    let out = std::env::temp_dir().join(format!("punktfunk-one-binary-{}", std::process::id()));
    let spike = [
        "spike",
        "--width",
        "640",
        "--height",
        "368",
        "--seconds",
        "1",
        "--out",
    ];
    for (libraries, knobs, parts) in cases {
        let (fine, text) = agent(*libraries, knobs, &["encoders"]);
        assert!(fine && text.contains("openh264: h264"), "{text}");
        let out = out.to_str().unwrap();
        let named = [&spike[..], &[out, "--encoder", "nvenc"]].concat();
        let (refused, spike_text) = agent(*libraries, knobs, &named);
        assert!(!refused);
        for part in *parts {
            assert!(text.contains(part), "{part} is not in: {text}");
            assert!(spike_text.contains(part), "{part} is not in: {spike_text}");
        }
        let (fine, text) = agent(*libraries, knobs, &[&spike[..], &[out]].concat());
        assert!(fine && text.contains("encoded=60"), "{text}");
    }
    let _ = std::fs::remove_file(out);
    let (fine, text) = agent(Libraries::Both, none, &["encoders"]);
    let wanted = "nvenc: h264 + reference invalidation";
    assert!(fine && text.contains(wanted), "{text}");
}

#[test]
fn the_spike_writes_streams_that_foreign_decoders_play() {
    let (sdr, hdr) = ("yuv420p,bt709,bt709", "yuv420p10le,bt2020nc,smpte2084");
    for (codec, format, deep, colours) in [
        ("h264", "h264", &[][..], sdr),
        ("h265", "hevc", &[], sdr),
        ("av1", "obu", &[], sdr),
        ("h265", "hevc", &["--hdr"], hdr),
        ("av1", "obu", &["--hdr"], hdr),
    ] {
        let rig = Rig::new(Libraries::Both);
        let out = rig.books().join(format!("spike.{codec}"));
        let output = Command::new(AGENT)
            .args([
                "spike",
                "--encoder",
                "nvenc",
                "--codec",
                codec,
                "--loopback",
            ])
            .args([
                "--width",
                "640",
                "--height",
                "384",
                "--seconds",
                "1",
                "--out",
            ])
            .arg(&out)
            .args(deep)
            .envs(rig.environment())
            .output()
            .unwrap();
        assert!(output.status.success(), "{codec}: {}", said(&output));
        assert_eq!(rig.faults(), "");
        let probe = Command::new("ffprobe")
            .args([
                "-v",
                "error",
                "-f",
                format,
                "-count_frames",
                "-select_streams",
                "v",
            ])
            .args([
                "-show_entries",
                "stream=width,height,pix_fmt,color_space,color_transfer,nb_read_frames",
                "-of",
                "csv=p=0",
            ])
            .arg(&out)
            .output()
            .expect("ffprobe, of Debian's ffmpeg");
        let expected = format!("640,384,{colours},60");
        assert_eq!(said(&probe).trim(), expected, "{codec}");
    }
}

#[test]
fn what_keeps_the_card_from_importing_is_said_and_the_stream_runs_through_memory() {
    let without = |extension| ("EGL_DOUBLE_WITHOUT", extension);
    let modifiers = "EGL_EXT_image_dma_buf_import_modifiers";
    for (knob, part) in [
        (without(modifiers), modifiers),
        (
            without("EGL_KHR_surfaceless_context"),
            "EGL_KHR_surfaceless_context",
        ),
        (
            without("EGL_EXT_platform_device"),
            "EGL tells of no devices",
        ),
        (without("EGL_NV_device_cuda"), "libegl-nvidia0"),
        (without("GL_OES_EGL_image"), "GL_OES_EGL_image"),
        (
            ("EGL_DOUBLE_MISSING", "eglCreateImageKHR"),
            "eglCreateImageKHR",
        ),
        (("EGL_DOUBLE_MISSING", "glDrawArrays"), "glDrawArrays"),
        (("EGL_DOUBLE_CUDA_DEVICE", "1"), "does not know the card"),
        (
            ("CUDA_DOUBLE_NO_INTEROP", "1"),
            "sharing a plane with OpenGL",
        ),
        (("PUNKTFUNK_NVENC_IMPORT", "0"), "PUNKTFUNK_NVENC_IMPORT=0"),
    ] {
        let rig = Rig::new(Libraries::WithEgl);
        let output = Command::new(AGENT)
            .args([
                "spike",
                "--encoder",
                "nvenc",
                "--width",
                "128",
                "--height",
                "128",
            ])
            .args(["--seconds", "1", "--out"])
            .arg(rig.books().join("spike"))
            .envs(rig.environment())
            .envs([knob])
            .output()
            .unwrap();
        let text = said(&output);
        assert!(output.status.success(), "{knob:?}: {text}");
        assert_eq!(rig.faults(), "", "{knob:?}");
        let line = text
            .lines()
            .find(|line| line.contains("to the card through memory"));
        assert!(
            line.is_some_and(|line| line.contains(part)),
            "{part}: {text}"
        );
        assert_eq!((rig.count("gl_contexts"), rig.count("contexts")), (0, 0));
    }
}
