//! Generic segmentation offload, else `sendmmsg`, else one send a datagram.
//!
//! The segment size is an option of the socket and not a control message of each send: it is the same for the life of a stream, and a
//! send costs neither a control buffer nor its parsing.
use super::drop_every::{DropEvery, Next};
use nix::{
    errno::Errno,
    sys::socket::{
        MsgFlags, MultiHeaders, SockaddrStorage, send, sendmmsg, setsockopt, sockopt::UdpGsoSegment,
    },
};
use std::{io::IoSlice, net::UdpSocket, os::fd::AsRawFd};

/// Segments that every kernel with segmentation offload takes in one send.
const MAX_SEGMENTS: usize = 64;
/// The largest UDP payload.
const MAX_BYTES: usize = 65_507;
/// Datagrams in one `sendmmsg`.
const BATCH: usize = 64;

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
    /// Of these, lost on this side: there is no way to the client at the moment.
    pub lost: usize,
    /// The kernel's buffer is full: the rest was not sent.
    pub full: bool,
}

/// What an error of a send says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failure {
    /// The kernel has no room now.
    Full,
    Again,
    /// News that an earlier datagram met a closed port. Nothing was sent, and the next send may go.
    Refused,
    /// No way to the client now: a route, an address or a rule is missing. That passes, and says nothing about how to send.
    NoWay,
    /// This path wants it plainer: no checksum offload, a tunnel, an MTU below the datagram, an old kernel.
    Plainer,
}

impl Failure {
    fn of(error: Errno, way: Way) -> Self {
        match (error, way) {
            (Errno::EAGAIN | Errno::ENOBUFS | Errno::ENOMEM, _) => Self::Full,
            (Errno::EINTR, _) => Self::Again,
            (Errno::ECONNREFUSED, _) => Self::Refused,
            (Errno::EINVAL | Errno::EIO | Errno::EOPNOTSUPP | Errno::EMSGSIZE, Way::Segments)
            | (Errno::ENOSYS | Errno::EOPNOTSUPP, Way::Batches) => Self::Plainer,
            _ => Self::NoWay,
        }
    }
}

/// One client's video socket. Made on the thread that uses it.
pub struct VideoSender {
    socket: UdpSocket,
    way: Way,
    /// The segment size that the socket has; 0 = none.
    segment: i32,
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
            segment: 0,
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
                        Some((done, sent)) => {
                            if !sent {
                                handed.lost = handed.lost.saturating_add(done);
                            }
                            done
                        }
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

    /// Be done with at least the first datagram of `bytes`: how many, and whether they were sent. `None`: the buffer is full.
    fn hand_over(&mut self, bytes: &[u8], stride: usize) -> Option<(usize, bool)> {
        let mut refused = false;
        loop {
            let (count, result) = match self.way {
                Way::Segments => self.segments(bytes, stride),
                Way::Batches => self.batch(bytes, stride),
                Way::Single => (1, self.single(bytes, stride)),
            };
            let error = match result {
                Ok(sent) => return Some((sent, true)),
                Err(error) => error,
            };
            match Failure::of(error, self.way) {
                Failure::Full => return None,
                Failure::Again => {}
                // Hearing it took the news away. More of it at once is about a client that has left, which the control stream notices.
                Failure::Refused if !refused => refused = true,
                Failure::Refused => return Some((1, false)),
                Failure::Plainer => {
                    self.way = match self.way {
                        Way::Segments => Way::Batches,
                        Way::Batches | Way::Single => Way::Single,
                    };
                    // Without it a send that is not to be segmented would be.
                    self.set_segment(0).ok();
                    tracing::info!(%error, way = ?self.way, "video is sent in a plainer way");
                }
                Failure::NoWay => {
                    tracing::debug!(%error, "video has no way to the client");
                    return Some((count, false));
                }
            }
        }
    }

    fn set_segment(&mut self, bytes: i32) -> Result<(), Errno> {
        if self.segment != bytes {
            setsockopt(&self.socket, UdpGsoSegment, &bytes)?;
            self.segment = bytes;
        }
        Ok(())
    }

    fn segments(&mut self, bytes: &[u8], stride: usize) -> (usize, Result<usize, Errno>) {
        let most = MAX_BYTES
            .checked_div(stride)
            .unwrap_or(0)
            .clamp(1, MAX_SEGMENTS);
        let chunk = bytes.get(..most.saturating_mul(stride)).unwrap_or(bytes);
        let count = chunk.len().checked_div(stride).unwrap_or(0);
        let segment = u16::try_from(stride).map_or(Err(Errno::EINVAL), |size| Ok(i32::from(size)));
        let sent = segment
            // A kernel that does not know the option says ENOPROTOOPT.
            .and_then(|size| self.set_segment(size).map_err(|_| Errno::EOPNOTSUPP))
            .and_then(|()| send(self.socket.as_raw_fd(), chunk, flags()));
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
                ..Handed::default()
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
            assert!(handed.datagrams == 10 && !handed.full, "{handed:?}");
        }
    }

    #[test]
    fn news_of_a_port_that_was_closed_a_while_ago_costs_no_datagram() {
        for way in [Way::Segments, Way::Batches, Way::Single] {
            let client = UdpSocket::bind("127.0.0.1:0").unwrap();
            let address = client.local_addr().unwrap();
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.connect(address).unwrap();
            drop(client);
            let mut sender = VideoSender::by(socket, way);
            sender.send(&[0; 100], 100, &mut DropEvery::new(0));
            // the answer of a closed port: on the loopback it is there when the send returns
            let client = UdpSocket::bind(address).unwrap();
            client
                .set_read_timeout(Some(std::time::Duration::from_secs(20)))
                .unwrap();
            let handed = sender.send(&[1; 300], 100, &mut DropEvery::new(0));
            let expected = Handed {
                datagrams: 3,
                ..Handed::default()
            };
            assert_eq!(handed, expected, "{way:?}");
            for _ in 0..3 {
                let len = client.recv(&mut [0; 2000]).unwrap();
                assert_eq!(len, 100, "{way:?}");
            }
        }
    }

    #[test]
    fn only_what_the_path_cannot_do_makes_the_way_plainer() {
        use Failure::{Again, Full, NoWay, Plainer, Refused};
        let passing = [
            (Errno::EAGAIN, Full),
            (Errno::ENOBUFS, Full),
            (Errno::EINTR, Again),
            (Errno::ECONNREFUSED, Refused),
            (Errno::ENETUNREACH, NoWay),
            (Errno::EHOSTUNREACH, NoWay),
            (Errno::ENETDOWN, NoWay),
            (Errno::EPERM, NoWay),
            (Errno::EACCES, NoWay),
        ];
        for way in [Way::Segments, Way::Batches, Way::Single] {
            for (error, failure) in passing {
                assert_eq!(Failure::of(error, way), failure, "{error} {way:?}");
            }
        }
        for error in [
            Errno::EINVAL,
            Errno::EIO,
            Errno::EOPNOTSUPP,
            Errno::EMSGSIZE,
        ] {
            assert_eq!(Failure::of(error, Way::Segments), Plainer);
            assert_ne!(Failure::of(error, Way::Single), Plainer);
        }
    }
}
