//! RTSP as the clients speak it: one request per TCP connection, plain or sealed, with their unforgiving response parser.

use crate::{
    breach::Breaches,
    crypto::{Gcm, Iv},
};
use anyhow::{Context, Result, bail};
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

const MAX_RESPONSE: usize = 1 << 20;
const SEALED_HEADER: usize = 24;

/// Counts on through all connections and sessions of this process; the first message is 1.
static SEQUENCE: AtomicU32 = AtomicU32::new(0);

/// A parsed response. Header names keep their spelling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Response {
    /// Case-sensitive, as the clients compare.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
    }
}

/// A connection maker for one session: address, key when sealed, CSeq.
pub struct Rtsp {
    pub address: SocketAddr,
    pub sealed: Option<Gcm>,
    pub host_header: String,
    sequence: u32,
    breaches: Breaches,
}

impl Rtsp {
    pub fn new(
        address: SocketAddr,
        sealed: Option<Gcm>,
        host_header: String,
        breaches: Breaches,
    ) -> Self {
        Self {
            address,
            sealed,
            host_header,
            sequence: 0,
            breaches,
        }
    }

    /// One exchange. Any status but 200 is an error.
    pub fn exchange(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<Response> {
        self.sequence += 1;
        let mut request = format!(
            "{method} {target} RTSP/1.0\r\nCSeq: {}\r\nX-GS-ClientVersion: 14\r\nHost: {}\r\n",
            self.sequence, self.host_header
        );
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("\r\n");
        request.push_str(body);
        let bytes = match &self.sealed {
            Some(gcm) => seal(
                gcm,
                b'C',
                SEQUENCE.fetch_add(1, Ordering::Relaxed).wrapping_add(1),
                request.as_bytes(),
            ),
            None => request.into_bytes(),
        };
        let answer =
            exchange_bytes(self.address, &bytes).with_context(|| format!("RTSP {method}"))?;
        let plain = match &self.sealed {
            Some(gcm) => open(gcm, b'H', &answer).inspect_err(|e| {
                self.breaches
                    .record("6.2", "rtsp-sealed-response", || format!("{method}: {e:#}"))
            })?,
            None => answer,
        };
        let response = parse(&plain).inspect_err(|e| {
            self.breaches
                .record("6.1", "rtsp-response-syntax", || format!("{method}: {e:#}"))
        })?;
        let echoed = response.header("CSeq") == Some(self.sequence.to_string().as_str());
        self.breaches.require(echoed, "6.1", "rtsp-cseq", || {
            format!(
                "{method}: CSeq {:?} for {}",
                response.header("CSeq"),
                self.sequence
            )
        });
        if response.status != 200 {
            bail!("the host answers RTSP {method} with {}", response.status);
        }
        Ok(response)
    }
}

/// Send the bytes in small segments on a fresh connection and read until EOF. A refused connection is tried again for 10 s.
pub fn exchange_bytes(address: SocketAddr, bytes: &[u8]) -> Result<Vec<u8>> {
    let give_up = Instant::now() + Duration::from_secs(10);
    let mut stream = loop {
        match TcpStream::connect_timeout(&address, Duration::from_secs(10)) {
            Ok(stream) => break stream,
            Err(e)
                if e.kind() == std::io::ErrorKind::ConnectionRefused
                    && Instant::now() < give_up =>
            {
                std::thread::sleep(Duration::from_millis(500))
            }
            Err(e) => return Err(e).with_context(|| format!("cannot connect to {address}")),
        }
    };
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(15)))?;
    for segment in bytes.chunks(512) {
        stream.write_all(segment)?;
    }
    let mut answer = Vec::new();
    stream
        .take(MAX_RESPONSE as u64 + 1)
        .read_to_end(&mut answer)
        .context("no EOF after the response")?;
    if answer.len() > MAX_RESPONSE {
        bail!("the response is larger than {MAX_RESPONSE} bytes");
    }
    Ok(answer)
}

fn iv(sequence: u32, direction: u8) -> Iv {
    let mut iv = [0; 12];
    iv[..4].copy_from_slice(&sequence.to_le_bytes());
    iv[10] = direction;
    iv[11] = b'R';
    Iv::Short(iv)
}

/// One sealed message. `direction`: `C` from the client, `H` from the host.
pub fn seal(gcm: &Gcm, direction: u8, sequence: u32, plain: &[u8]) -> Vec<u8> {
    let (cipher, tag) = gcm.seal(iv(sequence, direction), plain);
    let mut bytes = (0x8000_0000 | plain.len() as u32).to_be_bytes().to_vec();
    bytes.extend(sequence.to_be_bytes());
    bytes.extend(tag);
    bytes.extend(cipher);
    bytes
}

