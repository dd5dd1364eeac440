#![allow(clippy::arithmetic_side_effects, reason = "test data")]
use super::{query::Query, run::*, xml::Xml};
use crate::{
    config::{Encryption, EncryptionPolicy},
    net::harness::{CLIENT_KEY, CLIENT_PEM, CLIENT_V1_PEM, OWNER, TestHost, exchange, http_get},
};
use std::{net::IpAddr, sync::Arc, time::Duration};
use tokio::{io::AsyncReadExt, net::TcpStream};

const OTHER_KEY: &[u8] = include_bytes!("../../../../core/src/pairing/fixtures/host_key.pkcs8.der");
const LAUNCH: &str = "rikey=000102030405060708090a0b0c0d0e0f&rikeyid=-1234567&mode=1280x720x60\
                      &surroundAudioInfo=196610&localAudioPlayMode=0&corever=1";

fn launch_path(verb: &str) -> String {
    format!(
        "/{verb}?uniqueid=0123456789ABCDEF&appid={}&{LAUNCH}",
        punktfunk_dbus::applications::DESKTOP
    )
}

fn element<'a>(xml: &'a str, name: &str) -> &'a str {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let from = xml
        .find(&open)
        .unwrap_or_else(|| panic!("no {name} in {xml}"))
        + open.len();
    &xml[from..from + xml[from..].find(&close).unwrap()]
}

#[tokio::test]
async fn a_stranger_learns_the_host_and_nothing_else() {
    let host = TestHost::new().await;
    let xml = host
        .get("/serverinfo?uniqueid=0123456789ABCDEF&uuid=1")
        .await;
    assert!(xml.contains("<root status_code=\"200\">"));
    assert_eq!(element(&xml, "hostname"), "desk &amp; &lt;chair&gt;");
    assert_eq!(element(&xml, "appversion"), "7.1.431.-1");
    assert_eq!(element(&xml, "uniqueid"), host.host.identity.unique_id);
    assert_eq!(element(&xml, "HttpsPort"), host.https.port().to_string());
    assert_eq!(element(&xml, "mac"), "00:00:00:00:00:00");
    assert_eq!(element(&xml, "LocalIP"), "127.0.0.1");
    assert_eq!(element(&xml, "ServerCodecModeSupport"), "1");
    assert_eq!(element(&xml, "MaxLumaPixelsHEVC"), "0");
    assert_eq!(
        (element(&xml, "PairStatus"), element(&xml, "currentgame")),
        ("0", "0")
    );
    assert_eq!(element(&xml, "state"), "SUNSHINE_SERVER_FREE");
}

#[tokio::test]
async fn over_tls_strangers_get_401_in_xml_whatever_they_show() {
    let host = TestHost::new().await;
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        for certificate in [None, Some(CLIENT_PEM), Some(CLIENT_V1_PEM)] {
            for path in [
                "/serverinfo",
                "/applist",
                "/launch",
                "/resume",
                "/cancel",
                "/appasset",
                "/pair?phrase=pairchallenge",
            ] {
                let stream = host.tls(certificate, version).await.unwrap();
                let xml = http_get(stream, path).await;
                assert!(xml.contains("status_code=\"401\""), "{path}: {xml}");
            }
        }
    }
    assert!(
        host.get_tls("/nothing")
            .await
            .contains("status_code=\"404\"")
    );
}

#[tokio::test]
async fn a_paired_client_is_known_by_its_certificate_on_both_versions_of_tls() {
    let host = TestHost::new().await;
    host.paired();
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let stream = host.tls(Some(CLIENT_PEM), version).await.unwrap();
        let xml = http_get(stream, "/serverinfo").await;
        assert_eq!(
            (element(&xml, "PairStatus"), element(&xml, "currentgame")),
            ("1", "0")
        );
    }
    let v1 = host
        .host
        .clients
        .add("v1", &crate::net::harness::der(CLIENT_V1_PEM), OWNER)
        .unwrap();
    let stream = host
        .tls(Some(CLIENT_V1_PEM), &rustls::version::TLS12)
        .await
        .unwrap();
    assert!(
        http_get(stream, "/pair?phrase=pairchallenge")
            .await
            .contains("<paired>1</paired>")
    );
    host.host.clients.remove(&v1.id).unwrap();
    let stream = host
        .tls(Some(CLIENT_V1_PEM), &rustls::version::TLS12)
        .await
        .unwrap();
    assert!(
        http_get(stream, "/applist")
            .await
            .contains("status_code=\"401\"")
    );
}

#[tokio::test]
async fn a_certificate_without_its_key_opens_nothing() {
    let host = TestHost::new().await;
    host.paired();
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        for (certificate, key) in [(CLIENT_PEM, OTHER_KEY), (CLIENT_V1_PEM, OTHER_KEY)] {
            // A client of TLS 1.3 learns of the refusal only when it reads.
            if let Ok(stream) = host.tls_signed(Some(certificate), key, version).await {
                let reply = exchange(stream, b"GET /serverinfo HTTP/1.1\r\nHost: x\r\n\r\n").await;
                assert_eq!(reply, "");
            }
        }
        let stream = host
            .tls_signed(Some(CLIENT_PEM), CLIENT_KEY, version)
            .await
            .unwrap();
        assert!(
            http_get(stream, "/applist")
                .await
                .contains("status_code=\"200\"")
        );
    }
}

