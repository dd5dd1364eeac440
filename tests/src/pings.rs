//! The UDP pings that tell the host where to send: every 500 ms until dropped.

use crate::impairment::Darkness;
use std::{
    net::{SocketAddr, UdpSocket},
    sync::mpsc::{RecvTimeoutError, Sender, channel},
    thread::JoinHandle,
    time::Duration,
};

/// A running pinger.
pub struct Pings {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Pings {
    /// `payload`: the 16 characters of the SETUP reply, or `None` for the short `PING`.
    pub fn start(
        socket: UdpSocket,
        to: SocketAddr,
        payload: Option<[u8; 16]>,
        darkness: Darkness,
    ) -> Self {
        let (stop, stopped) = channel();
        let thread = std::thread::spawn(move || {
            for counter in 1u32.. {
                // A refused datagram is no reason to give up: the host may be restarting.
                if !darkness.is_now() {
                    let _ = socket.send_to(&datagram(payload.as_ref(), counter), to);
                }
                if stopped.recv_timeout(Duration::from_millis(500))
                    != Err(RecvTimeoutError::Timeout)
                {
                    return;
                }
            }
        });
        Self {
            stop: Some(stop),
            thread: Some(thread),
        }
    }
}

impl Drop for Pings {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn datagram(payload: Option<&[u8; 16]>, counter: u32) -> Vec<u8> {
    match payload {
        Some(payload) => [payload.as_slice(), &counter.to_be_bytes()].concat(),
        None => b"PING".to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ping_carries_the_payload_and_a_big_endian_counter() {
        assert_eq!(
            datagram(Some(b"0123456789abcdef"), 1),
            b"0123456789abcdef\0\0\0\x01"
        );
        assert_eq!(datagram(None, 1), b"PING");
    }
}
