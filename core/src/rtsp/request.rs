//! The request parser: bounded, and as tolerant as one must be with targets that are no URIs.
use super::MAX_MESSAGE;
use crate::{Error, Result};

/// Header lines taken in one request; clients send six at most.
const MAX_HEADERS: usize = 64;

/// The methods that GameStream uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    Options,
    Describe,
    Setup,
    Announce,
    Play,
}

impl Method {
    fn parse(token: &str) -> Option<Self> {
        Some(match token {
            "OPTIONS" => Self::Options,
            "DESCRIBE" => Self::Describe,
            "SETUP" => Self::Setup,
            "ANNOUNCE" => Self::Announce,
            "PLAY" => Self::Play,
            _ => return None,
        })
    }
}

/// One complete request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `None`: a method that GameStream does not have.
    pub method: Option<Method>,
    /// As sent: a session URL, `streamid=audio/0/0`, `/`, ...
    pub target: String,
    /// Names as sent, values trimmed, in order.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    /// Parse one request from the start of `bytes`; `None` while it is incomplete.
    ///
    /// # Errors
    /// [`Error::Malformed`] as soon as the bytes cannot become a request of at most [`MAX_MESSAGE`] bytes.
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>> {
        let Some((head, rest)) = split_head(bytes) else {
            return if bytes.len() >= MAX_MESSAGE {
                Err(malformed("the header does not end within the limit"))
            } else {
                Ok(None)
            };
        };
        let head_len = bytes.len().saturating_sub(rest.len());
        let head = std::str::from_utf8(head).map_err(|_| malformed("the header is not UTF-8"))?;
        let mut lines = head
            .split('\n')
            .map(|line| line.strip_suffix('\r').unwrap_or(line));
        let (method, target) = request_line(lines.next().unwrap_or_default())?;
        let headers = header_lines(lines)?;
        let length = content_length(&headers)?;
        if head_len.saturating_add(length) > MAX_MESSAGE {
            return Err(malformed("the body is longer than the limit"));
        }
        let Some(body) = rest.get(..length) else {
            return Ok(None);
        };
        Ok(Some(Self {
            method,
            target,
            headers,
            body: body.to_vec(),
        }))
    }

    /// The first header of this name, whatever its case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// The sequence number to echo; 0 when the client sent none.
    #[must_use]
    pub fn cseq(&self) -> u32 {
        self.header("CSeq")
            .and_then(|value| value.parse().ok())
            .unwrap_or(0)
    }
}

/// Cut after the first empty line: the lines before it, and what follows.
fn split_head(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let within = bytes.get(..MAX_MESSAGE).unwrap_or(bytes);
    let mut from = 0_usize;
    loop {
        let at = from.checked_add(within.get(from..)?.iter().position(|&b| b == b'\n')?)?;
        let after = at.checked_add(1)?;
        let empty = match within.get(after..)? {
            [b'\n', ..] => Some(1),
            [b'\r', b'\n', ..] => Some(2),
            _ => None,
        };
        if let Some(empty) = empty {
            return Some((bytes.get(..at)?, bytes.get(after.checked_add(empty)?..)?));
        }
        from = after;
    }
}

fn request_line(line: &str) -> Result<(Option<Method>, String)> {
    let mut words = line.split_ascii_whitespace();
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(malformed("the request line is not METHOD target RTSP/1.0"));
    };
    if version != "RTSP/1.0" {
        return Err(malformed("the version is not RTSP/1.0"));
    }
    Ok((Method::parse(method), target.to_owned()))
}

fn header_lines<'a>(lines: impl Iterator<Item = &'a str>) -> Result<Vec<(String, String)>> {
    let mut headers = Vec::new();
    for line in lines {
        let (name, value) = line
            .split_once(':')
            .ok_or_else(|| malformed("a header line has no colon"))?;
        if headers.len() == MAX_HEADERS {
            return Err(malformed("there are too many header lines"));
        }
        headers.push((name.trim().to_owned(), value.trim().to_owned()));
    }
    Ok(headers)
}

fn content_length(headers: &[(String, String)]) -> Result<usize> {
    match find(headers, "Content-length") {
        None => Ok(0),
        Some(text) => text
            .parse()
            .map_err(|_| malformed("Content-length is not a number")),
    }
}

fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find(|(n, _)| n.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
}

fn malformed(why: &'static str) -> Error {
    Error::Malformed {
        what: "RTSP request",
        why,
    }
}