/// Exactly one sealed block, nothing before or after it.
pub fn open(gcm: &Gcm, direction: u8, bytes: &[u8]) -> Result<Vec<u8>> {
    if bytes.len() < SEALED_HEADER {
        bail!("{} bytes are no sealed message", bytes.len());
    }
    let word =
        |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let (length, sequence) = (word(0), word(4));
    if length & 0x8000_0000 == 0 {
        bail!("the top bit of the length is not set");
    }
    if bytes.len() - SEALED_HEADER != (length & 0x7fff_ffff) as usize {
        bail!(
            "{} bytes of ciphertext, the header says {}",
            bytes.len() - SEALED_HEADER,
            length & 0x7fff_ffff
        );
    }
    gcm.open(
        iv(sequence, direction),
        &bytes[8..24],
        &bytes[SEALED_HEADER..],
    )
    .context("the tag does not match")
}

/// The response, by the rules of the clients' parser.
pub fn parse(bytes: &[u8]) -> Result<Response> {
    let text = std::str::from_utf8(bytes).context("not text")?;
    let (head, body) = text
        .split_once("\r\n\r\n")
        .context("no blank line (CRLF CRLF)")?;
    let mut lines = head.split("\r\n");
    let status_line = lines.next().unwrap_or_default();
    let mut words = status_line.splitn(3, ' ');
    if words.next() != Some("RTSP/1.0") {
        bail!("status line {status_line:?} does not start with RTSP/1.0");
    }
    let status = words
        .next()
        .and_then(|word| word.parse().ok())
        .with_context(|| format!("no status code in {status_line:?}"))?;
    if words.next().is_none_or(str::is_empty) {
        bail!("no status text in {status_line:?}");
    }
    let mut headers = Vec::new();
    for line in lines {
        let (name, value) = line
            .split_once(": ")
            .with_context(|| format!("header {line:?} is not `Name: value`"))?;
        if name.is_empty()
            || value.is_empty()
            || value.starts_with(' ')
            || line.contains('\n')
            || line.contains('\r')
        {
            bail!("header {line:?} is not `Name: value`");
        }
        headers.push((name.to_owned(), value.to_owned()));
    }
    if headers.is_empty() {
        bail!("no header at all");
    }
    Ok(Response {
        status,
        headers,
        body: body.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sealed_vector_of_section_14_comes_out() {
        let gcm = Gcm::new(&std::array::from_fn(|i| i as u8));
        let plain = b"OPTIONS rtspenc://10.0.0.1:48010 RTSP/1.0\r\nCSeq: 1\r\n\r\n";
        let sealed = seal(&gcm, b'C', 1, plain);
        assert_eq!(
            hex::encode(&sealed[..24]),
            "80000036000000016f4ae6d59a7c3140fa8ff998412ae4c1"
        );
        assert_eq!(
            hex::encode(&sealed[24..]),
            "9fe452003a42126629e9a38df3e5ba69a1abdaec51aa1661850d8735998f849928429fae652a7d7788916ae9ff8d5721d8bff2ab5174"
        );
        assert_eq!(open(&gcm, b'C', &sealed).unwrap(), plain);
        assert!(open(&gcm, b'H', &sealed).is_err(), "another direction");
        assert!(
            open(&gcm, b'C', &[sealed.as_slice(), b"x"].concat()).is_err(),
            "excess bytes"
        );
        assert!(open(&gcm, b'C', &sealed[..23]).is_err());
        let mut plain_bit = sealed.clone();
        plain_bit[0] = 0;
        assert!(open(&gcm, b'C', &plain_bit).is_err());
    }

    #[test]
    fn responses_that_break_real_clients_are_refused() {
        let good =
            parse(b"RTSP/1.0 200 OK\r\nCSeq: 3\r\nSession: 1;timeout = 90\r\n\r\nbody\n").unwrap();
        assert_eq!(
            (
                good.status,
                good.header("Session"),
                good.header("session"),
                good.body.as_str()
            ),
            (200, Some("1;timeout = 90"), None, "body\n")
        );
        for bad in [
            "RTSP/1.0 200 OK\r\n\r\n",
            "RTSP/1.0 200\r\nCSeq: 1\r\n\r\n",
            "RTSP/1.0 200 OK\nCSeq: 1\n\n",
            "RTSP/1.0 200 OK\r\nCSeq:1\r\n\r\n",
            "RTSP/1.0 200 OK\r\nCSeq:  1\r\n\r\n",
            "RTSP/1.0 200 OK\r\nCSeq: \r\n\r\n",
            "HTTP/1.1 200 OK\r\nCSeq: 1\r\n\r\n",
            "RTSP/1.0 200 OK\r\nCSeq: 1\r\n",
        ] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }
}
