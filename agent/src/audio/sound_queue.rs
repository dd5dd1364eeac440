//! Samples between the PipeWire thread and the one that encodes: bounded, and silence where nothing is heard.
//!
//! The drop rule: a reader that falls behind loses the oldest samples, because late sound is worse than a gap.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Samples a second and channel.
pub const RATE: u32 = 48_000;

/// More than this waiting is cut ...
const MOST: Duration = Duration::from_millis(80);
/// ... to this.
const KEEP: Duration = Duration::from_millis(40);

/// How long after its time a packet may still be waited for while sound is playing: graphs hand it over in periods of
/// up to 43 ms (2048 samples), and silence put between them would be heard.
const PATIENCE: Duration = Duration::from_millis(45);
/// Sound counts as playing this long after the last samples.
const PLAYING: Duration = Duration::from_millis(100);

/// Interleaved samples, newest last.
#[derive(Default)]
pub struct SoundQueue {
    inner: Mutex<Waiting>,
    heard: Condvar,
}

#[derive(Default)]
struct Waiting {
    samples: VecDeque<f32>,
    last: Option<Instant>,
    ended: Option<String>,
}

impl SoundQueue {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Add what was heard at `now`; `channels` tells how the samples interleave.
    pub fn push(&self, samples: impl Iterator<Item = f32>, channels: u32, now: Instant) {
        let mut waiting = self.waiting();
        waiting.samples.extend(samples);
        if waiting.samples.len() > length(MOST, channels) {
            let surplus = waiting.samples.len() - length(KEEP, channels);
            waiting.samples.drain(..surplus);
        }
        waiting.last = Some(now);
        drop(waiting);
        self.heard.notify_all();
    }

    /// Nothing more will come; text for a person.
    pub fn end(&self, reason: &str) {
        self.waiting().ended.get_or_insert(reason.to_owned());
        self.heard.notify_all();
    }
}

fn length(time: Duration, channels: u32) -> usize {
    (u64::from(RATE) * u64::from(channels) * time.as_millis() as u64 / 1000) as usize
}

/// The reading side of one stream, which keeps the time of its packets.
pub struct Packets {
    channels: u32,
    /// When the packet before was complete.
    due: Option<Instant>,
}

impl Packets {
    pub fn new(channels: u32) -> Self {
        Self {
            channels,
            due: None,
        }
    }

    /// Fill `packet`: with sound as soon as there is enough, with silence when its time has passed without.
    ///
    /// # Errors
    /// Why the sound ended.
    pub fn read(&mut self, queue: &SoundQueue, packet: &mut [f32]) -> Result<(), String> {
        let began = Instant::now();
        let frames = packet.len() as u32 / self.channels.max(1);
        let period = Duration::from_secs(1) * frames / RATE;
        let due = self.due.unwrap_or(began) + period;

        let mut waiting = queue.waiting();
        loop {
            if let Some(reason) = &waiting.ended {
                return Err(reason.clone());
            }
            let now = Instant::now();
            let playing = waiting.last.is_some_and(|last| now < last + PLAYING);
            let limit = if playing { due + PATIENCE } else { due };
            if waiting.samples.len() >= packet.len() || now >= limit {
                break;
            }
            waiting = queue
                .heard
                .wait_timeout(waiting, limit - now)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        let heard = waiting.samples.len().min(packet.len());
        for (place, sample) in packet.iter_mut().zip(waiting.samples.drain(..heard)) {
            *place = sample;
        }
        packet[heard..].fill(0.0);
        // A late packet moves the clock: time that has passed is not made up for with silence.
        self.due = Some(due.max(Instant::now().checked_sub(PATIENCE).unwrap_or(due)));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKET: usize = 480; // 5 ms of stereo

    #[test]
    fn silence_comes_at_the_pace_of_the_clock() {
        let queue = SoundQueue::default();
        let mut packets = Packets::new(2);
        let mut packet = [1.0; PACKET];
        let began = Instant::now();
        for _ in 0..8 {
            packets.read(&queue, &mut packet).unwrap();
            assert!(packet.iter().all(|sample| *sample == 0.0));
        }
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(39), "{took:?}");
    }

    #[test]
    fn sound_that_is_there_is_read_at_once_and_in_order() {
        let queue = SoundQueue::default();
        queue.push((0..2 * PACKET).map(|n| n as f32), 2, Instant::now());
        let mut packets = Packets::new(2);
        let mut packet = [0.0; PACKET];
        let began = Instant::now();
        packets.read(&queue, &mut packet).unwrap();
        assert_eq!((packet[0], packet[PACKET - 1]), (0.0, 479.0));
        packets.read(&queue, &mut packet).unwrap();
        assert_eq!(packet[0], 480.0);
        assert!(began.elapsed() < PATIENCE);
    }

    #[test]
    fn a_period_that_is_longer_than_a_packet_leaves_no_hole_in_the_sound() {
        let queue = SoundQueue::default();
        queue.push((0..PACKET).map(|_| 1.0), 2, Instant::now());
        let mut packets = Packets::new(2);
        let mut packet = [0.0; PACKET];
        packets.read(&queue, &mut packet).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(15));
                queue.push((0..PACKET).map(|_| 1.0), 2, Instant::now());
            });
            packets.read(&queue, &mut packet).unwrap();
        });
        assert!(packet.iter().all(|sample| *sample == 1.0));
    }

    #[test]
    fn a_reader_that_fell_behind_hears_the_newest() {
        let queue = SoundQueue::default();
        queue.push((0..48_000).map(|n| n as f32), 2, Instant::now());
        assert_eq!(queue.waiting().samples.len(), length(KEEP, 2));
        assert_eq!(queue.waiting().samples.back(), Some(&47_999.0));
    }

    #[test]
    fn the_end_of_the_sound_is_an_error_with_its_reason() {
        let queue = SoundQueue::default();
        queue.end("PipeWire went away");
        let error = Packets::new(2).read(&queue, &mut [0.0; PACKET]);
        assert_eq!(error.unwrap_err(), "PipeWire went away");
    }
}
