//! What SETUP replies say: ports, ping payloads, connect data.

use crate::{breach::Breaches, client::Options, rtsp::Response};

pub(super) fn parse_number(text: &str) -> Option<u32> {
    match text.strip_prefix("0x") {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

pub(super) fn server_port(response: &Response, default: u16, breaches: &Breaches) -> u16 {
    let transport = response.header("Transport").unwrap_or_default();
    let port = transport.split_once("server_port=").and_then(|(_, rest)| {
        rest.split(|c: char| !c.is_ascii_digit())
            .next()?
            .parse()
            .ok()
    });
    breaches.require(port.is_some(), "6.5", "setup-server-port", || {
        format!("Transport {transport:?}")
    });
    port.unwrap_or(default)
}

pub(super) fn ping_payload(
    response: &Response,
    options: &Options,
    breaches: &Breaches,
) -> Option<[u8; 16]> {
    let text = response.header("X-SS-Ping-Payload").unwrap_or_default();
    let payload: Option<[u8; 16]> = text
        .as_bytes()
        .try_into()
        .ok()
        .filter(|payload: &[u8; 16]| payload[0] != 0);
    breaches.require(
        payload.is_some(),
        "6.5",
        "ping-payload-not-16-characters",
        || format!("{text:?}"),
    );
    payload.filter(|_| !options.legacy_ping)
}
