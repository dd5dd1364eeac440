//! The receiving end of the audio plane: one thread from socket to samples.

use super::{
    packet::Packet,
    queue::Queue,
    sound::{Heard, Sound, Statistics},
};
use crate::{
    announce::AudioLayout,
    breach::Breaches,
    crypto::{Key, cbc_decrypt},
    impairment::{self, Darkness, Fate, Impairment},
};
use std::{
    net::UdpSocket,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// What the plane needs to know.
pub struct Settings {
    pub layout: AudioLayout,
    pub packet_ms: u8,
    /// Key and `rikeyid` when sound is sealed.
    pub seal: Option<(Key, i32)>,
    pub impairment: Impairment,
    pub darkness: Darkness,
    pub decode: bool,
}

/// The running thread.
pub struct Plane {
    statistics: Arc<Mutex<Statistics>>,
    thread: Option<JoinHandle<Heard>>,
}

impl Plane {
    pub fn start(
        socket: UdpSocket,
        settings: Settings,
        stop: Arc<AtomicBool>,
        breaches: Breaches,
    ) -> anyhow::Result<Self> {
        socket.set_read_timeout(Some(Duration::from_millis(50)))?;
        let statistics = Arc::<Mutex<Statistics>>::default();
        let worker = Worker {
            sound: Sound::new(&settings.layout, settings.packet_ms)?,
            queue: Queue::new(settings.packet_ms, breaches.clone()),
            network: impairment::Queue::new(settings.impairment),
            to_discard: 500 / u64::from(settings.packet_ms.max(1)),
            settings,
            statistics: statistics.clone(),
            breaches,
        };
        let thread = std::thread::Builder::new()
            .name("audio".into())
            .spawn(move || worker.run(&socket, &stop))?;
        Ok(Self {
            statistics,
            thread: Some(thread),
        })
    }

    pub fn statistics(&self) -> Statistics {
        self.statistics
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .clone()
    }

    /// After `stop` was set: the figures and what the channels sounded like.
    pub fn finish(mut self) -> (Statistics, Heard) {
        let heard = self
            .thread
            .take()
            .and_then(|thread| thread.join().ok())
            .unwrap_or_default();
        (self.statistics(), heard)
    }
}

struct Worker {
    sound: Sound,
    queue: Queue,
    network: impairment::Queue<Packet>,
    to_discard: u64,
    settings: Settings,
    statistics: Arc<Mutex<Statistics>>,
    breaches: Breaches,
}

impl Worker {
    fn run(mut self, socket: &UdpSocket, stop: &AtomicBool) -> Heard {
        let mut buffer = vec![0; 2048];
        while !stop.load(Ordering::Relaxed) {
            if let Ok(length) = socket.recv(&mut buffer)
                && !self.settings.darkness.is_now()
            {
                self.arrived(&buffer[..length]);
            }
            while let Some(packet) = self.network.due(Instant::now()) {
                self.packet(packet);
            }
        }
        self.sound.heard()
    }

    fn update(&self, change: impl FnOnce(&mut Statistics)) {
        change(
            &mut self
                .statistics
                .lock()
                .unwrap_or_else(|poisoned| poisoned.into_inner()),
        );
    }

    fn arrived(&mut self, bytes: &[u8]) {
        self.update(|statistics| {
            statistics.packets += 1;
            statistics.bytes += bytes.len() as u64;
        });
        let Some(packet) = Packet::parse(bytes, &self.breaches) else {
            return;
        };
        if let Fate::Lost(_) = self.network.arrive(Instant::now(), packet) {
            let lost = self.network.lost;
            self.update(|statistics| statistics.injected_loss = lost);
        }
    }

    fn packet(&mut self, packet: Packet) {
        let delivered = self.queue.push(
            packet,
            &mut self
                .statistics
                .lock()
                .unwrap_or_else(|poisoned| poisoned.into_inner()),
        );
        for (sequence, payload) in delivered {
            let Some(payload) = payload else { continue };
            let opus = match &self.settings.seal {
                None => Some(payload),
                Some((key, id)) => cbc_decrypt(key, &iv(*id, sequence), &payload),
            };
            let Some(opus) = opus else {
                self.breaches.record("10.2", "audio-not-decipherable", || {
                    format!("sequence {sequence}")
                });
                continue;
            };
            self.update(|statistics| statistics.packet_bytes = opus.len());
            if self.to_discard > 0 || !self.settings.decode {
                self.to_discard = self.to_discard.saturating_sub(1);
                self.update(|statistics| statistics.discarded += 1);
                continue;
            }
            let sound = self.sound.decode(&opus);
            self.breaches.require(sound, "10.1", "audio-not-opus", || {
                format!("sequence {sequence}, {} bytes", opus.len())
            });
            self.update(|statistics| {
                if sound {
                    statistics.decoded += 1
                } else {
                    statistics.decode_failures += 1
                }
            });
        }
    }
}

/// (rikeyid + sequence) modulo 2^32, big endian, then zeros.
fn iv(key_id: i32, sequence: u16) -> [u8; 16] {
    let mut iv = [0; 16];
    iv[..4].copy_from_slice(&(key_id as u32).wrapping_add(sequence.into()).to_be_bytes());
    iv
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::cbc_encrypt;

    #[test]
    fn the_cbc_vectors_of_section_14_come_out() {
        let key: Key = std::array::from_fn(|i| i as u8);
        let opus = hex::decode("fc010203040506070809").unwrap();
        for (sequence, start, cipher) in [
            (0, "ffed2979", "1b4c0d229d8353a0431b2fe31fbbe95a"),
            (5, "ffed297e", "885f31d120458d8fa7d1a4ecb7cfbdba"),
        ] {
            let iv = iv(-1_234_567, sequence);
            assert_eq!(hex::encode(&iv[..4]), start);
            let sealed = cbc_encrypt(&key, &iv, &opus);
            assert_eq!(hex::encode(&sealed), cipher);
            assert_eq!(cbc_decrypt(&key, &iv, &sealed).unwrap(), opus);
        }
    }
}
