//! The receiving end of the video plane: a thread that does nothing but take datagrams off the socket, and one that
//! sends them through the bad network, opens, reassembles, and passes frames on.

use super::{
    Reassembly,
    bitstream::VideoCodec,
    decoder::{Decoder, Shared},
    gate::Gate,
    mark,
    opening::Opening,
    packet::Packet,
    range,
    reassembly::Event,
};
use crate::{
    breach::Breaches,
    control::Commands,
    crypto::Key,
    envelope,
    impairment::{Darkness, Fate, Impairment, Queue},
};
use std::{
    net::UdpSocket,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// The type in a key frame's header.
const KEY_FRAME: u8 = 2;
/// How often threads look whether they should stop.
const TICK: Duration = Duration::from_millis(50);

/// What the plane needs to know.
pub struct Settings {
    pub codec: VideoCodec,
    pub packet_size: usize,
    pub seal: Option<Key>,
    pub impairment: Impairment,
    pub darkness: Darkness,
    /// Report lost frames instead of asking for key frames.
    pub reference_invalidation: bool,
}

struct Datagram {
    bytes: Vec<u8>,
    arrived: Instant,
}

/// The two running threads. Give the decoder back with [`Plane::finish`].
pub struct Plane {
    threads: Option<(JoinHandle<()>, JoinHandle<Decoder>)>,
}

impl Plane {
    pub fn start(
        socket: UdpSocket,
        settings: Settings,
        decoder: Decoder,
        shared: Shared,
        commands: Commands,
        stop: Arc<AtomicBool>,
        breaches: Breaches,
    ) -> std::io::Result<Self> {
        socket.set_read_timeout(Some(TICK))?;
        let (sender, receiver) = channel();
        let sealed_extra = if settings.seal.is_some() { 32 } else { 0 };
        let darkness = settings.darkness.clone();
        let largest = settings.packet_size + 16 + sealed_extra;
        let reader = std::thread::Builder::new()
            .name("video-socket".into())
            .spawn(move || {
                // One byte more than a client's buffer: a larger datagram would be cut there.
                let mut buffer = vec![0; largest + 1];
                while !stop.load(Ordering::Relaxed) {
                    let Ok(length) = socket.recv(&mut buffer) else {
                        continue;
                    };
                    if darkness.is_now() {
                        continue;
                    }
                    let datagram = Datagram {
                        bytes: buffer[..length].to_vec(),
                        arrived: Instant::now(),
                    };
                    if sender.send(datagram).is_err() {
                        return;
                    }
                }
            })?;
        let worker = Worker {
            opening: settings.seal.as_ref().map(Opening::new),
            queue: Queue::new(settings.impairment),
            reassembly: Reassembly::new(
                settings.impairment.reorder_percent > 0.0,
                breaches.clone(),
            ),
            codec: settings.codec,
            gate: Gate::new(
                settings.codec,
                settings.reference_invalidation,
                breaches.clone(),
            ),
            packet_size: settings.packet_size,
            next_sequence: None,
            last_frame: None,
            decoder,
            shared,
            commands,
            breaches,
        };
        let worker = std::thread::Builder::new()
            .name("video".into())
            .spawn(move || worker.run(receiver))?;
        Ok(Self {
            threads: Some((reader, worker)),
        })
    }

    /// After `stop` was set: wait for both threads and take the decoder out.
    pub fn finish(mut self) -> Option<Decoder> {
        let (reader, worker) = self.threads.take()?;
        let _ = reader.join();
        worker.join().ok()
    }
}

struct Worker {
    opening: Option<Opening>,
    queue: Queue<(Packet, Instant)>,
    reassembly: Reassembly,
    codec: VideoCodec,
    gate: Gate,
    packet_size: usize,
    /// The RTP sequence number that should arrive next.
    next_sequence: Option<u16>,
    last_frame: Option<(Instant, u32)>,
    decoder: Decoder,
    shared: Shared,
    commands: Commands,
    breaches: Breaches,
}

impl Worker {
    fn run(mut self, datagrams: Receiver<Datagram>) -> Decoder {
        loop {
            let wait = self.queue.next_due().map_or(TICK, |due| {
                due.saturating_duration_since(Instant::now()).min(TICK)
            });
            match datagrams.recv_timeout(wait) {
                Ok(datagram) => self.arrived(datagram),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self.decoder,
            }
            while let Some((packet, arrived)) = self.queue.due(Instant::now()) {
                self.packet(packet, arrived);
            }
        }
    }

    /// From the socket to the bad network.
    fn arrived(&mut self, datagram: Datagram) {
        let Datagram { bytes, arrived } = datagram;
        self.shared.update(|statistics| {
            statistics.packets += 1;
            statistics.bytes += bytes.len() as u64;
            statistics.first_packet.get_or_insert(arrived);
        });
        let (hint, bytes) = match &mut self.opening {
            Some(opening) => {
                let Some(opened) = opening.open(&bytes, &self.breaches) else {
                    return;
                };
                (Some(opened.hint), opened.packet)
            }
            None => (None, bytes),
        };
        let Some(packet) = Packet::parse(bytes, self.packet_size, &self.breaches) else {
            return;
        };
        if let Some(hint) = hint.filter(|hint| *hint != 0) {
            self.breaches
                .require(hint == packet.frame, "8.3", "video-frame-hint", || {
                    format!("hint {hint} outside frame {}", packet.frame)
                });
        }
        let missing = self
            .next_sequence
            .map_or(0, |next| packet.sequence.wrapping_sub(next));
        self.next_sequence = Some(packet.sequence.wrapping_add(1));
        self.shared.update(|statistics| {
            statistics.parity_packets += u64::from(packet.is_parity());
            // Half the number space back is a late packet, not a gap.
            statistics.missing_on_arrival += if missing < 0x8000 {
                u64::from(missing)
            } else {
                0
            };
        });
        let head = packet.head();
        let fate = self.queue.arrive(arrived, (packet, arrived));
        let gone = matches!(fate, Fate::Lost(_));
        self.shared
            .update(|statistics| statistics.ledger.note(&head, gone));
        if let Fate::Lost((packet, _)) = fate {
            self.reassembly.dropped.remember(packet);
        }
        let (lost, reordered) = (self.queue.lost, self.queue.reordered);
        self.shared.update(|statistics| {
            (statistics.injected_loss, statistics.injected_reordering) = (lost, reordered)
        });
    }

    fn report(&self, range: Option<(u32, u32)>) {
        let Some((first, last)) = range else { return };
        self.commands.references_lost(first, last);
        self.shared
            .update(|statistics| statistics.loss_reports += 1);
    }

    /// From the bad network to the frame.
    fn packet(&mut self, packet: Packet, arrived: Instant) {
        let events = self
            .shared
            .update(|statistics| self.reassembly.push(packet, arrived, statistics));
        for event in events {
            match event {
                Event::FecStatus(report) => self.commands.fec_status(report),
                Event::Lost { first, last } => {
                    self.shared
                        .update(|statistics| statistics.ledger.given_up.extend(first..=last));
                    let range = self.gate.lost(first, last);
                    self.report(range);
                }
                Event::Frame(frame) => {
                    if let Some(asked) = self.commands.take_key_frame_question() {
                        self.gate.asked(asked);
                    }
                    let verdict = self.gate.frame(&frame);
                    if verdict.request_key_frame {
                        self.commands.send(1, envelope::START_A, &[0, 0]);
                    }
                    self.report(verdict.report);
                    let before = self.last_frame.replace((frame.arrived, frame.timestamp));
                    let (gap, jitter) = before
                        .map(|(arrived, timestamp)| {
                            let sent_us =
                                i64::from(frame.timestamp.wrapping_sub(timestamp) as i32) * 100 / 9;
                            let came_us = frame.arrived.duration_since(arrived).as_micros() as i64;
                            let micros = |time: i64| u32::try_from(time).unwrap_or(u32::MAX);
                            (micros(came_us), micros((came_us - sent_us).abs()))
                        })
                        .unzip();
                    let mark = mark::read(self.codec, &frame.access_unit);
                    let described = match verdict.key {
                        true => range::describe(self.codec, &frame.access_unit),
                        false => None,
                    };
                    let (age, now_ns) = (age_us(frame.timestamp), monotonic_ns());
                    let since_first_ns = frame.arrived.elapsed().as_nanos() as u64;
                    self.shared.update(|statistics| {
                        statistics.frames_complete += 1;
                        statistics.stamp_to_complete_us.push(age);
                        statistics.marks.note(mark);
                        if let Some(mark) = mark {
                            let ns = now_ns.saturating_sub(mark.made_ns);
                            let micros = |ns: u64| u32::try_from(ns / 1000).unwrap_or(u32::MAX);
                            statistics.made_to_complete_us.push(micros(ns));
                            let first_ns = ns.saturating_sub(since_first_ns);
                            statistics.made_to_first_us.push(micros(first_ns));
                        }
                        statistics.key_frames += u64::from(verdict.key);
                        statistics.described = described.or(statistics.described);
                        statistics.frames_discarded += u64::from(!verdict.decode);
                        statistics.key_frame_requests += u64::from(verdict.request_key_frame);
                        statistics.recovered_after.extend(verdict.recovered_after);
                        if frame.kind != KEY_FRAME
                            && let (Some(frames), Some(took)) =
                                (verdict.recovered_after, verdict.recovered_in)
                        {
                            statistics.recovery_frames += 1;
                            statistics.spared_after.push(frames);
                            let micros = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
                            statistics.spared_in_us.push(micros);
                        }
                        statistics.most_packets_in_frame =
                            statistics.most_packets_in_frame.max(frame.packets);
                        statistics.most_blocks_in_frame =
                            statistics.most_blocks_in_frame.max(frame.blocks);
                        statistics.jitter_us.extend(jitter);
                        statistics.arrival_gaps_us.extend(gap);
                        if frame.latency > 0 {
                            statistics.host_latency.push(frame.latency);
                        }
                        statistics.arrived(frame.index, verdict.key, frame.arrived);
                    });
                    if verdict.decode {
                        self.decoder.push(frame);
                    }
                }
            }
        }
    }
}

/// How long ago a 90 kHz time stamp was, if it was taken from this machine's monotonic clock.
fn age_us(timestamp: u32) -> u32 {
    let ticks = (u128::from(monotonic_ns()) * 9 / 100_000) as u32;
    u32::try_from(u64::from(ticks.wrapping_sub(timestamp)) * 100 / 9).unwrap_or(u32::MAX)
}

pub(super) fn monotonic_ns() -> u64 {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC);
    now.map_or(0, |now| {
        now.tv_sec() as u64 * 1_000_000_000 + now.tv_nsec() as u64
    })
}
