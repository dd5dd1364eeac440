//! Any bytes as an RTSP request, plain and sealed: no panic, and nothing accepted beyond the limit.
use punktfunk_core::crypto::Key;
use punktfunk_core::rtsp::{Direction, MAX_MESSAGE, Request, Response, open, seal, sealed_len};

/// One input.
pub fn run(data: &[u8]) {
    if let Ok(Some(request)) = Request::parse(data) {
        assert!(request.body.len() <= MAX_MESSAGE);
        let echoed = Response::ok(request.cseq())
            .header("Session", request.header("Session").unwrap_or_default())
            .encode();
        // Whatever a client sends, the answer has the lines that we wrote, and no more.
        assert!(echoed.ends_with(b"\r\n\r\n"));
        assert!(echoed.iter().filter(|byte| **byte == b'\n').count() <= 4);
    }
    let key = Key([1; 16]);
    let _ = sealed_len(data);
    let _ = open(&key, Direction::ClientToHost, data);
    if let Ok(block) = seal(&key, Direction::ClientToHost, 1, data) {
        assert_eq!(open(&key, Direction::ClientToHost, &block).unwrap().1, data);
    }
}
