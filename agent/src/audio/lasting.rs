//! Sound that outlives where it comes from: silence while there is nothing to hear, and the source again as soon as it
//! can be had. PipeWire restarts with every update of it; a stream should not stay mute after that.

use std::{
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use super::tone::Tone;
use crate::source::AudioSource;

/// How long after an end, or a failed attempt, the source is tried again; doubles up to the second.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(8));

type Opened = Result<Box<dyn AudioSource>, String>;

/// A source that is opened again and again.
pub struct Lasting {
    open: Arc<dyn Fn() -> Opened + Send + Sync>,
    silence: Tone,
    state: State,
    /// The next wait.
    wait: Duration,
    first_wait: Duration,
}

enum State {
    Heard(Box<dyn AudioSource>),
    /// On a thread of its own: it may take seconds.
    Opening(mpsc::Receiver<Opened>),
    Waiting {
        until: Instant,
    },
}

impl Lasting {
    /// Silence of `channels` in packets of `packet_ms`, until `open` gives a source.
    pub fn new(
        channels: u32,
        packet_ms: u32,
        open: impl Fn() -> Opened + Send + Sync + 'static,
    ) -> Self {
        Self::retrying(channels, packet_ms, RETRY.0, open)
    }

    fn retrying(
        channels: u32,
        packet_ms: u32,
        first_wait: Duration,
        open: impl Fn() -> Opened + Send + Sync + 'static,
    ) -> Self {
        Self {
            open: Arc::new(open),
            silence: Tone::silence(channels, packet_ms),
            state: State::Waiting {
                until: Instant::now(),
            },
            wait: first_wait,
            first_wait,
        }
    }

    /// Go on towards a source, without waiting.
    fn advance(&mut self) {
        match &self.state {
            State::Waiting { until } if Instant::now() >= *until => {
                let (answer, opened) = mpsc::channel();
                let open = Arc::clone(&self.open);
                let attempt = std::thread::Builder::new().name("pf-sound-open".into());
                match attempt.spawn(move || {
                    // A stream that ended meanwhile does not want it any more, and dropping it ends it.
                    let _ = answer.send(open());
                }) {
                    Ok(_) => self.state = State::Opening(opened),
                    Err(error) => self.again(&error.to_string()),
                }
            }
            State::Opening(opened) => match opened.try_recv() {
                Ok(Ok(source)) => {
                    tracing::info!("sound is heard");
                    self.state = State::Heard(source);
                    self.wait = self.first_wait;
                }
                Ok(Err(why)) => self.again(&why),
                Err(mpsc::TryRecvError::Disconnected) => self.again("the attempt failed"),
                Err(mpsc::TryRecvError::Empty) => {}
            },
            State::Waiting { .. } | State::Heard(_) => {}
        }
    }

    fn again(&mut self, why: &str) {
        // The first refusal is news, the same ones after it are not.
        if self.wait == self.first_wait {
            tracing::warn!(why, "no sound: silence until it can be had");
        } else {
            tracing::debug!(why, "still no sound");
        }
        self.state = State::Waiting {
            until: Instant::now() + self.wait,
        };
        self.wait = (self.wait * 2).min(RETRY.1);
    }
}

impl AudioSource for Lasting {
    fn read(&mut self, samples: &mut [f32]) -> Result<(), String> {
        self.advance();
        if let State::Heard(source) = &mut self.state {
            match source.read(samples) {
                Ok(()) => return Ok(()),
                Err(why) => self.again(&why),
            }
        }
        self.silence.read(samples)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    const SOON: Duration = Duration::from_secs(20);

    /// Says its number a few times, then ends.
    struct Short {
        number: u32,
        left: u32,
    }

    impl AudioSource for Short {
        fn read(&mut self, samples: &mut [f32]) -> Result<(), String> {
            self.left = self.left.checked_sub(1).ok_or("PipeWire went away")?;
            samples.fill(self.number as f32);
            Ok(())
        }
    }

    /// Read until `value` is heard; answers how many other packets came before.
    fn until(sound: &mut Lasting, value: f32) -> u32 {
        let end = Instant::now() + SOON;
        let mut packet = [9.0; 480];
        for before in 0.. {
            sound.read(&mut packet).unwrap();
            if packet[0] == value {
                return before;
            }
            assert!(Instant::now() < end, "{value} is never heard");
        }
        unreachable!()
    }

    #[test]
    fn a_source_that_ends_is_opened_again_and_between_them_is_silence() {
        let opened = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&opened);
        let mut sound = Lasting::retrying(2, 5, Duration::from_millis(5), move || {
            let number = count.fetch_add(1, Ordering::Relaxed) + 1;
            Ok(Box::new(Short { number, left: 3 }))
        });
        until(&mut sound, 1.0);
        until(&mut sound, 0.0);
        until(&mut sound, 2.0);
        until(&mut sound, 0.0);
        until(&mut sound, 3.0);
    }

    #[test]
    fn a_source_that_takes_its_time_or_refuses_holds_up_no_packet() {
        let attempts = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&attempts);
        let (go, wait) = mpsc::channel::<()>();
        let wait = std::sync::Mutex::new(wait);
        let mut sound = Lasting::retrying(2, 5, Duration::from_millis(5), move || {
            match count.fetch_add(1, Ordering::Relaxed) {
                0 => Err("not yet".to_owned()),
                _ => {
                    let _ = wait.lock().unwrap().recv();
                    Ok(Box::new(Short { number: 7, left: 1 }))
                }
            }
        });
        // Silence goes on while the second attempt hangs.
        let end = Instant::now() + SOON;
        let mut packet = [9.0; 480];
        while attempts.load(Ordering::Relaxed) < 2 {
            sound.read(&mut packet).unwrap();
            assert_eq!(packet, [0.0; 480]);
            assert!(Instant::now() < end, "it is not tried again");
        }
        for _ in 0..5 {
            sound.read(&mut packet).unwrap();
        }
        go.send(()).unwrap();
        until(&mut sound, 7.0);
    }
}
