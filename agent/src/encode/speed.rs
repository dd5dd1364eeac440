//! How fast the software encoders are on this machine: each is measured once, and the figure kept for as long as the
//! program, the processor and the library stay the same.
//!
//! The agent has it done some time after its start, in a process of its own with the lowest priority, while nothing is
//! streamed; registration never waits for it.

use super::{Choice, EncodeError, EncoderSettings, Kind, Offer, Tag};
use crate::source::{self, Importable, Outputs, Picture, SourceRequest};
use nix::{
    sys::time::TimeValLike,
    time::{ClockId, clock_gettime},
};
use punktfunk_dbus::encoder_speeds::{Measured, Speeds};
use std::{
    process::Stdio,
    sync::OnceLock,
    time::{Duration, Instant},
};

/// What is encoded: the mode that counts, at the rate that clients ask for it.
const MODE: (u32, u32, u32, u32) = (1920, 1080, 60, 20_000);
/// A measurement ends after so many pictures or so much time.
const PICTURES: usize = 60;
const LONGEST: Duration = Duration::from_secs(2);
/// Pictures that do not count: the key frame, and what follows it while the rate settles.
const UNCOUNTED: usize = 5;
/// How long after the start the agent measures; short lives of agents never do.
const AFTER_START: Duration = Duration::from_secs(15);
/// How long to wait while something is streamed.
const WHILE_BUSY: Duration = Duration::from_secs(60);
/// All encoders together; what is slower is given up.
const PATIENCE: Duration = Duration::from_secs(30);

/// The machine and the program, without figures.
fn here() -> &'static Speeds {
    static HERE: OnceLock<Speeds> = OnceLock::new();
    HERE.get_or_init(|| Speeds {
        program: env!("CARGO_PKG_VERSION").to_owned(),
        processor: processor(&std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default()),
        cores: std::thread::available_parallelism().map_or(1, Into::into),
        ..Speeds::default()
    })
}

/// The first name of a processor in `/proc/cpuinfo`: x86's, or the lines that tell ARM's apart.
fn processor(cpuinfo: &str) -> String {
    let value = |name: &str| {
        cpuinfo.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            (key.trim() == name).then(|| value.trim().to_owned())
        })
    };
    value("model name").unwrap_or_else(|| {
        let parts = ["CPU implementer", "CPU part", "CPU variant"].map(value);
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    })
}

/// What was measured on this machine with this program.
fn kept() -> Speeds {
    let found = Speeds::path().and_then(|path| Speeds::load(&path));
    let same = |kept: &Speeds| {
        let here = here();
        (&kept.program, &kept.processor, kept.cores) == (&here.program, &here.processor, here.cores)
    };
    found.filter(same).unwrap_or_else(|| here().clone())
}

/// The figure of an encoder, where it was measured with the library that there is.
pub fn of(kind: Kind) -> Option<Measured> {
    let library = kind.library()?;
    let mut kept = kept();
    (kept.encoders.remove(kind.name())).filter(|measured| measured.library == library)
}

/// Software encoders of this machine without a figure.
fn unmeasured() -> Vec<Kind> {
    let unknown = |kind: &Kind| kind.library().is_some() && of(*kind).is_none();
    Kind::ALL.into_iter().filter(unknown).collect()
}

/// Measure what has no figure yet, and keep it. Takes seconds.
///
/// # Errors
/// A cache that cannot be written; text for a person.
pub fn measure_missing() -> Result<(), String> {
    for kind in unmeasured() {
        match measure(kind) {
            Ok(measured) => {
                tracing::info!(encoder = kind.name(), "measured: {}", measured.text());
                let path = Speeds::path()
                    .ok_or("there is no place to keep it: neither $XDG_CACHE_HOME nor $HOME")?;
                // read again each time: another agent may have written meanwhile
                let mut speeds = kept();
                speeds.encoders.insert(kind.name().to_owned(), measured);
                (speeds.store(&path))
                    .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
            }
            Err(error) => tracing::warn!(encoder = kind.name(), "cannot be measured: {error}"),
        }
    }
    Ok(())
}

/// Encode a busy desktop for a while.
fn measure(kind: Kind) -> Result<Measured, EncodeError> {
    let (width, height, fps, bitrate_kbps) = MODE;
    let settings = EncoderSettings {
        width,
        height,
        fps,
        bitrate_kbps,
        ..EncoderSettings::default()
    };
    let broken = |why: String| EncodeError::Backend {
        encoder: kind.name(),
        what: "be measured",
        why,
    };
    let codec = kind
        .software_codec()
        .ok_or_else(|| broken("it is no software".to_owned()))?;
    let mut encoder = kind.open(codec, &settings)?;
    let request = SourceRequest {
        width,
        height,
        fps,
        cursor: false,
        importable: Importable::NOTHING,
        inside: Default::default(),
        outputs: Outputs::Extend,
        monitor: Default::default(),
        hdr: false,
    };
    let mut source =
        source::open("synthetic", &request).map_err(|error| broken(error.to_string()))?;
    let mut painter = (source.painter()).ok_or_else(|| broken("nothing is painted".to_owned()))?;
    let mut picture = Picture::default();
    let mut took = Vec::with_capacity(PICTURES);
    let (begun, begun_cpu) = (Instant::now(), cpu_ns(ClockId::CLOCK_PROCESS_CPUTIME_ID));
    for number in 0..PICTURES {
        let pts_ns = number as u64 * 1_000_000_000 / u64::from(fps);
        painter.paint(&mut picture, pts_ns);
        let tag = Tag {
            pts_ns,
            capture_ns: pts_ns,
            ..Tag::default()
        };
        let stopwatch = Stopwatch::start(kind.one_thread());
        encoder.submit(&picture, tag)?;
        while encoder.poll()?.is_some() {}
        took.push(stopwatch.ns());
        if begun.elapsed() > LONGEST {
            break;
        }
    }
    let used = cpu_ns(ClockId::CLOCK_PROCESS_CPUTIME_ID).saturating_sub(begun_cpu);
    if !kind.one_thread() && !undisturbed(used, begun.elapsed()) {
        return Err(broken("others keep the processor busy".to_owned()));
    }
    Ok(Measured {
        library: kind.library().unwrap_or_default(),
        pixels_per_second: pixels_per_second(took, width, height),
    })
}

