//! The conversation; what the encryption policy does to it is in `policy`, clients behind one address in `shared`.
mod policy;
mod shared;

use super::*;
use crate::{
    agents::AgentHandle,
    config::EncryptionPolicy,
    ids::ClientId,
    launch::{Launch, LaunchRequest},
    net::harness::{OWNER, TestHost, exchange, exchange_bytes},
    store::ClientRecord,
};
use punktfunk_core::crypto::Key;
use std::net::IpAddr;

const KEY: Key = Key([7; 16]);

fn client(name: &str) -> ClientRecord {
    ClientRecord {
        id: ClientId(name.into()),
        name: name.into(),
        certificate_der: Vec::new(),
        owner: OWNER,
        paired_at: 0,
        last_seen: 0,
        permissions: Vec::new(),
        terms: crate::store::Terms::default(),
    }
}

fn agent(host: &TestHost) -> AgentHandle {
    if host.host.agents.for_owner(OWNER).is_none() {
        host.agent(&["h264"]);
    }
    host.host.agents.for_owner(OWNER).unwrap()
}

fn launch(host: &TestHost, name: &str, key: Key, sealed: bool) -> Arc<Launch> {
    launch_from(host, name, key, sealed, [127, 0, 0, 1].into())
}

fn launch_from(host: &TestHost, name: &str, key: Key, sealed: bool, peer: IpAddr) -> Arc<Launch> {
    host.host
        .launches
        .create(LaunchRequest {
            client: client(name),
            agent: agent(host),
            app: 1,
            key,
            key_id: 0,
            peer,
            local: IpAddr::from([127, 0, 0, 1]),
            play_on_host: false,
            sealed,
        })
        .unwrap()
}

async fn plain(host: &TestHost, request: &str) -> String {
    exchange(
        TcpStream::connect(host.rtsp).await.unwrap(),
        request.as_bytes(),
    )
    .await
}

async fn sealed(host: &TestHost, key: &Key, sequence: u32, request: &str) -> Option<(u32, String)> {
    let block = rtsp::seal(key, Direction::ClientToHost, sequence, request.as_bytes()).unwrap();
    let reply = exchange_bytes(TcpStream::connect(host.rtsp).await.unwrap(), &block).await;
    if reply.is_empty() {
        return None;
    }
    let (sequence, plain) = rtsp::open(key, Direction::HostToClient, &reply).unwrap();
    Some((sequence, String::from_utf8(plain).unwrap()))
}

fn header<'a>(response: &'a str, name: &str) -> &'a str {
    let line = response
        .lines()
        .find_map(|line| line.strip_prefix(&format!("{name}: ")));
    line.unwrap_or_else(|| panic!("no {name} in {response}"))
}

#[tokio::test]
async fn the_plain_conversation_up_to_setup_gives_what_the_client_needs() {
    let host = TestHost::new().await;
    let ports = host.host.settings.now().ports;
    let launch = launch(&host, "a", KEY, false);
    let options = plain(
        &host,
        "OPTIONS rtsp://127.0.0.1:1 RTSP/1.0\r\nCSeq: 1\r\nHost: 127.0.0.1\r\n\r\n",
    )
    .await;
    assert_eq!(options, "RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n");
    let describe = plain(
        &host,
        "DESCRIBE rtsp://127.0.0.1:1 RTSP/1.0\r\nCSeq: 2\r\n\r\n",
    )
    .await;
    assert!(describe.contains("encryptionSupported:7") && !describe.contains("AAAAAU"));
    let audio = plain(
        &host,
        "SETUP streamid=audio/0/0 RTSP/1.0\r\nCSeq: 3\r\nTransport: x\r\n\r\n",
    )
    .await;
    assert!(header(&audio, "Transport").contains(&format!("server_port={}", ports.audio)));
    assert_eq!(
        header(&audio, "X-SS-Ping-Payload").as_bytes(),
        launch.audio_ping
    );
    let session = header(&audio, "Session").split(';').next().unwrap();
    let video = plain(
        &host,
        &format!("SETUP streamid=video/0/0 RTSP/1.0\r\nCSeq: 4\r\nSession: {session}\r\n\r\n"),
    )
    .await;
    assert!(header(&video, "Transport").contains(&format!("server_port={}", ports.video)));
    assert_eq!(
        header(&video, "X-SS-Ping-Payload").as_bytes(),
        launch.video_ping
    );
    let control = plain(
        &host,
        "SETUP streamid=control/13/0 RTSP/1.0\r\nCSeq: 5\r\n\r\n",
    )
    .await;
    assert!(header(&control, "Transport").contains(&format!("server_port={}", ports.control)));
    assert_eq!(
        header(&control, "X-SS-Connect-Data"),
        launch.connect_data.to_string()
    );
    assert_ne!(launch.audio_ping, launch.video_ping);
}

