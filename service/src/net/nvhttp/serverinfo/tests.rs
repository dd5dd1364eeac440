//! Every element, for strangers and clients, on every way in.
use super::*;
use crate::{
    config::External,
    net::harness::{TestHost, http_get},
};
use std::net::SocketAddr;

fn element(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>"))
        .map(|(value, _)| value.to_owned())
}

fn caller(local: &str, secure: bool) -> Caller {
    let at = |text: &str| SocketAddr::new(text.parse().unwrap(), 1);
    Caller {
        secure,
        certificate: None,
        local: at(local),
        peer: at(local),
    }
}

/// Those that old clients need not to be empty, and all others that are read.
const MANDATORY: [&str; 12] = [
    "hostname",
    "appversion",
    "GfeVersion",
    "uniqueid",
    "HttpsPort",
    "ExternalPort",
    "mac",
    "LocalIP",
    "MaxLumaPixelsHEVC",
    "ServerCodecModeSupport",
    "currentgame",
    "state",
];

#[tokio::test]
async fn every_element_is_there_and_filled_for_strangers_and_for_clients() {
    let host = TestHost::new().await;
    host.paired();
    for xml in [
        host.get("/serverinfo").await,
        host.get_tls("/serverinfo").await,
    ] {
        for name in MANDATORY {
            let filled = element(&xml, name).is_some_and(|value| !value.is_empty());
            assert!(filled, "{name}: {xml}");
        }
        assert_eq!(element(&xml, "appversion").unwrap(), "7.1.431.-1");
        assert_eq!(element(&xml, "GfeVersion").unwrap(), "3.23.0.74");
        assert!(!xml.contains("MJOLNIR") && !xml.contains("ExternalIP"));
    }
}

#[tokio::test]
async fn gotcha_17_pair_status_is_1_over_https_for_a_paired_certificate_and_nowhere_else() {
    let host = TestHost::new().await;
    host.paired();
    let status = |xml: &str| element(xml, "PairStatus");
    assert_eq!(status(&host.get("/serverinfo").await).unwrap(), "0");
    assert_eq!(status(&host.get_tls("/serverinfo").await).unwrap(), "1");
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let stream = host.tls(None, version).await.unwrap();
        let xml = http_get(stream, "/serverinfo").await;
        assert!(xml.contains("status_code=\"401\""), "{xml}");
        assert_eq!(status(&xml), None);
    }
}

#[tokio::test]
async fn non_default_ports_and_what_a_router_makes_of_them_are_told() {
    let host = TestHost::with(|config| config.external.ip = Some([203, 0, 113, 9].into())).await;
    let xml = host.get("/serverinfo").await;
    let port = |name| element(&xml, name).unwrap();
    assert_eq!(port("HttpsPort"), host.https.port().to_string());
    assert_eq!(port("ExternalPort"), host.http.port().to_string());
    assert_eq!(element(&xml, "ExternalIP").unwrap(), "203.0.113.9");
    let host = TestHost::with(|config| {
        config.external = External {
            ip: None,
            http_port: Some(50_000),
        };
    })
    .await;
    let xml = host.get("/serverinfo").await;
    assert_eq!(element(&xml, "ExternalPort").unwrap(), "50000");
    assert_eq!(element(&xml, "ExternalIP"), None);
}

#[tokio::test]
async fn local_ip_is_the_ipv4_address_that_was_asked_and_a_placeholder_over_ipv6() {
    let host = TestHost::new().await;
    let client = host.paired();
    for (local, told) in [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8::7", "127.0.0.1"),
        ("fe80::7", "127.0.0.1"),
    ] {
        for xml in [
            for_stranger(&host.host, &caller(local, false)),
            for_client(&host.host, &caller(local, true), &client),
        ] {
            assert_eq!(element(&xml.into_text(), "LocalIP").unwrap(), told);
        }
    }
}

#[tokio::test]
async fn the_hardware_address_is_for_clients_only_and_that_of_the_interface_asked() {
    let host = TestHost::new().await;
    let client = host.paired();
    for entry in nix::ifaddrs::getifaddrs().unwrap() {
        let Some(v4) = entry.address.as_ref().and_then(|a| a.as_sockaddr_in()) else {
            continue;
        };
        let local = v4.ip().to_string();
        let file = format!("/sys/class/net/{}/address", entry.interface_name);
        let kernels = std::fs::read_to_string(file).unwrap_or_default();
        let told = for_client(&host.host, &caller(&local, true), &client).into_text();
        if kernels.trim().len() == 17 {
            assert_eq!(element(&told, "mac").unwrap(), kernels.trim(), "{local}");
        }
        let stranger = for_stranger(&host.host, &caller(&local, false)).into_text();
        assert_eq!(element(&stranger, "mac").unwrap(), "00:00:00:00:00:00");
    }
}