#[tokio::test]
async fn launch_resume_and_cancel_keep_state_and_currentgame_together() {
    let host = TestHost::new().await;
    let client = host.paired();
    host.agent(&["h264", "h265"]);
    let info = host.get_tls("/serverinfo").await;
    assert_eq!(element(&info, "ServerCodecModeSupport"), "257");
    assert_ne!(element(&info, "MaxLumaPixelsHEVC"), "0");
    let list = host.get_tls("/applist").await;
    let app = element(&list, "ID");

    assert!(
        host.get_tls(&launch_path("resume"))
            .await
            .contains("status_code=\"503\"")
    );
    let reply = host.get_tls(&launch_path("launch")).await;
    assert_eq!(
        element(&reply, "sessionUrl0"),
        format!("rtspenc://127.0.0.1:{}", host.rtsp.port())
    );
    assert_eq!(element(&reply, "gamesession"), "1");
    let info = host.get_tls("/serverinfo").await;
    assert_eq!(
        (element(&info, "currentgame"), element(&info, "state")),
        (app, "SUNSHINE_SERVER_BUSY")
    );
    // Others are not told.
    let stranger = host.get("/serverinfo").await;
    assert_eq!(element(&stranger, "state"), "SUNSHINE_SERVER_FREE");

    assert_eq!(
        element(&host.get_tls(&launch_path("resume")).await, "resume"),
        "1"
    );
    assert_eq!(element(&host.get_tls("/cancel").await, "cancel"), "1");
    assert_eq!(host.host.launches.running_app(&client.id), 0);
    assert_eq!(
        element(&host.get_tls("/serverinfo").await, "state"),
        "SUNSHINE_SERVER_FREE"
    );
}

#[tokio::test]
async fn a_launch_waits_for_the_agent_of_the_owner() {
    let host = TestHost::new().await;
    host.paired();
    let path = launch_path("launch");
    let launching = host.get_tls(&path);
    let registering = async {
        // The launch has begun when the client was seen; then its agent comes.
        tokio::task::yield_now().await;
        host.agent(&["h264"]);
    };
    let (reply, ()) = tokio::join!(launching, registering);
    assert!(reply.contains("<gamesession>1</gamesession>"), "{reply}");
}

#[tokio::test]
async fn the_encryption_policy_decides_the_scheme() {
    let old = launch_path("launch").replace("corever=1", "corever=0");
    for (policy, path, expected) in [
        (
            Encryption::Off,
            launch_path("launch"),
            "<sessionUrl0>rtsp://",
        ),
        (Encryption::Offered, old.clone(), "<sessionUrl0>rtsp://"),
        (
            Encryption::Required,
            launch_path("launch"),
            "<sessionUrl0>rtspenc://",
        ),
        (Encryption::Required, old, "status_code=\"403\""),
    ] {
        let host =
            TestHost::with(|config| config.encryption = EncryptionPolicy::everywhere(policy)).await;
        host.paired();
        host.agent(&["h264"]);
        let reply = host.get_tls(&path).await;
        assert!(reply.contains(expected), "{policy:?}: {reply}");
    }
}

#[tokio::test]
async fn bad_launch_parameters_are_named() {
    let host = TestHost::new().await;
    host.paired();
    host.agent(&["h264"]);
    let good = launch_path("launch");
    for (from, to, word) in [
        ("rikey=0001", "rikey=zz01", "rikey"),
        ("&rikeyid=-1234567", "", "rikeyid"),
        ("rikeyid=-1234567", "rikeyid=99999999999", "rikeyid"),
        ("mode=1280x720x60", "mode=1280x720", "mode"),
        ("mode=1280x720x60", "mode=99999x720x60", "mode"),
        (
            "surroundAudioInfo=196610",
            "surroundAudioInfo=3",
            "surroundAudioInfo",
        ),
        (
            "localAudioPlayMode=0",
            "localAudioPlayMode=loud",
            "localAudioPlayMode",
        ),
        ("corever=1", "corever=x", "corever"),
        ("appid=", "appid=1", "app"),
    ] {
        let reply = host.get_tls(&good.replace(from, to)).await;
        assert!(
            reply.contains("status_code=\"4") && reply.contains(word),
            "{to}: {reply}"
        );
    }
}

#[test]
fn rikeyid_keeps_its_bits_whichever_way_it_is_written() {
    let parse = |id: &str| {
        let query = Query::parse(&LAUNCH.replace("-1234567", id));
        Parameters::parse(&query).map(|p| p.key_id())
    };
    assert_eq!(parse("-1234567"), Ok(-1_234_567));
    assert_eq!(parse("4293732729"), Ok(-1_234_567));
    assert!(parse("4294967296").is_err());
}

