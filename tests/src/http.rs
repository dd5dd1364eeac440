//! One GET over HTTP/1.1, plain or inside TLS, and what the reply must look like on the byte level.

use crate::breach::Breaches;
use anyhow::{Context, Result, bail};
use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::Duration,
};

/// The largest body that the client takes: box art is the biggest legitimate one.
const MAX_REPLY: usize = 8 << 20;

/// A reply: HTTP status, headers with lower-case names, body.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
    }
}

/// `GET path` at `address`, over TLS when a configuration is given. `timeout` bounds the connecting and each read.
pub fn get(
    address: SocketAddr,
    tls: Option<Arc<rustls::ClientConfig>>,
    path: &str,
    timeout: Duration,
    breaches: &Breaches,
) -> Result<Reply> {
    let tcp = TcpStream::connect_timeout(&address, timeout.min(Duration::from_secs(10)))
        .with_context(|| format!("cannot connect to {address}"))?;
    tcp.set_read_timeout(Some(timeout))?;
    tcp.set_nodelay(true)?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: punktfunk-testclient\r\nAccept: */*\r\n\r\n"
    );
    let (bytes, closed) = match tls {
        None => {
            let mut stream = tcp;
            stream.write_all(request.as_bytes())?;
            read_reply(&mut stream)?
        }
        Some(config) => {
            let name = rustls::pki_types::ServerName::IpAddress(address.ip().into());
            let connection = rustls::ClientConnection::new(config, name)?;
            let mut stream = rustls::StreamOwned::new(connection, tcp);
            stream
                .write_all(request.as_bytes())
                .context("TLS handshake")?;
            read_reply(&mut stream)?
        }
    };
    breaches.require(closed, "3", "http-connection-left-open", || {
        format!("{path}: the connection was not closed after the reply")
    });
    parse(&bytes, breaches)
}

/// Everything up to EOF. `false`: the body was complete, but the connection stayed open until the read timed out.
fn read_reply(stream: &mut impl Read) -> Result<(Vec<u8>, bool)> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 16 * 1024];
    loop {
        match stream.read(&mut chunk) {
            Ok(0) => return Ok((bytes, true)),
            Ok(n) => bytes.extend_from_slice(&chunk[..n]),
            // A host that closes TCP without close_notify: tolerated by clients, the length tells whether all is there.
            Err(e) if e.kind() == ErrorKind::UnexpectedEof => return Ok((bytes, true)),
            Err(e)
                if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
                    && is_complete(&bytes) =>
            {
                return Ok((bytes, false));
            }
            Err(e) => return Err(e).context("no complete reply"),
        }
        if bytes.len() > MAX_REPLY {
            bail!("the reply is larger than {MAX_REPLY} bytes");
        }
    }
}

fn is_complete(bytes: &[u8]) -> bool {
    let (Some(head_end), Ok(text)) = (head_end(bytes), std::str::from_utf8(bytes)) else {
        return false;
    };
    let length = text[..head_end].lines().find_map(|line| {
        line.to_ascii_lowercase()
            .strip_prefix("content-length:")
            .and_then(|v| v.trim().parse::<usize>().ok())
    });
    length.is_some_and(|length| bytes.len() >= head_end + 4 + length)
}

fn head_end(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|window| window == b"\r\n\r\n")
}

fn parse(bytes: &[u8], breaches: &Breaches) -> Result<Reply> {
    let end =
        head_end(bytes).with_context(|| format!("no HTTP reply ({} bytes came)", bytes.len()))?;
    let head = std::str::from_utf8(&bytes[..end]).context("the HTTP head is not text")?;
    let mut lines = head.split("\r\n");
    let status_line = lines.next().unwrap_or_default();
    let mut words = status_line.split(' ');
    if !words.next().unwrap_or_default().starts_with("HTTP/1.") {
        bail!("not HTTP/1: {status_line}");
    }
    let status = words
        .next()
        .and_then(|word| word.parse().ok())
        .with_context(|| format!("no status in {status_line:?}"))?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let reply = Reply {
        status,
        headers,
        body: bytes[end + 4..].to_vec(),
    };
    let length = reply
        .header("content-length")
        .and_then(|value| value.parse::<usize>().ok());
    breaches.require(
        length == Some(reply.body.len()),
        "3",
        "http-content-length",
        || {
            format!(
                "Content-Length {:?} for a body of {} bytes",
                reply.header("content-length"),
                reply.body.len()
            )
        },
    );
    Ok(reply)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_with_a_wrong_length_is_a_breach() {
        let breaches = Breaches::default();
        let good = parse(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", &breaches).unwrap();
        assert_eq!((good.status, good.body.as_slice()), (200, b"ok".as_slice()));
        assert!(breaches.is_empty());
        parse(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", &breaches).unwrap();
        assert_eq!(breaches.list()[0].rule, "http-content-length");
        assert!(parse(b"SSH-2.0\r\n\r\n", &breaches).is_err());
    }
}
