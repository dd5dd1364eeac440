//! What the host must withstand: strangers, wrong PINs, malformed words, nobody's agent. Running streams lose nothing.

mod fixture;

use fixture::{
    Setup,
    bystander::{assert_unharmed, small},
};
use punktfunk_tests::{
    Client, Identity, http,
    impairment::Random,
    nvhttp,
    pairing::{Attempt, PairingError},
    tls,
};
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream, UdpSocket},
    time::Duration,
};

const SOON: Duration = Duration::from_secs(60);

#[test]
fn a_wrong_pin_pairs_nobody_and_both_sides_say_so() {
    let host = Setup::default().without_agent().start();
    let mut client = host.stranger();
    let (ours, theirs) = host.pair_both(&mut client, "1234", "4321");
    assert!(matches!(ours, Err(PairingError::WrongPin)), "{ours:?}");
    let theirs = theirs
        .expect_err("the one who entered it is told")
        .to_string();
    assert!(theirs.contains("the PIN was wrong"), "{theirs}");
    assert!(client.pinned.is_none());
    assert_eq!(host.block(host.proxy().client_count()).expect("count"), 0);
    assert!(client.breaches.is_empty(), "{:?}", client.breaches.list());
}

#[test]
fn a_stage_out_of_order_ends_the_attempt() {
    let host = Setup::default().without_agent().start();
    let client = host.stranger();
    for parameters in [
        [("clientchallenge", "00")],
        [("serverchallengeresp", "00")],
        [("clientpairingsecret", "00")],
        [("phrase", "nonsense")],
    ] {
        let refused =
            Attempt::new(&client, "1234").stage(false, &parameters, Duration::from_secs(5));
        assert!(refused.is_err(), "{parameters:?}");
    }
    assert!(client.server_info(false).is_ok());
    assert!(client.breaches.is_empty(), "{:?}", client.breaches.list());
}

#[test]
fn outside_of_a_pairing_window_nobody_can_pair() {
    let host = Setup::default().without_agent().start();
    let mut client = host.stranger();
    let error = client.pair("1234").expect_err("no window is open");
    assert!(
        error.to_string().contains("punktfunkctl pair"),
        "{error}: says what to do"
    );
}

#[test]
fn an_unknown_certificate_gets_401_in_xml_everywhere() {
    let host = Setup::default().start();
    let known = host.client();
    let mut stranger = host.stranger();
    stranger.discover().expect("serverinfo over HTTP");
    stranger.pinned = known.pinned.clone();
    for endpoint in [
        "serverinfo",
        "applist",
        "launch",
        "resume",
        "cancel",
        "appasset",
    ] {
        let answer: nvhttp::Answer = stranger
            .request(true, endpoint, &[("appid", "1")], Duration::from_secs(5))
            .expect("an answer");
        assert_eq!(answer.status, 401, "{endpoint}: {}", answer.message);
    }
    // Without any certificate at all.
    let config = tls::config(
        None,
        known.pinned.clone(),
        tls::Versions::Both,
        &known.breaches,
    )
    .expect("TLS");
    let reply = http::get(
        known.address(known.https_port),
        Some(config),
        "/serverinfo?uniqueid=0&uuid=0",
        Duration::from_secs(5),
        &known.breaches,
    );
    assert!(reply.is_err() || String::from_utf8_lossy(&reply.unwrap().body).contains("401"));
    assert!(
        known.server_info(true).expect("serverinfo").paired,
        "the paired client is still let in"
    );
    assert!(
        stranger.breaches.is_empty(),
        "{:?}",
        stranger.breaches.list()
    );
}

/// Bytes to a TCP port; whatever comes back, until the host closes or five seconds pass.
fn poke(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).expect("the port is still open");
    stream
        .set_read_timeout(Some(Duration::from_millis(500)))
        .expect("timeout");
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut answer = Vec::new();
    let _ = stream.take(1 << 20).read_to_end(&mut answer);
    answer
}

