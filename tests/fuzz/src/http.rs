//! Any bytes on the HTTP port, and any query of a launch: no panic, and an answer only to what is HTTP within the limits.
use http_body_util::Full;
use hyper::Response;
use punktfunk_service::net::nvhttp::{Parameters, Query, converse};
use std::{cell::Cell, time::Duration};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

thread_local! {
    static RUNTIME: tokio::runtime::Runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
}

/// One input.
pub fn run(data: &[u8]) {
    read_query(&String::from_utf8_lossy(data));
    RUNTIME.with(|runtime| runtime.block_on(serve(data)));
}

fn read_query(text: &str) {
    let query = Query::parse(text);
    if Parameters::parse(&query).is_ok() {
        // What was accepted was there.
        assert!(query.get("rikey").is_some_and(|key| key.len() == 32));
        assert!(query.get("rikeyid").is_some());
    }
}

async fn serve(data: &[u8]) {
    let (mut client, host) = tokio::io::duplex(data.len().max(1) + 4096);
    let asked = Cell::new(0_u32);
    client.write_all(data).await.expect("there is room");
    client.shutdown().await.expect("the other end is here");
    let served = converse(host, Duration::from_secs(60), |request| {
        asked.set(asked.get() + 1);
        read_query(request.uri().query().unwrap_or_default());
        async { Response::new(Full::new("<root/>".into())) }
    })
    .await;
    assert!(asked.get() <= 1, "one request per connection");
    let mut reply = Vec::new();
    client.read_to_end(&mut reply).await.expect("memory");
    if served.is_ok() && asked.get() == 1 {
        assert!(reply.starts_with(b"HTTP/1."));
    }
}
