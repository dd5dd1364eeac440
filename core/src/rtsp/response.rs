//! The response writer. The client's parser is strict: a non-empty status text, `Name: value` with exactly one
//! space and a non-empty value, at least one header, CRLF line ends. What breaks a rule cannot be built here.
use std::fmt::Write as _;

/// One response; always carries `CSeq`, so that there is at least one header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    status: u16,
    text: &'static str,
    cseq: u32,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Response {
    /// 200, the only status that a client accepts.
    #[must_use]
    pub fn ok(cseq: u32) -> Self {
        Self::status(cseq, 200)
    }

    /// Any other status: the client gives up and shows the number.
    #[must_use]
    pub fn status(cseq: u32, status: u16) -> Self {
        let text = match status {
            200 => "OK",
            400 => "Bad Request",
            401 => "Unauthorized",
            403 => "Forbidden",
            404 => "Not Found",
            405 => "Method Not Allowed",
            415 => "Unsupported Media Type",
            453 => "Not Enough Bandwidth",
            454 => "Session Not Found",
            455 => "Method Not Valid in This State",
            500 => "Internal Server Error",
            503 => "Service Unavailable",
            _ => "Error",
        };
        Self {
            status,
            text,
            cseq,
            headers: Vec::new(),
            body: String::new(),
        }
    }

    /// Add a header. An empty value, or one with a line end, is left out: either would make the client reject the
    /// whole response, or let a value forge lines.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        let value = value.into();
        if !value.is_empty() && !value.contains(['\r', '\n']) {
            self.headers.push((name, value));
        }
        self
    }

    /// Set the body; it needs no length, the end of the connection ends it.
    #[must_use]
    pub fn body(mut self, body: String) -> Self {
        self.body = body;
        self
    }

    #[must_use]
    pub fn code(&self) -> u16 {
        self.status
    }

    /// The bytes to send, before sealing.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut text = String::with_capacity(256_usize.saturating_add(self.body.len()));
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "RTSP/1.0 {} {}\r\nCSeq: {}\r\n",
            self.status, self.text, self.cseq
        );
        for (name, value) in &self.headers {
            let _ = write!(text, "{name}: {value}\r\n");
        }
        text.push_str("\r\n");
        text.push_str(&self.body);
        text.into_bytes()
    }
}
