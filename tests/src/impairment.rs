//! Loss, reordering and jitter on the receiving side, the same for the same seed.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// How bad the network should be. Percentages are of datagrams.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Impairment {
    pub loss_percent: f64,
    /// So many datagrams in a row are lost...
    pub burst_packets: u64,
    /// ...once in about so many.
    pub burst_every: u64,
    pub reorder_percent: f64,
    /// Each datagram waits up to so long; order is kept.
    pub jitter: Duration,
    pub seed: u64,
}

/// SplitMix64: small, seeded, good enough to pick victims.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// True in `percent` of the calls.
    pub fn chance(&mut self, percent: f64) -> bool {
        percent > 0.0 && (self.draw() >> 11) as f64 / (1u64 << 53) as f64 * 100.0 < percent
    }

    /// 0..bound.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.draw() % bound }
    }
}

/// Times in which nothing comes or goes. Cheap to clone: all sockets of a client share one.
#[derive(Debug, Clone, Default)]
pub struct Darkness(Arc<Mutex<Option<Instant>>>);

impl Darkness {
    /// From now on and for so long.
    pub fn fall(&self, time: Duration) {
        *self.until() = Some(Instant::now() + time);
    }

    pub fn is_now(&self) -> bool {
        self.until().is_some_and(|until| Instant::now() < until)
    }

    fn until(&self) -> MutexGuard<'_, Option<Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What happened to one arriving datagram.
#[derive(Debug, PartialEq, Eq)]
pub enum Fate<T> {
    /// On its way (perhaps delayed); take what is due with [`Queue::due`].
    Queued,
    Lost(T),
}

/// The bad network between the socket and the receiver.
pub struct Queue<T> {
    impairment: Impairment,
    random: Random,
    waiting: VecDeque<(Instant, T)>,
    /// Overtaken by so many more datagrams before they go on.
    held: Vec<(u64, T)>,
    last_due: Option<Instant>,
    /// Still to be lost of a burst.
    burst_left: u64,
    pub lost: u64,
    pub reordered: u64,
}

impl<T> Queue<T> {
    pub fn new(impairment: Impairment) -> Self {
        Self {
            impairment,
            random: Random::new(impairment.seed),
            waiting: VecDeque::new(),
            held: Vec::new(),
            last_due: None,
            burst_left: 0,
            lost: 0,
            reordered: 0,
        }
    }

    pub fn arrive(&mut self, now: Instant, datagram: T) -> Fate<T> {
        let bursts = self.impairment.burst_packets > 0;
        if bursts && self.burst_left == 0 && self.random.below(self.impairment.burst_every) == 0 {
            self.burst_left = self.impairment.burst_packets;
        }
        let in_burst = self.burst_left > 0;
        self.burst_left -= u64::from(in_burst);
        if in_burst || self.random.chance(self.impairment.loss_percent) {
            self.lost += 1;
            return Fate::Lost(datagram);
        }
        let delay =
            Duration::from_nanos(self.random.below(self.impairment.jitter.as_nanos() as u64));
        let due = self
            .last_due
            .map_or(now + delay, |last| last.max(now + delay));
        self.last_due = Some(due);
        let mut held = std::mem::take(&mut self.held);
        if self.random.chance(self.impairment.reorder_percent) {
            self.reordered += 1;
            held.push((1 + self.random.below(4), datagram));
            self.held = held;
            return Fate::Queued;
        }
        self.waiting.push_back((due, datagram));
        for (mut behind, datagram) in held {
            behind -= 1;
            if behind == 0 {
                self.waiting.push_back((due, datagram));
            } else {
                self.held.push((behind, datagram));
            }
        }
        Fate::Queued
    }

    /// The next datagram whose time has come.
    pub fn due(&mut self, now: Instant) -> Option<T> {
        self.waiting
            .front()
            .is_some_and(|(due, _)| *due <= now)
            .then(|| self.waiting.pop_front().map(|(_, datagram)| datagram))
            .flatten()
    }

    /// When the next one is due.
    pub fn next_due(&self) -> Option<Instant> {
        self.waiting.front().map(|(due, _)| *due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(impairment: Impairment) -> (Vec<u32>, u64) {
        let mut queue = Queue::new(impairment);
        let now = Instant::now();
        let mut out = Vec::new();
        for n in 0..10_000 {
            let _ = queue.arrive(now, n);
            while let Some(n) = queue.due(now + impairment.jitter) {
                out.push(n);
            }
        }
        (out, queue.lost)
    }

    #[test]
    fn the_same_seed_loses_the_same_datagrams_and_about_as_many_as_asked() {
        let bad = Impairment {
            loss_percent: 5.0,
            seed: 3,
            ..Impairment::default()
        };
        let (first, lost) = run(bad);
        assert_eq!((first.clone(), lost), run(bad));
        assert!((400..600).contains(&lost), "{lost}");
        assert_eq!(first.len() as u64 + lost, 10_000);
        assert_ne!(first, run(Impairment { seed: 4, ..bad }).0);
        assert_eq!(run(Impairment::default()), ((0..10_000).collect(), 0));
    }

    #[test]
    fn bursts_come_as_long_and_about_as_often_as_asked() {
        let (out, lost) = run(Impairment {
            burst_packets: 20,
            burst_every: 400,
            seed: 9,
            ..Impairment::default()
        });
        assert!((300..800).contains(&lost), "{lost}");
        let gaps = out.windows(2).map(|pair| pair[1] - pair[0] - 1);
        assert!(gaps.filter(|gap| *gap > 0).all(|gap| gap >= 20));
    }

    #[test]
    fn darkness_ends() {
        let darkness = Darkness::default();
        assert!(!darkness.is_now());
        darkness.clone().fall(Duration::from_secs(3600));
        assert!(darkness.is_now());
        darkness.fall(Duration::ZERO);
        assert!(!darkness.is_now());
    }

    #[test]
    fn reordering_moves_datagrams_by_a_few_places_and_loses_none_but_the_held_tail() {
        let (out, _) = run(Impairment {
            reorder_percent: 10.0,
            ..Impairment::default()
        });
        assert!(out.len() >= 9_990);
        assert!(out.windows(2).any(|pair| pair[0] > pair[1]));
        assert!(
            out.iter()
                .enumerate()
                .all(|(at, n)| at.abs_diff(*n as usize) < 40)
        );
        let mut sorted = out.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), out.len());
    }

    #[test]
    fn jitter_keeps_the_order() {
        let (out, _) = run(Impairment {
            jitter: Duration::from_millis(5),
            ..Impairment::default()
        });
        assert_eq!(out, (0..10_000).collect::<Vec<u32>>());
    }
}
