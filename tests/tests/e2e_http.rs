//! The endpoints as devices reach them: over each address, with certificates as odd as openssl makes them, and as curl.

mod fixture;

use fixture::{Host, Setup};
use nix::sys::socket::{setsockopt, sockopt::Linger};
use punktfunk_tests::{Client, HostAddress, Identity, http, pairing::PairingError};
use std::{
    fs,
    io::Read,
    net::{IpAddr, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

const SOON: Duration = Duration::from_secs(60);

/// The same device, reaching the host at another address.
fn at(client: &Client, ip: IpAddr) -> Client {
    let address = HostAddress { ip, ..client.host };
    let mut other = Client::new(address, client.identity.clone());
    other.pinned = client.pinned.clone();
    other.https_port = client.https_port;
    other
}

#[test]
fn each_address_of_the_host_answers_as_itself_and_ipv6_in_brackets() {
    let host = Setup::default().start();
    let client = host.client();
    let options = host.options(&client);
    for (ip, local_ip, literal) in [
        ("127.0.0.1", "127.0.0.1", "127.0.0.1"),
        ("127.0.0.2", "127.0.0.2", "127.0.0.2"),
        ("::1", "127.0.0.1", "[::1]"),
    ] {
        let client = at(&client, ip.parse().expect("address"));
        for secure in [false, true] {
            let answer = client
                .request(secure, "serverinfo", &[], SOON)
                .expect("serverinfo");
            assert_eq!(answer.text("LocalIP").as_deref(), Some(local_ip), "{ip}");
        }
        let launched = client.launch(&options, false).expect("launch");
        let rtsp = host.address().http_port + 21;
        let expected = format!("rtspenc://{literal}:{rtsp}");
        assert_eq!(launched.session_url, expected);
        client.cancel().expect("cancel");
        assert!(client.breaches.is_empty(), "{:?}", client.breaches.list());
    }
}

/// A key and a self-signed certificate by openssl, as the files that the test client keeps.
fn openssl(directory: &Path, name: &str, arguments: &[&str]) -> PathBuf {
    let state = directory.join(name);
    fs::create_dir_all(&state).expect("directory");
    let made = Command::new("openssl")
        .args(["req", "-x509", "-nodes", "-subj"])
        .args(["/CN=NVIDIA GameStream Client", "-keyout"])
        .arg(state.join("client-key.pem"))
        .arg("-out")
        .arg(state.join("client.pem"))
        .args(arguments)
        .output()
        .expect("openssl");
    let said = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success(), "{name}: {said}");
    state
}

const RSA: [&str; 2] = ["-newkey", "rsa:2048"];

#[test]
fn curl_with_any_certificate_gets_an_answer_in_xml_on_tls_1_2_and_1_3() {
    let host = Setup::default().without_agent().start();
    let port = host.address().http_port - 5;
    let elliptic = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
    let cases: [(&str, Vec<&str>); 6] = [
        ("serial 0", [&RSA[..], &["-set_serial", "0"]].concat()),
        (
            "negative serial",
            [&RSA[..], &["-set_serial", "-5"]].concat(),
        ),
        ("signed with SHA-1", [&RSA[..], &["-sha1"]].concat()),
        ("RSA of 4096 bits", vec!["-newkey", "rsa:4096"]),
        ("elliptic curve", elliptic.to_vec()),
        ("Ed25519", vec!["-newkey", "ed25519"]),
    ];
    for (name, arguments) in cases {
        let state = openssl(host.directory(), name, &arguments);
        for (least, most) in [("--tlsv1.2", "1.2"), ("--tlsv1.3", "1.3")] {
            let reply = Command::new("curl")
                .args(["--silent", "--show-error", "--insecure", "--http1.1"])
                .args(["--ciphers", "DEFAULT@SECLEVEL=0", least, "--tls-max", most])
                .arg("--cert")
                .arg(state.join("client.pem"))
                .arg("--key")
                .arg(state.join("client-key.pem"))
                .arg(format!("https://127.0.0.1:{port}/serverinfo?uniqueid=0"))
                .output()
                .expect("curl");
            let (body, said) = (
                String::from_utf8_lossy(&reply.stdout),
                String::from_utf8_lossy(&reply.stderr),
            );
            assert!(
                body.contains("status_code=\"401\""),
                "{name}, TLS {most}: {body}{said}"
            );
        }
    }
}

#[test]
fn a_device_with_a_key_of_4096_bits_pairs_and_one_without_rsa_is_told_why_not() {
    let host = Setup::default().without_agent().start();
    let state = openssl(host.directory(), "large", &["-newkey", "rsa:4096"]);
    let identity = Identity::load_or_generate(&state).expect("identity");
    let mut client = Client::new(host.address(), identity);
    host.pair(&mut client, "4096", "4096")
        .expect("pairing")
        .expect("the host agrees");
    assert!(client.server_info(true).expect("serverinfo").paired);

    let arguments = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
    let state = openssl(host.directory(), "elliptic", &arguments);
    let identity = Identity::load_or_generate(&state).expect("identity");
    let mut client = Client::new(host.address(), identity);
    host.block(host.proxy().open_pairing(60)).expect("window");
    match client.pair("1234") {
        Err(PairingError::Other(error)) => {
            assert!(error.to_string().contains("not RSA"), "{error}");
        }
        other => panic!("{other:?}"),
    }
}

/// Lines of the log that somebody would look into.
fn complaints(host: &Host) -> Vec<String> {
    let log = host.service_log();
    log.lines()
        .filter(|line| line.contains("WARN") || line.contains("ERROR"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn gotcha_37_bare_probes_of_the_ports_are_no_event() {
    let mut host = Setup::default().without_agent().start();
    let known = host.client();
    let (before, log) = (complaints(&host), host.service_log().lines().count());
    let base = host.address().http_port;
    let mut silent = Vec::new();
    for port in [base, base - 5, base + 21] {
        let address = SocketAddr::new(IpAddr::from([127, 0, 0, 1]), port);
        for _ in 0..20 {
            drop(TcpStream::connect(address).expect("the port is open"));
            // Closed by a reset.
            let rude = TcpStream::connect(address).expect("the port is open");
            let linger = nix::libc::linger {
                l_onoff: 1,
                l_linger: 0,
            };
            setsockopt(&rude, Linger, &linger).expect("linger");
            drop(rude);
            silent.push(TcpStream::connect(address).expect("the port is open"));
        }
    }
    // Those that say nothing are closed by the host at its deadline; nobody else waits for it.
    assert!(known.server_info(true).expect("serverinfo").paired);
    for mut stream in silent {
        let limit = Some(Duration::from_secs(20));
        stream.set_read_timeout(limit).expect("timeout");
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said);
        // HTTP may say that it waited too long; TLS and RSTP say nothing.
        assert!(!said.starts_with(b"HTTP/1.1 200"), "{said:?}");
    }
    assert_eq!(complaints(&host), before);
    let lines = host.service_log().lines().count();
    assert_eq!(lines, log, "not a line:\n{}", host.service_log());
    // No penalty either: the next device pairs at once.
    let mut client = host.stranger();
    host.pair(&mut client, "1111", "1111")
        .expect("pairing")
        .expect("the host agrees");
    host.service().assert_alive();
}

#[test]
fn gotcha_18_the_certificate_is_the_pinned_one_after_a_restart_and_on_every_way_in() {
    let mut host = Setup::default().without_agent().start();
    let client = host.client();
    host.restart_service();
    for ip in ["127.0.0.1", "::1"] {
        let client = at(&client, ip.parse().expect("address"));
        assert!(client.server_info(true).expect("serverinfo").paired);
        assert!(client.breaches.is_empty(), "{:?}", client.breaches.list());
    }
    // Without a pin everything is accepted, and the breaches would tell of a longer chain.
    let reply = client
        .get_secure(None, "/serverinfo", SOON)
        .expect("serverinfo");
    assert!(is_ok(&reply) && client.breaches.is_empty());
}

fn is_ok(reply: &http::Reply) -> bool {
    String::from_utf8_lossy(&reply.body).contains("status_code=\"200\"")
}
