//! The client's end of the control connection: a socket that can change its address, and lose datagrams both ways.

use crate::impairment::{Darkness, Random};
use rusty_enet::{MTU_MAX, PacketReceived, Socket};
use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    sync::{Arc, Mutex, MutexGuard},
};

/// The other address of this machine that [`Uplink::roam`] takes when the host is this machine.
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);

struct Wire {
    socket: UdpSocket,
    loss_percent: f64,
    darkness: Darkness,
    random: Random,
}

/// Shared by the ENet peer and the thread that drives it.
#[derive(Clone)]
pub struct Uplink(Arc<Mutex<Wire>>);

fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(address)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

impl Uplink {
    /// A socket that reaches `host`, except in `darkness`.
    pub fn new(host: SocketAddr, darkness: Darkness) -> io::Result<Self> {
        let any: SocketAddr = if host.is_ipv6() {
            (Ipv6Addr::UNSPECIFIED, 0).into()
        } else {
            (Ipv4Addr::UNSPECIFIED, 0).into()
        };
        Ok(Self(Arc::new(Mutex::new(Wire {
            socket: bind(any)?,
            loss_percent: 0.0,
            darkness,
            random: Random::new(1),
        }))))
    }

    fn wire(&self) -> MutexGuard<'_, Wire> {
        self.0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// From now on another port, and another address where there is one.
    pub fn roam(&self, host: SocketAddr) -> io::Result<()> {
        let new = if host.ip().is_loopback() && host.is_ipv4() {
            bind((ELSEWHERE, 0).into())?
        } else {
            bind(SocketAddr::new(
                match host.is_ipv6() {
                    true => Ipv6Addr::UNSPECIFIED.into(),
                    false => Ipv4Addr::UNSPECIFIED.into(),
                },
                0,
            ))?
        };
        self.wire().socket = new;
        Ok(())
    }

    /// Lose this share of the datagrams in both directions.
    pub fn lose(&self, percent: f64) {
        self.wire().loss_percent = percent;
    }

    /// A handle to wait for datagrams with.
    pub fn handle(&self) -> io::Result<UdpSocket> {
        self.wire().socket.try_clone()
    }
}

impl Wire {
    fn loses(&mut self) -> bool {
        self.darkness.is_now() || self.random.chance(self.loss_percent)
    }
}

impl Socket for Uplink {
    type Address = SocketAddr;
    type Error = io::Error;

    fn send(&mut self, to: SocketAddr, bytes: &[u8]) -> io::Result<usize> {
        let mut wire = self.wire();
        if wire.loses() {
            return Ok(bytes.len());
        }
        match wire.socket.send_to(bytes, to) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            other => other,
        }
    }

    fn receive(
        &mut self,
        buffer: &mut [u8; MTU_MAX],
    ) -> io::Result<Option<(SocketAddr, PacketReceived)>> {
        let mut wire = self.wire();
        loop {
            match wire.socket.recv_from(buffer) {
                Ok(_) if wire.loses() => {}
                Ok((len, from)) => return Ok(Some((from, PacketReceived::Complete(len)))),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }
}