#[tokio::test]
async fn sealed_requests_find_their_launch_by_the_key_alone() {
    let host = TestHost::new().await;
    let one = launch(&host, "a", Key([1; 16]), true);
    let two = launch(&host, "b", Key([2; 16]), true);
    let setup = "SETUP streamid=control/13/0 RTSP/1.0\r\nCSeq: 9\r\n\r\n";
    // Client counters go on across sessions: never expect 1.
    let (first, reply) = sealed(&host, &Key([2; 16]), 77, setup).await.unwrap();
    assert_eq!(
        header(&reply, "X-SS-Connect-Data"),
        two.connect_data.to_string()
    );
    let (second, reply) = sealed(&host, &Key([1; 16]), 5, setup).await.unwrap();
    assert_eq!(
        header(&reply, "X-SS-Connect-Data"),
        one.connect_data.to_string()
    );
    assert_ne!(first, second, "a reply's number is never used twice");
}

#[tokio::test]
async fn replayed_foreign_and_altered_blocks_get_no_answer() {
    let host = TestHost::new().await;
    launch(&host, "a", KEY, true);
    let options = "OPTIONS rtspenc://x RTSP/1.0\r\nCSeq: 1\r\n\r\n";
    assert!(sealed(&host, &KEY, 3, options).await.is_some());
    assert!(sealed(&host, &KEY, 3, options).await.is_none(), "replayed");
    assert!(sealed(&host, &KEY, 2, options).await.is_none(), "older");
    assert!(
        sealed(&host, &Key([8; 16]), 4, options).await.is_none(),
        "foreign"
    );
    assert!(sealed(&host, &KEY, 4, options).await.is_some());
}

#[tokio::test]
async fn plain_requests_are_refused_when_nobody_several_or_a_sealed_launch_waits() {
    let options = "OPTIONS rtsp://x RTSP/1.0\r\nCSeq: 1\r\n\r\n";
    let host = TestHost::new().await;
    assert!(plain(&host, options).await.starts_with("RTSP/1.0 454 "));
    launch(&host, "a", KEY, true);
    assert!(plain(&host, options).await.starts_with("RTSP/1.0 454 "));
    launch(&host, "a", KEY, false);
    assert!(plain(&host, options).await.starts_with("RTSP/1.0 200 OK"));
    launch(&host, "b", Key([2; 16]), false);
    assert!(plain(&host, options).await.starts_with("RTSP/1.0 454 "));
    let strict = TestHost::with(|config| {
        config.encryption = EncryptionPolicy::everywhere(Encryption::Required)
    })
    .await;
    launch(&strict, "a", KEY, false);
    assert!(plain(&strict, options).await.starts_with("RTSP/1.0 403 "));
}

#[tokio::test]
async fn out_of_order_unknown_and_malformed_requests_get_an_error_status() {
    let host = TestHost::new().await;
    launch(&host, "a", KEY, false);
    for (request, status) in [
        ("PLAY / RTSP/1.0\r\nCSeq: 1\r\n\r\n", "455"),
        ("TEARDOWN / RTSP/1.0\r\nCSeq: 1\r\n\r\n", "405"),
        ("SETUP streamid=what/0/0 RTSP/1.0\r\nCSeq: 1\r\n\r\n", "404"),
        (
            "SETUP streamid=audio/0/0 RTSP/1.0\r\nSession: other\r\n\r\n",
            "454",
        ),
        (
            "ANNOUNCE streamid=control/13/0 RTSP/1.0\r\nContent-length: 4\r\n\r\nv=0\n",
            "400",
        ),
        ("GET / HTTP/1.1\r\n\r\n", "400"),
        ("\r\n\r\n", "400"),
    ] {
        let reply = plain(&host, request).await;
        assert!(
            reply.starts_with(&format!("RTSP/1.0 {status} ")),
            "{request}: {reply}"
        );
    }
}

fn announce(mode: &str, codec: u8) -> String {
    announce_sealed(mode, codec, 1)
}

