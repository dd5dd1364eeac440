//! HTTP as strangers and odd clients speak it.
use crate::net::harness::{
    CLIENT_PEM, CLIENT_V1_PEM, OWNER, TestHost, der, exchange, exchange_bytes, http_get,
};
use rustls::version::TLS13;
use tokio::net::TcpStream;

async fn raw(host: &TestHost, request: &str) -> String {
    let stream = TcpStream::connect(host.http).await.unwrap();
    exchange(stream, request.as_bytes()).await
}

#[tokio::test]
async fn one_reply_and_a_closed_connection_whatever_the_client_wishes() {
    let host = TestHost::new().await;
    for request in [
        "GET /serverinfo HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n",
        "GET /serverinfo HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
        "GET /serverinfo HTTP/1.0\r\n\r\n",
        "GET /serverinfo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        "GET http://den:47989/serverinfo?uniqueid=1 HTTP/1.1\r\nHost: den\r\n\r\n",
        // Pipelined: the second one is not served.
        "GET /serverinfo HTTP/1.1\r\nHost: x\r\n\r\nGET /serverinfo HTTP/1.1\r\nHost: x\r\n\r\n",
    ] {
        let reply = raw(&host, request).await;
        assert_eq!(
            reply.matches("status_code=").count(),
            1,
            "{request}: {reply}"
        );
        let (head, body) = reply.split_once("\r\n\r\n").unwrap();
        assert!(
            head.starts_with("HTTP/1.") && head.contains(" 200 OK"),
            "{head}"
        );
        let length = format!("Content-Length: {}", body.len());
        assert!(head.contains(&length), "{head}");
        assert!(!head.to_lowercase().contains("keep-alive"), "{head}");
    }
}

#[tokio::test]
async fn unknown_paths_get_404_in_xml_and_other_methods_405() {
    let host = TestHost::new().await;
    for path in [
        "/",
        "/nothing",
        "/serverinfo/",
        "//serverinfo",
        "/SERVERINFO",
        "/%2e%2e/etc",
    ] {
        let reply = host.get(path).await;
        assert!(
            reply.contains("<root status_code=\"404\""),
            "{path}: {reply}"
        );
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"] {
        let request = format!("{method} /serverinfo HTTP/1.1\r\nHost: x\r\n\r\n");
        let reply = raw(&host, &request).await;
        assert!(reply.contains("status_code=\"405\""), "{method}: {reply}");
    }
}

#[tokio::test]
async fn odd_queries_are_read_without_harm() {
    let host = TestHost::new().await;
    let long = format!("/serverinfo?uniqueid={}", "a".repeat(8000));
    for path in [
        "/serverinfo?",
        "/serverinfo?&&&=&=x&x=",
        "/serverinfo?uniqueid=%",
        "/serverinfo?uniqueid=%zz%ff%00%f0%9f",
        "/serverinfo?uniqueid=1&uniqueid=2&uuid=",
        "/serverinfo?a+b=c+d;e=f",
        long.as_str(),
    ] {
        let reply = host.get(path).await;
        assert!(
            reply.contains("<root status_code=\"200\">"),
            "{path}: {reply}"
        );
    }
    // Longer than any request may be: an error, and the host goes on.
    let endless = format!("GET /serverinfo?uniqueid={}", "a".repeat(100_000));
    let reply = raw(&host, &format!("{endless} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
    assert!(!reply.contains("200 OK"), "{reply}");
    let not_text = b"GET /serverinfo?uniqueid=\xff\xfe HTTP/1.1\r\nHost: \xff\r\n\r\n";
    exchange_bytes(TcpStream::connect(host.http).await.unwrap(), not_text).await;
    let reply = host.get("/serverinfo").await;
    assert!(reply.contains("status_code=\"200\""), "{reply}");
}

#[tokio::test]
async fn gotcha_20_uniqueid_and_uuid_identify_nobody_and_the_certificate_does() {
    let host = TestHost::new().await;
    host.paired();
    let other = der(CLIENT_V1_PEM);
    host.host.clients.add("other", &other, OWNER).unwrap();
    host.agent(&["h264"]);
    let launch = format!(
        "/launch?uniqueid=0123456789ABCDEF&appid={}&rikey={}&rikeyid=1&corever=1",
        punktfunk_dbus::applications::DESKTOP,
        "07".repeat(16)
    );
    assert!(host.get_tls(&launch).await.contains("<gamesession>1<"));
    let info = async |pem: &str, id: &str| {
        let stream = host.tls(Some(pem), &TLS13).await.unwrap();
        http_get(stream, &format!("/serverinfo?uniqueid={id}&uuid=1")).await
    };
    for id in ["0123456789ABCDEF", "fedcba9876543210", ""] {
        assert!(info(CLIENT_PEM, id).await.contains("_SERVER_BUSY"), "{id}");
        // The same id, another certificate: its own state.
        let other = info(CLIENT_V1_PEM, id).await;
        assert!(other.contains("_SERVER_FREE"), "{id}");
    }
    // Another certificate cannot end what the first one runs.
    let stream = host.tls(Some(CLIENT_V1_PEM), &TLS13).await.unwrap();
    http_get(stream, "/cancel?uniqueid=0123456789ABCDEF").await;
    assert!(info(CLIENT_PEM, "").await.contains("_SERVER_BUSY"));
}

#[tokio::test]
async fn unpair_from_the_network_removes_no_client() {
    let host = TestHost::new().await;
    let client = host.paired();
    for reply in [
        host.get("/unpair?uniqueid=0123456789ABCDEF").await,
        host.get("/unpair").await,
        host.get_tls("/unpair?uniqueid=0123456789ABCDEF").await,
    ] {
        assert!(reply.contains("status_code=\"200\""), "{reply}");
    }
    assert!(host.host.clients.get(&client.id).is_some());
    assert!(host.get_tls("/serverinfo").await.contains("<PairStatus>1<"));
}