/// Three pictures of four take no longer than this says.
fn pixels_per_second(mut took_ns: Vec<u64>, width: u32, height: u32) -> u64 {
    took_ns.drain(..UNCOUNTED.min(took_ns.len().saturating_sub(1)));
    took_ns.sort_unstable();
    let three_of_four = (took_ns.len() * 3).div_ceil(4).saturating_sub(1);
    let usual = took_ns.get(three_of_four).copied().unwrap_or(0);
    let pixels = u64::from(width) * u64::from(height);
    pixels.saturating_mul(1_000_000_000) / usual.max(1)
}

/// Whether one processor's time at least was had: else wall time says more of others than of the encoder.
fn undisturbed(used_ns: u64, wall: Duration) -> bool {
    u128::from(used_ns) * 5 >= wall.as_nanos() * 4
}

/// The processor's time of this thread, which others on the machine do not lengthen; wall time where several threads work.
enum Stopwatch {
    Thread(u64),
    Wall(Instant),
}

impl Stopwatch {
    fn start(one_thread: bool) -> Self {
        match one_thread {
            true => Self::Thread(cpu_ns(ClockId::CLOCK_THREAD_CPUTIME_ID)),
            false => Self::Wall(Instant::now()),
        }
    }

    fn ns(&self) -> u64 {
        match self {
            Self::Thread(since) => cpu_ns(ClockId::CLOCK_THREAD_CPUTIME_ID).saturating_sub(*since),
            Self::Wall(since) => u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX),
        }
    }
}

/// Every Linux has these clocks.
fn cpu_ns(clock: ClockId) -> u64 {
    let ns = clock_gettime(clock).map_or(0, |time| time.num_nanoseconds());
    u64::try_from(ns).unwrap_or(0)
}

/// Let everything else go first.
pub fn step_back() {
    // SAFETY: takes and returns numbers alone; it can only make this process less important.
    #[expect(unsafe_code, reason = "nix has no function for it")]
    unsafe {
        nix::libc::setpriority(nix::libc::PRIO_PROCESS, 0, 19);
    }
}

/// Have what is unknown measured, once nothing is streamed (`busy`). True: `choice` offers something else now.
pub async fn in_background(choice: Choice, busy: impl Fn() -> bool) -> bool {
    tokio::time::sleep(AFTER_START).await;
    while busy() {
        tokio::time::sleep(WHILE_BUSY).await;
    }
    if unmeasured().is_empty() {
        return false;
    }
    let before = offered(choice).await;
    let Ok(program) = std::env::current_exe() else {
        return false;
    };
    let child = tokio::process::Command::new(program)
        .args(["encoders", "--measure", "--quiet"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .status();
    match tokio::time::timeout(PATIENCE, child).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::warn!("the encoders cannot be measured: {error}"),
        Err(_) => {
            tracing::warn!("measuring the encoders took too long; the next start tries again")
        }
    }
    offered(choice).await != before
}

async fn offered(choice: Choice) -> Offer {
    let looked = tokio::task::spawn_blocking(move || Offer::of(&choice.look()));
    looked.await.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_picture_counts_and_the_first_ones_do_not() {
        let slow_start = [vec![90; 5], vec![10; 6], vec![20; 2]].concat();
        assert_eq!(pixels_per_second(slow_start, 1, 1), 100_000_000);
        assert_eq!(pixels_per_second(vec![10], 2, 1), 200_000_000);
        assert_eq!(pixels_per_second(vec![], 1, 1), 1_000_000_000);
    }

    #[test]
    fn a_busy_machine_is_noticed() {
        let wall = Duration::from_nanos(100);
        assert!(undisturbed(80, wall) && undisturbed(160, wall));
        assert!(!undisturbed(79, wall) && !undisturbed(0, wall));
    }

    #[test]
    fn processors_are_told_apart() {
        let x86 = "processor\t: 0\nmodel name\t: Fast 9000\nmodel name\t: other\n";
        assert_eq!(processor(x86), "Fast 9000");
        let arm =
            "processor\t: 0\nCPU implementer\t: 0x41\nCPU variant\t: 0x3\nCPU part\t: 0xd0c\n";
        assert_eq!(processor(arm), "0x41 0xd0c 0x3");
    }

    #[test]
    fn the_built_in_encoder_can_be_measured() {
        let measured = measure(Kind::OpenH264).unwrap();
        assert!(measured.pixels_per_second > 0 && !measured.library.is_empty());
    }
}
