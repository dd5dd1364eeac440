//! Generic segmentation offload, else `sendmmsg`, else one send a datagram.
use super::drop_every::{DropEvery, Next};
use nix::{
    errno::Errno,
    sys::socket::{
        ControlMessage, MsgFlags, MultiHeaders, SockaddrStorage, send, sendmmsg, sendmsg,
    },
};
use std::{io::IoSlice, net::UdpSocket, os::fd::AsRawFd};

/// Segments that every kernel with segmentation offload takes in one send.
const MAX_SEGMENTS: usize = 64;
/// The largest UDP payload.
const MAX_BYTES: usize = 65_507;
/// Datagrams in one `sendmmsg`.
const BATCH: usize = 32;

/// How datagrams are handed to the kernel, cheapest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Segments,
    Batches,
    Single,
}

/// What became of a run of datagrams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Handed {
    /// Datagrams done with, dropped ones included.
    pub datagrams: usize,
    /// The kernel's buffer is full: the rest was not sent.
    pub full: bool,
}

/// One client's video socket. Made on the thread that uses it.
pub struct VideoSender {
    socket: UdpSocket,
    way: Way,
    headers: MultiHeaders<SockaddrStorage>,
}

impl VideoSender {
    /// `socket` is connected to the client.
    pub fn new(socket: UdpSocket) -> Self {
        Self::by(socket, Way::Segments)
    }

    /// As `new`, beginning with a less demanding way.
    pub fn by(socket: UdpSocket, way: Way) -> Self {
        Self {
            socket,
            way,
            headers: MultiHeaders::preallocate(BATCH, None),
        }
    }

    /// The way in use.
    pub fn way(&self) -> Way {
        self.way
    }

    /// Send `bytes`, which are datagrams of `stride` bytes each, leaving out what `drop` says.
    pub fn send(&mut self, bytes: &[u8], stride: usize, drop: &mut DropEvery) -> Handed {
        let mut handed = Handed::default();
        let mut rest = bytes;
        while let Some(available) = rest.len().checked_div(stride).filter(|count| *count > 0) {
            let done = match drop.next(available) {
                Next::Drop => 1,
                Next::Send(count) => {
                    let len = count.saturating_mul(stride);
                    match self.hand_over(rest.get(..len).unwrap_or_default(), stride) {
                        Some(sent) => sent,
                        None => {
                            handed.full = true;
                            return handed;
                        }
                    }
                }
            };
            drop.advance(done);
            handed.datagrams = handed.datagrams.saturating_add(done);
            rest = rest.get(done.saturating_mul(stride)..).unwrap_or_default();
        }
        handed
    }

    /// Hand over at least the first datagram of `bytes`; `None`: the buffer is full.
    fn hand_over(&mut self, bytes: &[u8], stride: usize) -> Option<usize> {
        loop {
            let (count, result) = match self.way {
                Way::Segments => self.segments(bytes, stride),
                Way::Batches => self.batch(bytes, stride),
                Way::Single => (1, self.single(bytes, stride)),
            };
            return match result {
                Ok(sent) => Some(sent),
                Err(Errno::EAGAIN | Errno::ENOBUFS) => None,
                Err(Errno::EINTR) => continue,
                // The news that an earlier datagram met a closed port; this one was not sent. A client that has
                // left is for the control stream to notice, so the datagram counts as lost on the way.
                Err(Errno::ECONNREFUSED) => Some(1),
                Err(error) if self.way != Way::Single => {
                    // No checksum offload, a tunnel, an MTU below the datagram: this path wants it plainer.
                    self.way = if self.way == Way::Segments {
                        Way::Batches
                    } else {
                        Way::Single
                    };
                    tracing::info!(%error, way = ?self.way, "video is sent in a plainer way");
                    continue;
                }
                Err(error) => {
                    tracing::debug!(%error, "a video datagram could not be sent");
                    Some(count)
                }
            };
        }
    }

