//! Thin I/O over core: every socket of the service. Decides nothing about protocol contents and holds no state of its own.
pub mod accept;
pub mod audio;
pub mod control;
pub mod datagram;
pub mod discovery;
#[cfg(test)]
mod harness;
pub mod nvhttp;
pub mod rtsp;
pub mod tls;
pub mod udp;
pub mod video;
pub mod wake;

use crate::config::Config;
use nix::sys::socket::{setsockopt, sockopt::Ipv6V6Only};
use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};
use tokio::net::{TcpListener, TcpSocket};

/// Connections that wait in the kernel until they are accepted.
const BACKLOG: u32 = 256;

/// The TCP listeners of the host. The UDP sockets are the media planes' own.
pub struct Bound {
    pub http: TcpListener,
    pub https: TcpListener,
    pub rtsp: TcpListener,
}

/// Bind the TCP ports of `config`; must be called within a tokio runtime. An error names the port.
pub fn bind(config: &Config) -> io::Result<Bound> {
    Ok(Bound {
        http: listen("HTTP", config.bind, config.ports.http)?,
        https: listen("HTTPS", config.bind, config.ports.https)?,
        rtsp: listen("RTSP", config.bind, config.ports.rtsp)?,
    })
}

fn listen(what: &str, address: IpAddr, port: u16) -> io::Result<TcpListener> {
    match listen_on(SocketAddr::new(address, port)) {
        // A kernel without IPv6: the IPv4 wildcard is what is left of "everywhere".
        Err(e) if address.is_ipv6() && address.is_unspecified() && no_such_family(&e) => {
            listen_on(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port))
        }
        other => other,
    }
    .map_err(|e| {
        let hint = match e.kind() {
            io::ErrorKind::AddrInUse => {
                "; another program (or another punktfunkd) uses it: stop it or configure other ports"
            }
            _ => "",
        };
        io::Error::new(
            e.kind(),
            format!("cannot listen for {what} on TCP port {port} of {address}: {e}{hint}"),
        )
    })
}

fn listen_on(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv6() {
        let socket = TcpSocket::new_v6()?;
        // Not left to net.ipv6.bindv6only: the wildcard must take IPv4 as well.
        setsockopt(&socket, Ipv6V6Only, &false)?;
        socket
    } else {
        TcpSocket::new_v4()?
    };
    // On TCP this only lets a restarted service take its port over TIME_WAIT.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn no_such_family(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(code) if code == nix::errno::Errno::EAFNOSUPPORT as i32
            || code == nix::errno::Errno::EADDRNOTAVAIL as i32
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv6Addr;
    use tokio::net::TcpStream;

    #[tokio::test]
    async fn one_wildcard_listener_serves_both_address_families_or_ipv4_alone() {
        let listener = listen("HTTP", Ipv6Addr::UNSPECIFIED.into(), 0).unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(
            TcpStream::connect((Ipv4Addr::LOCALHOST, port))
                .await
                .is_ok()
        );
        if listener.local_addr().unwrap().is_ipv6() {
            assert!(
                TcpStream::connect((Ipv6Addr::LOCALHOST, port))
                    .await
                    .is_ok()
            );
        }
    }

    #[tokio::test]
    async fn a_port_in_use_is_named_with_what_to_do() {
        let first = listen("HTTP", Ipv4Addr::LOCALHOST.into(), 0).unwrap();
        let port = first.local_addr().unwrap().port();
        let error = listen("RTSP", Ipv4Addr::LOCALHOST.into(), port)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("RTSP")
                && error.contains(&port.to_string())
                && error.contains("another program")
        );
    }
}
