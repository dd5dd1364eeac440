//! Datagrams in both directions, without waiting: the trait, and a pair of ends in memory that can lose packets.
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Unreliable datagrams, as UDP gives them. Never blocks.
pub trait Transport: Send {
    /// Sends one datagram.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when it has no room just now, others as the system gives them.
    fn send(&mut self, datagram: &[u8]) -> io::Result<()>;

    /// Receives one datagram into `buffer` and gives its length, or `None` when none waits. A datagram longer than
    /// `buffer` is cut.
    ///
    /// # Errors
    /// As the system gives them.
    fn recv(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>>;
}

/// A connected socket that was set to non-blocking.
impl Transport for std::net::UdpSocket {
    fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        Self::send(self, datagram).map(|_| ())
    }

    fn recv(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        match Self::recv(self, buffer) {
            Ok(len) => Ok(Some(len)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Datagrams that one direction holds: twice a frame of four blocks of 1023 packets.
const MAX_QUEUED: usize = 8192;

/// One direction: what is on its way, and empty buffers for the next ones.
#[derive(Debug, Default)]
struct Pipe {
    queued: VecDeque<Vec<u8>>,
    spare: Vec<Vec<u8>>,
}

type SharedPipe = Arc<Mutex<Pipe>>;

fn lock(pipe: &SharedPipe) -> MutexGuard<'_, Pipe> {
    // A pipe is whole between any two of its operations, so a panic elsewhere does not spoil it.
    pipe.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One end of a pair made by [`loopback_pair`].
#[derive(Debug)]
pub struct Loopback {
    outgoing: SharedPipe,
    incoming: SharedPipe,
    drop_period: u32,
    sent: u32,
}

/// A host end and a client end that are connected in memory.
///
/// The first of every `host_drop_period` datagrams that the host sends is lost, and likewise for the client; 0 loses
/// nothing, 1 everything. A direction holds 8192 datagrams; sending one more is [`io::ErrorKind::WouldBlock`].
pub fn loopback_pair(host_drop_period: u32, client_drop_period: u32) -> (Loopback, Loopback) {
    let (down, up) = (SharedPipe::default(), SharedPipe::default());
    let end = |outgoing: &SharedPipe, incoming: &SharedPipe, drop_period| Loopback {
        outgoing: Arc::clone(outgoing),
        incoming: Arc::clone(incoming),
        drop_period,
        sent: 0,
    };
    (
        end(&down, &up, host_drop_period),
        end(&up, &down, client_drop_period),
    )
}

impl Transport for Loopback {
    fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        let mut pipe = lock(&self.outgoing);
        if pipe.queued.len() >= MAX_QUEUED {
            return Err(io::Error::new(
                io::ErrorKind::WouldBlock,
                "the loopback is full: the other end does not read",
            ));
        }
        let lost = self.sent.checked_rem(self.drop_period) == Some(0);
        self.sent = self.sent.wrapping_add(1);
        if self.sent == self.drop_period {
            self.sent = 0;
        }
        if !lost {
            let mut buffer = pipe.spare.pop().unwrap_or_default();
            buffer.clear();
            buffer.extend_from_slice(datagram);
            pipe.queued.push_back(buffer);
        }
        Ok(())
    }

    fn recv(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let mut pipe = lock(&self.incoming);
        let Some(datagram) = pipe.queued.pop_front() else {
            return Ok(None);
        };
        let len = datagram.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..len), datagram.get(..len)) {
            to.copy_from_slice(from);
        }
        pipe.spare.push(datagram);
        Ok(Some(len))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(end: &mut Loopback) -> Vec<u8> {
        let mut buffer = [0; 8];
        let mut out = Vec::new();
        while let Some(len) = end.recv(&mut buffer).unwrap() {
            out.extend_from_slice(&buffer[..len]);
        }
        out
    }

    #[test]
    fn the_first_of_every_period_is_lost_in_each_direction_by_its_own_period() {
        let (mut host, mut client) = loopback_pair(3, 0);
        for k in 0..7 {
            host.send(&[k]).unwrap();
            client.send(&[k]).unwrap();
        }
        assert_eq!(drain(&mut client), [1, 2, 4, 5]);
        assert_eq!(drain(&mut host), [0, 1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn a_period_of_one_loses_everything() {
        let (mut host, mut client) = loopback_pair(1, 1);
        host.send(&[1]).unwrap();
        host.send(&[2]).unwrap();
        assert_eq!(drain(&mut client), []);
    }

    #[test]
    fn a_reader_that_stays_away_makes_the_sender_fail_instead_of_filling_the_memory() {
        let (mut host, mut client) = loopback_pair(0, 0);
        for _ in 0..MAX_QUEUED {
            host.send(&[1]).unwrap();
        }
        assert_eq!(
            host.send(&[1]).unwrap_err().kind(),
            io::ErrorKind::WouldBlock
        );
        assert_eq!(drain(&mut client).len(), MAX_QUEUED);
        host.send(&[1]).unwrap();
    }
}
