//! UDP sockets: wildcard ones that tell on which local address a datagram arrived, and per-peer connected ones.
//!
//! Wildcard media sockets and the connected ones share a port (`SO_REUSEPORT`); the kernel hands a datagram to the
//! connected socket of its sender and everything else to the wildcard. Never `SO_REUSEADDR`: on UDP it lets a
//! newcomer take the port over.
use nix::{
    cmsg_space,
    errno::Errno,
    libc,
    sys::socket::{
        AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType,
        SockaddrStorage, bind, connect, recvmsg, sendmsg, setsockopt, socket, sockopt,
    },
};
use std::{
    io::{self, IoSlice, IoSliceMut},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    os::fd::{AsRawFd, OwnedFd},
};

/// Asked for; the kernel gives what `net.core.wmem_max` allows.
const MEDIA_SEND_BUFFER: usize = 4 << 20;

/// One received datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrived {
    /// As the socket's family has it: IPv4 peers of a dual-stack socket are mapped.
    pub source: SocketAddr,
    /// The local address that it was sent to.
    pub local: Option<IpAddr>,
    pub len: usize,
}

/// Whether several sockets of this service may be bound to the port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    Exclusive,
    Shared,
}

/// IPv4-mapped addresses as what they are.
pub fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => SocketAddr::new(IpAddr::V4(ip), address.port()),
        IpAddr::V6(_) => address,
    }
}

/// A non-blocking socket on `address` and `port`; `::` is dual-stack. Received datagrams carry their local address.
pub fn listen(address: IpAddr, port: u16, sharing: Sharing) -> io::Result<UdpSocket> {
    match listen_on(SocketAddr::new(address, port), sharing) {
        // A kernel without IPv6: the IPv4 wildcard is what is left of "everywhere".
        Err(error) if address == IpAddr::V6(Ipv6Addr::UNSPECIFIED) && no_such_family(&error) => {
            listen_on(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port), sharing)
        }
        other => other,
    }
}

fn no_such_family(error: &io::Error) -> bool {
    let errors = [Errno::EAFNOSUPPORT, Errno::EADDRNOTAVAIL];
    errors
        .iter()
        .any(|errno| error.raw_os_error() == Some(*errno as i32))
}

fn listen_on(address: SocketAddr, sharing: Sharing) -> io::Result<UdpSocket> {
    let fd = open(address)?;
    match address {
        SocketAddr::V4(_) => setsockopt(&fd, sockopt::Ipv4PacketInfo, &true)?,
        SocketAddr::V6(_) => {
            setsockopt(&fd, sockopt::Ipv6V6Only, &false)?;
            setsockopt(&fd, sockopt::Ipv6RecvPacketInfo, &true)?;
        }
    }
    if sharing == Sharing::Shared {
        setsockopt(&fd, sockopt::ReusePort, &true)?;
    }
    bind(fd.as_raw_fd(), &SockaddrStorage::from(address))?;
    Ok(UdpSocket::from(fd))
}

/// A socket to one peer, and what strangers sent to it while it was open to all.
#[derive(Debug)]
pub struct Connected {
    pub socket: UdpSocket,
    pub strays: Vec<Stray>,
}

/// A datagram that the kernel gave to a socket which was bound and not connected yet: it was meant for the wildcard.
#[derive(Debug)]
pub struct Stray {
    pub source: SocketAddr,
    bytes: [u8; MAX_STRAY],
    len: usize,
}

