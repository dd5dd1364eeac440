//! Several clients behind one address, as NAT makes them.
use super::*;

const SETUP: &str = "SETUP streamid=audio/0/0 RTSP/1.0\r\nCSeq: 3\r\n\r\n";
const OPTIONS: &str = "OPTIONS rtsp://x RTSP/1.0\r\nCSeq: 1\r\n\r\n";

#[tokio::test]
async fn behind_one_address_sealed_rtsp_always_works_and_plain_only_while_it_is_alone() {
    let host = TestHost::new().await;
    let one = launch(&host, "a", Key([1; 16]), true);
    let two = launch(&host, "b", Key([2; 16]), true);
    launch(&host, "c", Key([3; 16]), false);
    // One plain client among sealed ones cannot be taken for anybody else.
    assert!(plain(&host, OPTIONS).await.starts_with("RTSP/1.0 200 "));
    launch(&host, "d", Key([4; 16]), false);
    let refused = plain(&host, OPTIONS).await;
    assert!(refused.starts_with("RTSP/1.0 454 "), "{refused}");
    for (launch, key) in [(one, [1; 16]), (two, [2; 16])] {
        let (_, reply) = sealed(&host, &Key(key), 9, SETUP).await.unwrap();
        assert_eq!(
            header(&reply, "X-SS-Ping-Payload").as_bytes(),
            launch.audio_ping
        );
    }
}

#[tokio::test]
async fn a_plain_conversation_goes_on_when_another_client_of_the_address_launches() {
    let host = TestHost::new().await;
    let first = launch(&host, "a", Key([1; 16]), false);
    let reply = plain(&host, SETUP).await;
    let session = header(&reply, "Session").split(';').next().unwrap();
    launch(&host, "b", Key([2; 16]), false);
    let next = format!(
        "SETUP streamid=video/0/0 RTSP/1.0\r\nCSeq: 4\r\nSession: {session};timeout = 90\r\n\r\n"
    );
    let reply = plain(&host, &next).await;
    assert_eq!(
        header(&reply, "X-SS-Ping-Payload").as_bytes(),
        first.video_ping
    );
    // Whoever does not say which session it means is still ambiguous, and so is one that nobody has.
    assert!(plain(&host, SETUP).await.starts_with("RTSP/1.0 454 "));
    let forged = next.replace(session, "0000000000000000");
    assert!(plain(&host, &forged).await.starts_with("RTSP/1.0 454 "));
}

#[tokio::test]
async fn targets_and_hosts_with_ipv6_literals_are_as_good_as_any() {
    let host = TestHost::new().await;
    for address in ["[2001:db8::7]", "[fe80::1%eth0]", "[::1]"] {
        launch(&host, "a", KEY, false);
        let request = format!(
            "DESCRIBE rtsp://{address}:48010 RTSP/1.0\r\nCSeq: 2\r\nHost: {address}\r\nAccept: application/sdp\r\n\r\n"
        );
        let reply = plain(&host, &request).await;
        assert!(
            reply.starts_with("RTSP/1.0 200 OK\r\nCSeq: 2\r\n"),
            "{reply}"
        );
    }
    let negotiation = host
        .host
        .launches
        .by_source([127, 0, 0, 1].into(), None)
        .unwrap();
    assert!(negotiation.stereo_high_quality());
    plain(
        &host,
        "OPTIONS rtsp://0.0.0.0:48010 RTSP/1.0\r\nCSeq: 3\r\nHost: 0.0.0.0\r\n\r\n",
    )
    .await;
    assert!(!negotiation.stereo_high_quality());
}

#[tokio::test]
async fn stalled_connections_delay_no_other_conversation() {
    let host = TestHost::new().await;
    launch(&host, "a", KEY, false);
    let mut stalled = Vec::new();
    for beginning in [&b""[..], b"OPTIONS rtsp://x RTSP", b"\x80\x00\x01"] {
        for _ in 0..40 {
            let mut stream = TcpStream::connect(host.rtsp).await.unwrap();
            stream.write_all(beginning).await.unwrap();
            stalled.push(stream);
        }
    }
    let reply = timeout(Duration::from_secs(4), plain(&host, OPTIONS)).await;
    assert!(reply.is_ok_and(|reply| reply.starts_with("RTSP/1.0 200 ")));
}
