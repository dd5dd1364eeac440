//! Measuring a piece of work against a reference: turns, medians, one line each.
use std::time::Duration;

/// Turns of which the median is taken.
const TURNS: usize = 15;
/// Length of a turn; short work is repeated to fill it.
const TURN: Duration = Duration::from_micros(1500);

/// What a turn is measured by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// CPU time of this thread: for work that this thread does alone. Noise of other processes stays out.
    Cpu,
    /// Time on the wall: for work that waits for another thread or for the kernel.
    #[allow(dead_code, reason = "for hand-over between threads and for sending")]
    Wall,
}

impl Clock {
    fn now(self) -> Duration {
        let id = match self {
            Self::Cpu => nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID,
            Self::Wall => nix::time::ClockId::CLOCK_MONOTONIC,
        };
        id.now().expect("the kernel has this clock").into()
    }

    fn measure(self, work: &mut dyn FnMut(), times: u32) -> Duration {
        let start = self.now();
        for _ in 0..times {
            work();
        }
        (self.now() - start) / times
    }
}

/// The printed table. Rows appear as they are measured.
pub struct Table {
    filters: Vec<String>,
    group: String,
    aims: Vec<(String, f64, f64)>,
}

impl Table {
    /// Rows whose name contains one of the arguments, or all without arguments. Options of the test runner are ignored.
    pub fn from_args() -> Self {
        let filters = std::env::args()
            .skip(1)
            .filter(|a| !a.starts_with('-'))
            .collect();
        println!(
            "{:<46} {:>11}   {:<34} {:>11} {:>8}",
            "what", "median", "reference", "median", "ratio"
        );
        Self {
            filters,
            group: String::new(),
            aims: Vec::new(),
        }
    }

    /// Whether a row of this name is wanted; lets a module skip costly preparations.
    pub fn wants(&self, what: &str) -> bool {
        self.filters.is_empty() || self.filters.iter().any(|f| what.contains(f.as_str()))
    }

    /// Measures `work` and `reference` in turns and prints their medians per call, and how many times as long the work
    /// takes as the reference. Gives that ratio and the work's median, if the row is wanted.
    pub fn row(
        &mut self,
        clock: Clock,
        what: &str,
        mut work: impl FnMut(),
        reference_name: &str,
        mut reference: impl FnMut(),
    ) -> Option<(f64, Duration)> {
        if !self.wants(what) {
            return None;
        }
        let times = |work: &mut dyn FnMut()| {
            let once = clock.measure(work, 1).max(Duration::from_nanos(20));
            let again = clock.measure(work, 1).clamp(Duration::from_nanos(20), once);
            u32::try_from((TURN.as_nanos() / again.as_nanos()).clamp(1, 100_000)).unwrap_or(1)
        };
        let (work_times, reference_times) = (times(&mut work), times(&mut reference));
        let mut turns: Vec<(Duration, Duration)> = (0..TURNS)
            .map(|_| {
                (
                    clock.measure(&mut work, work_times),
                    clock.measure(&mut reference, reference_times),
                )
            })
            .collect();
        turns.sort_by_key(|turn| turn.0);
        let a = turns[TURNS / 2].0;
        turns.sort_by_key(|turn| turn.1);
        let b = turns[TURNS / 2].1;
        Some((self.line(what, a, reference_name, b), a))
    }

    /// An aim for something that was measured.
    pub fn aim(&mut self, what: &str, at_most: f64, got: Option<f64>) {
        self.aims
            .extend(got.map(|got| (what.to_owned(), at_most, got)));
    }

    /// Prints a row that was measured elsewhere, and gives its ratio.
    pub fn line(&mut self, what: &str, a: Duration, reference_name: &str, b: Duration) -> f64 {
        let group = what.split(' ').next().unwrap_or(what);
        if group != self.group {
            self.group = group.to_owned();
            println!();
        }
        let ratio = a.as_secs_f64() / b.as_secs_f64().max(1e-12);
        println!(
            "{what:<46} {:>11}   {reference_name:<34} {:>11} {ratio:>8.2}",
            show(a),
            show(b)
        );
        ratio
    }

    /// Ends the table.
    pub fn finish(self) {
        println!(
            "\nratio = median / median of the reference; below 1 is faster. CPU time unless the row says wall."
        );
        if !self.aims.is_empty() {
            println!("\n{:<76} {:>9} {:>9}", "aim", "at most", "measured");
        }
        for (what, at_most, got) in &self.aims {
            let met = if got <= at_most { "met" } else { "short of it" };
            println!("{what:<76} {at_most:>9.2} {got:>9.2}   {met}");
        }
    }
}

fn show(time: Duration) -> String {
    let ns = time.as_secs_f64() * 1e9;
    match ns {
        ..1e4 => format!("{ns:.0} ns"),
        ..1e7 => format!("{:.1} µs", ns / 1e3),
        _ => format!("{:.2} ms", ns / 1e6),
    }
}
