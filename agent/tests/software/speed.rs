//! What the program says of its software encoder, measured and kept.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

struct Cache(PathBuf);

impl Cache {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("pf-speed-{name}-{}", std::process::id())))
    }

    fn file(&self) -> PathBuf {
        self.0.join("punktfunk/encoders.json")
    }

    /// The line about the built-in encoder.
    fn said(&self, arguments: &[&str]) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_punktfunk-agent"))
            .arg("encoders")
            .args(arguments)
            .env("XDG_CACHE_HOME", &self.0)
            .output()
            .unwrap();
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        let line = text.lines().find(|line| line.starts_with("openh264: h264"));
        line.unwrap_or_default().to_owned()
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn replaced(file: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "{from} is not in {text}");
    fs::write(file, text.replace(from, to)).unwrap();
}

#[test]
fn a_speed_is_measured_once_and_counts_for_this_machine_and_program_alone() {
    let cache = Cache::new("once");
    assert!(cache.said(&[]).contains("not measured yet"));
    assert!(!cache.file().exists(), "nothing is measured unasked");
    assert_eq!(cache.said(&["--measure", "--quiet"]), "");
    let measured = cache.said(&[]);
    assert!(measured.contains("pictures a second"), "{measured}");
    let kept = fs::read_to_string(cache.file()).unwrap();
    // what is known is not measured again
    assert_eq!(cache.said(&["--measure"]), measured);
    assert_eq!(fs::read_to_string(cache.file()).unwrap(), kept);
    for (from, to) in [
        ("\"processor\": \"", "\"processor\": \"another "),
        ("\"program\": \"", "\"program\": \"not "),
        ("\"cores\": ", "\"cores\": 9"),
        ("\"library\": \"", "\"library\": \"not "),
        ("{", ""),
    ] {
        fs::write(cache.file(), &kept).unwrap();
        replaced(&cache.file(), from, to);
        let said = cache.said(&[]);
        assert!(said.contains("not measured yet"), "{from}: {said}");
    }
}

#[test]
fn the_figure_that_stands_there_is_the_one_that_is_said() {
    let cache = Cache::new("figure");
    cache.said(&["--measure", "--quiet"]);
    let kept = fs::read_to_string(cache.file()).unwrap();
    let (head, tail) = kept.split_once("\"pixels_per_second\": ").unwrap();
    let rest = tail.trim_start_matches(|digit: char| digit.is_ascii_digit());
    for (fps, words) in [(87, ")"), (12, ": too slow for more)")] {
        let pixels = 1920 * 1080 * fps;
        let text = format!("{head}\"pixels_per_second\": {pixels}{rest}");
        fs::write(cache.file(), text).unwrap();
        let expected = format!("1080p at {fps} pictures a second{words}");
        let said = cache.said(&[]);
        assert!(said.ends_with(&expected), "{said}");
    }
}