#[test]
fn session_urls_bracket_ipv6() {
    let v6: IpAddr = "fe80::1".parse().unwrap();
    assert_eq!(session_url(true, v6, 48010), "rtspenc://[fe80::1]:48010");
}

#[test]
fn no_text_breaks_the_xml() {
    let text = Xml::error(400, "a\"b<c>&'\u{0}\n\u{ffff}")
        .element("x", "]]>\u{7}")
        .into_text();
    assert!(text.ends_with(
        "<root status_code=\"400\" status_message=\"a&quot;b&lt;c&gt;&amp;&apos; \"><x>]]&gt;</x></root>\n"
    ));
}

#[tokio::test]
async fn silent_connections_in_number_keep_no_client_waiting() {
    let host = TestHost::new().await;
    host.paired();
    let mut silent = Vec::new();
    for _ in 0..60 {
        for address in [host.http, host.https, host.rtsp] {
            silent.push(TcpStream::connect(address).await.unwrap());
        }
    }
    let patience = std::time::Duration::from_secs(4);
    let reply = tokio::time::timeout(patience, host.get_tls("/applist")).await;
    assert!(reply.is_ok_and(|reply| reply.contains("Desktop")));
    let reply = tokio::time::timeout(patience, host.get("/serverinfo")).await;
    assert!(reply.is_ok_and(|reply| reply.contains("status_code=\"200\"")));
}

#[tokio::test]
async fn malformed_http_is_answered_or_closed_and_the_host_goes_on() {
    let host = TestHost::new().await;
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(100_000));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(1000));
    let cases: [&[u8]; 7] = [
        b"\x00\x01\x02\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/1.1\r\nContent-Length: nonsense\r\n\r\n",
        long.as_bytes(),
        many.as_bytes(),
    ];
    for case in cases {
        let mut stream = TcpStream::connect(host.http).await.unwrap();
        let (mut read, mut write) = stream.split();
        let _ = tokio::io::AsyncWriteExt::write_all(&mut write, case).await;
        let _ = tokio::io::AsyncWriteExt::shutdown(&mut write).await;
        let mut reply = Vec::new();
        let _ = read.read_to_end(&mut reply).await;
        assert!(
            !String::from_utf8_lossy(&reply).contains("200 OK"),
            "{:?}",
            String::from_utf8_lossy(case)
        );
    }
    let post = exchange(
        TcpStream::connect(host.http).await.unwrap(),
        b"POST /serverinfo HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    )
    .await;
    assert!(post.contains("status_code=\"405\""), "{post}");
    // A bare probe of each port, and rubbish instead of a TLS handshake.
    for address in [host.http, host.https, host.rtsp] {
        drop(TcpStream::connect(address).await.unwrap());
    }
    let _ = crate::net::harness::exchange_bytes(
        TcpStream::connect(host.https).await.unwrap(),
        b"GET / HTTP/1.1\r\n\r\n",
    )
    .await;
    assert!(
        host.get("/serverinfo")
            .await
            .contains("status_code=\"200\"")
    );
}

/// Nothing here takes so long on a machine that works.
const HANG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_client_whose_date_has_passed_is_refused_and_loses_what_it_runs() {
    let host = TestHost::new().await;
    let client = host.paired();
    host.agent(&["h264"]);
    let launched = host.get_tls(&launch_path("launch")).await;
    assert_eq!(element(&launched, "gamesession"), "1");
    let watch = tokio::spawn(crate::expiry::watch(Arc::clone(&host.host)));
    let clients = &host.host.clients;
    let expire = |at| clients.set_terms(&client.id, |terms| terms.expires_at = at);
    expire(1).unwrap();
    let ended = async {
        while host.host.launches.running_app(&client.id) != 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(HANG, ended).await.expect("it runs on");
    for path in ["/serverinfo", "/applist", "/launch"] {
        let refused = host.get_tls(path).await;
        assert!(
            refused.contains("status_code=\"401\"") && refused.contains("expired"),
            "{refused}"
        );
    }
    expire(u64::MAX).unwrap();
    let listed = host.get_tls("/applist").await;
    assert!(listed.contains("status_code=\"200\""), "{listed}");
    watch.abort();
}

#[tokio::test]
async fn a_guest_whose_stream_was_cut_off_is_forgotten_by_the_next_service() {
    let host = TestHost::new().await;
    let guest = |used| crate::store::Terms {
        one_time: true,
        used,
        ..crate::store::Terms::default()
    };
    let clients = &host.host.clients;
    let add = |name: &str, used| {
        let added = clients.add_on(name, name.as_bytes(), OWNER, guest(used));
        added.unwrap().id
    };
    let (gone, kept) = (add("gone", true), add("kept", false));
    let watch = tokio::spawn(crate::expiry::watch(Arc::clone(&host.host)));
    let forgotten = async {
        while clients.get(&gone).is_some() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(HANG, forgotten)
        .await
        .expect("it is kept");
    assert!(clients.get(&kept).is_some());
    watch.abort();
}