#[test]
fn malformed_http_rtsp_and_enet_harm_neither_the_service_nor_a_running_stream() {
    let mut host = Setup::default().start();
    let client = host.client();
    let running = client
        .stream(&small(&host, &client), false)
        .expect("stream");
    assert!(running.wait_decoded(10, SOON));
    let mut random = Random::new(99);
    let mut noise = |length: usize| {
        (0..length)
            .map(|_| random.draw() as u8)
            .collect::<Vec<u8>>()
    };
    let base = host.address().http_port;
    let at = |port: u16| client.address(port);

    let long = [b"GET /".as_slice(), &[b'a'; 100_000], b" HTTP/1.1\r\n\r\n"].concat();
    let many = [
        b"GET / HTTP/1.1\r\n".as_slice(),
        &b"X: y\r\n".repeat(20_000),
        b"\r\n",
    ]
    .concat();
    for port in [base, base - 5, base + 21] {
        for bytes in [
            b"".as_slice(),
            b"\r\n\r\n",
            b"GET",
            b"GET / HTTP/9.9\r\n\r\n",
            b"POST /pair HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
            &long,
            &many,
            &noise(3000),
        ] {
            poke(at(port), bytes);
        }
    }
    let rtsp = at(base + 21);
    for bytes in [
        b"OPTIONS rtsp://x RTSP/1.0\r\nCSeq: 1\r\n\r\n".as_slice(),
        b"ANNOUNCE streamid=control/13/0 RTSP/1.0\r\nCSeq: 1\r\nContent-length: 4294967295\r\n\r\nv=0",
        b"ANNOUNCE streamid=control/13/0 RTSP/1.0\r\nCSeq: 1\r\nContent-length: -1\r\n\r\n",
        b"SETUP streamid=audio/0/0 RTSP/1.0\r\nCSeq: 99999999999\r\nSession: DEADBEEF\r\n\r\n",
        &[0xff; 24],
        &[0x80, 0xff, 0xff, 0xff, 0, 0, 0, 1],
        &[0x80, 0, 0, 8, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 1, 2, 3, 4, 5, 6, 7, 8],
    ] {
        poke(rtsp, bytes);
    }
    let socket = UdpSocket::bind("127.0.0.1:0").expect("socket");
    let connect = |data: u32| {
        let mut bytes = hex::decode("8fff0000820000010000ffff00000384000200000000003000000000000000000000138800000002000000020000002a").expect("hex");
        bytes.extend(data.to_be_bytes());
        bytes
    };
    for port in [base + 9, base + 10, base + 11] {
        for length in [0, 1, 3, 4, 12, 16, 20, 40, 600, 1400, 9000] {
            socket.send_to(&noise(length), at(port)).expect("send");
        }
        for data in 0..50 {
            socket.send_to(&connect(data), at(port)).expect("send");
        }
        socket.send_to(b"PING", at(port)).expect("send");
    }
    // Through the running connection: sealed wrongly, sealed rightly with nonsense inside.
    let commands = &running.control().commands;
    commands.raw(0, noise(50));
    commands.raw(1, vec![1, 0, 0xff, 0xff]);
    commands.raw(2, Vec::new());
    for (kind, payload) in [
        (0x0206, vec![0xff; 40]),
        (0x0206, Vec::new()),
        (0x0206, vec![0, 0, 0, 200, 3, 0, 0, 0]),
        (0x0301, vec![0xff; 24]),
        (0x0301, vec![1]),
        (0x5502, vec![0; 3]),
        (0x7777, vec![0; 500]),
    ] {
        commands.send(0, kind, &payload);
    }
    assert_unharmed(running);
    host.service().assert_alive();
    assert!(client.server_info(true).is_ok());
}

#[test]
fn a_client_without_an_agent_is_told_so_at_launch() {
    let host = Setup::default().without_agent().start();
    let client = host.client();
    let error = client
        .launch(&host.options(&client), false)
        .err()
        .expect("nobody can stream")
        .to_string();
    assert!(
        error.contains("agent") || error.contains("session"),
        "{error}"
    );
}

#[test]
fn plain_rtsp_of_another_device_cannot_take_a_launch() {
    let host = Setup::default().start();
    let client = host.client();
    let options = small(&host, &client);
    let launched = client.launch(&options, false).expect("launch");
    assert!(launched.sealed_rtsp);
    let intruder = Client::new(host.address(), Identity::generate().expect("identity"));
    let mut plain = punktfunk_tests::streaming::Launched {
        key: [7; 16],
        sealed_rtsp: false,
        ..launched
    };
    assert!(
        intruder.start(&options, &plain).is_err(),
        "plaintext where sealed was promised"
    );
    plain.sealed_rtsp = true;
    assert!(intruder.start(&options, &plain).is_err(), "another key");
    // Each device has one launch: a fresh one of the rightful client works.
    let running = client
        .stream(&options, client.server_info(true).expect("serverinfo").busy)
        .expect("stream");
    assert!(running.wait_decoded(10, SOON));
    assert_unharmed(running);
}