    fn segments(&self, bytes: &[u8], stride: usize) -> (usize, Result<usize, Errno>) {
        let most = MAX_BYTES
            .checked_div(stride)
            .unwrap_or(0)
            .clamp(1, MAX_SEGMENTS);
        let chunk = bytes.get(..most.saturating_mul(stride)).unwrap_or(bytes);
        let count = chunk.len().checked_div(stride).unwrap_or(0);
        let Ok(segment) = u16::try_from(stride) else {
            return (count, Err(Errno::EINVAL));
        };
        let control = [ControlMessage::UdpGsoSegments(&segment)];
        // One datagram needs no segmentation.
        let control = if count > 1 { &control[..] } else { &[] };
        let slices = [IoSlice::new(chunk)];
        let fd = self.socket.as_raw_fd();
        let sent = sendmsg::<SockaddrStorage>(fd, &slices, control, flags(), None);
        (count, sent.map(|_| count))
    }

    fn batch(&mut self, bytes: &[u8], stride: usize) -> (usize, Result<usize, Errno>) {
        let chunk = bytes.get(..BATCH.saturating_mul(stride)).unwrap_or(bytes);
        let mut slices = [[IoSlice::new(&[])]; BATCH];
        let mut count = 0usize;
        for (slice, datagram) in slices.iter_mut().zip(chunk.chunks_exact(stride)) {
            *slice = [IoSlice::new(datagram)];
            count = count.saturating_add(1);
        }
        let slices = slices.get(..count).unwrap_or_default();
        let addresses = [None::<SockaddrStorage>; BATCH];
        let fd = self.socket.as_raw_fd();
        let sent =
            sendmmsg(fd, &mut self.headers, slices, addresses, [], flags()).map(Iterator::count);
        (count, sent)
    }

    fn single(&self, bytes: &[u8], stride: usize) -> Result<usize, Errno> {
        let datagram = bytes.get(..stride).unwrap_or(bytes);
        send(self.socket.as_raw_fd(), datagram, flags()).map(|_| 1)
    }
}

fn flags() -> MsgFlags {
    MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(way: Way, drop: u32) -> (Vec<u8>, Way) {
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(client.local_addr().unwrap()).unwrap();
        let mut sender = VideoSender::by(socket, way);
        // 100 datagrams of 100 bytes: more than one send of each way.
        let bytes: Vec<u8> = (0..100u8).flat_map(|number| [number; 100]).collect();
        let handed = sender.send(&bytes, 100, &mut DropEvery::new(drop));
        assert_eq!(
            handed,
            Handed {
                datagrams: 100,
                full: false
            }
        );
        client.set_nonblocking(true).unwrap();
        let mut numbers = Vec::new();
        let mut buffer = [0; 2000];
        while let Ok(len) = client.recv(&mut buffer) {
            assert_eq!(len, 100);
            numbers.push(buffer[0]);
        }
        (numbers, sender.way())
    }

    #[test]
    fn every_way_sends_the_same_datagrams_in_order() {
        let all: Vec<u8> = (0..100).collect();
        for way in [Way::Segments, Way::Batches, Way::Single] {
            assert_eq!(received(way, 0).0, all, "{way:?}");
        }
    }

    #[test]
    fn injected_loss_is_the_same_every_time() {
        let expected: Vec<u8> = (0..100).filter(|number| number % 7 != 0).collect();
        for way in [Way::Segments, Way::Batches, Way::Single] {
            assert_eq!(received(way, 7).0, expected, "{way:?}");
        }
    }

    #[test]
    fn a_client_that_closed_its_port_stops_nobody() {
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(client.local_addr().unwrap()).unwrap();
        drop(client);
        let mut sender = VideoSender::new(socket);
        for _ in 0..10 {
            let handed = sender.send(&[0; 1000], 100, &mut DropEvery::new(0));
            assert_eq!(
                handed,
                Handed {
                    datagrams: 10,
                    full: false
                }
            );
        }
    }
}