/// With these encryption bits.
fn announce_sealed(mode: &str, codec: u8, bits: u32) -> String {
    let (size, fps) = mode.split_once('@').unwrap();
    let (width, height) = size.split_once('x').unwrap();
    let body = format!(
        "v=0\r\na=x-nv-video[0].clientViewportWd:{width} \r\na=x-nv-video[0].clientViewportHt:{height} \r\n\
         a=x-nv-video[0].maxFPS:{fps} \r\na=x-nv-video[0].packetSize:1392 \r\na=x-ss-general.encryptionEnabled:{bits} \r\n\
         a=x-nv-vqos[0].bitStreamFormat:{codec} \r\na=x-ml-general.featureFlags:3 \r\nt=0 0\r\nm=video 47998\r\n"
    );
    format!(
        "ANNOUNCE streamid=control/13/0 RTSP/1.0\r\nCSeq: 6\r\nContent-type: application/sdp\r\n\
         Content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[tokio::test]
async fn impossible_wishes_and_an_agent_that_refuses_end_the_attempt_with_a_number() {
    let host = TestHost::new().await;
    launch(&host, "a", KEY, false);
    for (request, status) in [
        (announce("62x720@60", 0), "400"),
        (announce("1280x720@500", 0), "400"),
        (announce("1280x720@60", 1), "415"),
        (announce("1280x720@60", 0), "503"),
        // The launch was not used up by the failure.
        (announce("1280x720@60", 0), "503"),
    ] {
        let reply = plain(&host, &request).await;
        assert!(
            reply.starts_with(&format!("RTSP/1.0 {status} ")),
            "{request}: {reply}"
        );
    }
    assert!(
        plain(&host, "PLAY / RTSP/1.0\r\nCSeq: 7\r\n\r\n")
            .await
            .starts_with("RTSP/1.0 455 ")
    );
}

#[tokio::test]
async fn silent_and_slow_connections_are_closed_at_their_deadline() {
    let short = Deadlines {
        handshake: Duration::from_millis(300),
        request: Duration::from_millis(300),
    };
    let host = TestHost::within(|_| {}, short).await;
    let beginnings: [(SocketAddr, &[u8]); 8] = [
        (host.http, b""),
        (host.http, b"GET /serverinfo HTTP/1.1\r\nHost:"),
        (host.https, b""),
        (host.https, b"\x16\x03\x01\x02\x00\x01\x00"),
        (host.rtsp, b""),
        (host.rtsp, b"OPTIONS rtsp://x RTSP/1.0\r\n"),
        (host.rtsp, b"\x80\x00\x01\x00\x00\x00"),
        (
            host.rtsp,
            b"ANNOUNCE x RTSP/1.0\r\nContent-length: 60000\r\n\r\na=",
        ),
    ];
    for (address, bytes) in beginnings {
        // Ends only because the host closes.
        let reply = exchange_bytes(TcpStream::connect(address).await.unwrap(), bytes).await;
        assert!(!reply.starts_with(b"RTSP/1.0 200") && !reply.starts_with(b"HTTP/1.1 200"));
    }
}

#[tokio::test]
async fn requests_that_arrive_in_pieces_or_too_large_are_handled() {
    let host = TestHost::new().await;
    launch(&host, "a", KEY, false);
    let mut stream = TcpStream::connect(host.rtsp).await.unwrap();
    stream.set_nodelay(true).unwrap();
    for piece in "OPTIONS x RTSP/1.0\r\nCSeq: 4\r\n\r\n".as_bytes().chunks(3) {
        stream.write_all(piece).await.unwrap();
        stream.flush().await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(
        exchange(stream, b"").await,
        "RTSP/1.0 200 OK\r\nCSeq: 4\r\n\r\n"
    );
    for flood in [
        vec![b'a'; 1 << 20],
        vec![0xff; 1 << 20],
        b"ANNOUNCE x RTSP/1.0\r\nContent-length: 99999999\r\n\r\n".to_vec(),
    ] {
        let reply = exchange_bytes(TcpStream::connect(host.rtsp).await.unwrap(), &flood).await;
        assert!(!reply.starts_with(b"RTSP/1.0 200"));
    }
    assert!(
        plain(&host, "OPTIONS x RTSP/1.0\r\nCSeq: 5\r\n\r\n")
            .await
            .contains("200 OK")
    );
}

#[tokio::test]
async fn a_new_launch_of_the_same_client_replaces_its_older_one() {
    let host = TestHost::new().await;
    let old = launch(&host, "a", Key([1; 16]), true);
    let new = launch(&host, "a", Key([2; 16]), true);
    assert!(!host.host.launches.is_current(&old) && host.host.launches.is_current(&new));
    assert!(new.stream.0 > old.stream.0);
    let options = "OPTIONS rtspenc://x RTSP/1.0\r\nCSeq: 1\r\n\r\n";
    assert!(sealed(&host, &Key([1; 16]), 1, options).await.is_none());
    assert!(sealed(&host, &Key([2; 16]), 1, options).await.is_some());
    host.host.launches.cancel(&ClientId("a".into()));
    assert_eq!(host.host.launches.running_app(&ClientId("a".into())), 0);
    assert!(sealed(&host, &Key([2; 16]), 2, options).await.is_none());
}
