//! The client's end of its control connection: a socket that can change, and lose what passes.
use rusty_enet::{MTU_MAX, PacketReceived, Socket};
use std::{
    io,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::{Arc, Mutex, MutexGuard},
};

pub struct State {
    pub socket: UdpSocket,
    /// Of a hundred datagrams in either direction.
    pub lost: u64,
    random: u64,
}

#[derive(Clone)]
pub struct Line(Arc<Mutex<State>>);

fn socket(address: Ipv4Addr) -> UdpSocket {
    let socket = UdpSocket::bind((address, 0)).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket
}

impl Line {
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            socket: socket(Ipv4Addr::LOCALHOST),
            lost: 0,
            random: 0x2545_F491_4F6C_DD1D,
        })))
    }

    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Another address of this machine, and another port.
    pub fn roam(&self) {
        self.lock().socket = socket(Ipv4Addr::new(127, 0, 0, 9));
    }
}

impl State {
    fn loses(&mut self) -> bool {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % 100 < self.lost
    }
}

impl Socket for Line {
    type Address = SocketAddr;
    type Error = io::Error;

    fn send(&mut self, to: SocketAddr, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.lock();
        if state.loses() {
            return Ok(bytes.len());
        }
        state.socket.send_to(bytes, to)
    }

    fn receive(
        &mut self,
        buffer: &mut [u8; MTU_MAX],
    ) -> io::Result<Option<(SocketAddr, PacketReceived)>> {
        let mut state = self.lock();
        loop {
            match state.socket.recv_from(buffer) {
                Ok(_) if state.loses() => {}
                Ok((len, from)) => return Ok(Some((from, PacketReceived::Complete(len)))),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }
}