impl Stray {
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// Longer ones are no pings.
const MAX_STRAY: usize = 64;
/// More do not come in the microseconds between two system calls, unless somebody floods the port.
const MAX_STRAYS: usize = 32;

/// A non-blocking socket from `local` and `port` to `peer` alone, for sending. `class` is the traffic class (DSCP and ECN bits).
pub fn connected(
    local: IpAddr,
    port: u16,
    peer: SocketAddr,
    class: Option<u8>,
) -> io::Result<Connected> {
    let peer = canonical(peer);
    let fd = bound(local, port, peer)?;
    // Best effort: smaller buffers and unmarked packets still work.
    let _ = setsockopt(&fd, sockopt::SndBuf, &MEDIA_SEND_BUFFER);
    if let Some(class) = class {
        let class = i32::from(class);
        let _ = match peer {
            SocketAddr::V4(_) => setsockopt(&fd, sockopt::Ipv4Tos, &class),
            SocketAddr::V6(_) => setsockopt(&fd, sockopt::Ipv6TClass, &class),
        };
    }
    connect(fd.as_raw_fd(), &SockaddrStorage::from(peer))?;
    let socket = UdpSocket::from(fd);
    let strays = strays(&socket, peer);
    // Nobody ever reads it again, and the client goes on pinging: no memory for that. The kernel makes it the least it has.
    let _ = setsockopt(&socket, sockopt::RcvBuf, &0);
    Ok(Connected { socket, strays })
}

/// Takes what arrived before the socket was connected; the peer's own pings have done their work.
fn strays(socket: &UdpSocket, peer: SocketAddr) -> Vec<Stray> {
    let mut strays = Vec::new();
    let mut bytes = [0; MAX_STRAY];
    // Bounded: the peer itself may send without end.
    for _ in 0..MAX_STRAYS {
        match socket.recv_from(&mut bytes) {
            Ok((len, source)) if canonical(source) != peer => {
                strays.push(Stray { source, bytes, len });
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    strays
}

/// A socket of a port that others share, not connected yet.
fn bound(local: IpAddr, port: u16, peer: SocketAddr) -> io::Result<OwnedFd> {
    let local = match (canonical(SocketAddr::new(local, port)), peer) {
        // A link-local address means nothing without its interface, and that is the peer's.
        (SocketAddr::V6(mut local), SocketAddr::V6(peer)) if local.ip().is_unicast_link_local() => {
            local.set_scope_id(peer.scope_id());
            SocketAddr::V6(local)
        }
        (local, _) => local,
    };
    let fd = open(peer)?;
    setsockopt(&fd, sockopt::ReusePort, &true)?;
    bind(fd.as_raw_fd(), &SockaddrStorage::from(local))?;
    Ok(fd)
}

fn open(address: SocketAddr) -> io::Result<OwnedFd> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::Inet,
        SocketAddr::V6(_) => AddressFamily::Inet6,
    };
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    Ok(socket(family, SockType::Datagram, flags, None)?)
}

/// The next datagram, if one waits. One that does not fit `buffer` is answered with `len` 0.
pub fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<Option<Arrived>> {
    let mut control = cmsg_space!(libc::in6_pktinfo, libc::in_pktinfo);
    let mut slices = [IoSliceMut::new(buffer)];
    let flags = MsgFlags::MSG_DONTWAIT;
    let message = match recvmsg::<SockaddrStorage>(
        socket.as_raw_fd(),
        &mut slices,
        Some(&mut control),
        flags,
    ) {
        Ok(message) => message,
        Err(Errno::EAGAIN) => return Ok(None),
        // The answer to something sent earlier met a closed port: news about that peer, not about this socket.
        Err(Errno::ECONNREFUSED | Errno::EHOSTUNREACH | Errno::ENETUNREACH | Errno::EINTR) => {
            return Ok(Some(Arrived {
                source: SocketAddr::new(IpAddr::from([0, 0, 0, 0]), 0),
                local: None,
                len: 0,
            }));
        }
        Err(error) => return Err(error.into()),
    };
    let Some(source) = message.address.as_ref().and_then(socket_address) else {
        return Ok(None);
    };
    let local = message.cmsgs().ok().and_then(|mut all| {
        all.find_map(|one| match one {
            ControlMessageOwned::Ipv4PacketInfo(info) => {
                Some(IpAddr::from(info.ipi_addr.s_addr.to_ne_bytes()))
            }
            ControlMessageOwned::Ipv6PacketInfo(info) => Some(IpAddr::from(info.ipi6_addr.s6_addr)),
            _ => None,
        })
    });
    let len = if message.flags.contains(MsgFlags::MSG_TRUNC) {
        0
    } else {
        message.bytes
    };
    Ok(Some(Arrived { source, local, len }))
}

/// Send on a wildcard socket, from the local address that the peer knows.
pub fn send_from(
    socket: &UdpSocket,
    bytes: &[u8],
    to: SocketAddr,
    from: Option<IpAddr>,
) -> io::Result<usize> {
    let slices = [IoSlice::new(bytes)];
    let to_address = SockaddrStorage::from(to);
    let (v4, v6);
    let control = match (from, to) {
        (Some(IpAddr::V4(from)), SocketAddr::V4(_)) => {
            v4 = libc::in_pktinfo {
                ipi_ifindex: 0,
                ipi_spec_dst: libc::in_addr {
                    s_addr: u32::from_ne_bytes(from.octets()),
                },
                ipi_addr: libc::in_addr { s_addr: 0 },
            };
            Some(ControlMessage::Ipv4PacketInfo(&v4))
        }
        (Some(IpAddr::V6(from)), SocketAddr::V6(to)) => {
            v6 = libc::in6_pktinfo {
                ipi6_addr: libc::in6_addr {
                    s6_addr: from.octets(),
                },
                ipi6_ifindex: to.scope_id(),
            };
            Some(ControlMessage::Ipv6PacketInfo(&v6))
        }
        _ => None,
    };
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
    Ok(sendmsg(
        socket.as_raw_fd(),
        &slices,
        control.as_slice(),
        flags,
        Some(&to_address),
    )?)
}

fn socket_address(storage: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(v4) = storage.as_sockaddr_in() {
        return Some(SocketAddr::from(*v4));
    }
    storage.as_sockaddr_in6().map(|v6| SocketAddr::from(*v6))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(socket: &UdpSocket) -> (Arrived, Vec<u8>) {
        let mut buffer = [0; 64];
        socket.set_nonblocking(false).unwrap();
        // MSG_DONTWAIT is per call: let the kernel wait in `peek` first.
        socket.peek_from(&mut buffer).unwrap();
        let arrived = receive(socket, &mut buffer).unwrap().unwrap();
        (arrived, buffer[..arrived.len].to_vec())
    }

    #[test]
    fn a_dual_stack_socket_knows_where_it_was_asked_and_answers_from_there() {
        let server = listen(Ipv6Addr::UNSPECIFIED.into(), 0, Sharing::Shared).unwrap();
        let port = server.local_addr().unwrap().port();
        // Two addresses of this host: the answer must come from the one that was asked.
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.connect(("127.0.0.7", port)).unwrap();
        client.send(b"hello").unwrap();
        let (arrived, bytes) = wait(&server);
        assert_eq!(bytes, b"hello");
        assert_eq!(canonical(arrived.source), client.local_addr().unwrap());
        let local = arrived.local.unwrap();
        assert_eq!(local.to_canonical(), Ipv4Addr::new(127, 0, 0, 7));
        send_from(&server, b"answer", arrived.source, arrived.local).unwrap();
        let mut buffer = [0; 16];
        assert_eq!(client.recv(&mut buffer).unwrap(), 6);

        let made = connected(local, port, arrived.source, Some(0xB8)).unwrap();
        assert!(made.strays.is_empty());
        let own = made.socket;
        own.send(b"own").unwrap();
        assert_eq!(client.recv(&mut buffer).unwrap(), 3);
        // From now on the kernel gives this client's datagrams to the connected socket.
        client.send(b"again").unwrap();
        assert_eq!(wait(&own).1, b"again");
        let mut scratch = [0; 16];
        assert_eq!(receive(&server, &mut scratch).unwrap(), None);
    }

    #[test]
    fn what_came_for_others_before_the_connect_is_told_apart() {
        let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
        let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
        let to = peer.local_addr().unwrap();
        let fd = bound(Ipv4Addr::LOCALHOST.into(), 0, to).unwrap();
        let socket = UdpSocket::from(fd);
        let port = socket.local_addr().unwrap();
        // The loopback delivers within the send.
        peer.send_to(b"mine", port).unwrap();
        stranger.send_to(b"stray", port).unwrap();
        socket.connect(to).unwrap();
        let strays = strays(&socket, to);
        let told: Vec<_> = strays
            .iter()
            .map(|stray| (stray.source, stray.bytes()))
            .collect();
        assert_eq!(told, [(stranger.local_addr().unwrap(), &b"stray"[..])]);
        assert!(socket.recv_from(&mut [0; 9]).is_err());
    }

    #[test]
    fn a_socket_that_is_never_read_holds_next_to_nothing() {
        let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
        let to = peer.local_addr().unwrap();
        let own = connected(Ipv4Addr::LOCALHOST.into(), 0, to, None)
            .unwrap()
            .socket;
        let bytes = nix::sys::socket::getsockopt(&own, sockopt::RcvBuf).unwrap();
        assert!(bytes < 8192, "{bytes}");
    }

    #[test]
    fn an_exclusive_port_is_not_shared() {
        let first = listen(Ipv6Addr::UNSPECIFIED.into(), 0, Sharing::Exclusive).unwrap();
        let port = first.local_addr().unwrap().port();
        let second = listen(Ipv6Addr::UNSPECIFIED.into(), port, Sharing::Exclusive);
        assert_eq!(second.unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }
}
