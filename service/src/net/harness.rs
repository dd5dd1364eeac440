//! For tests: a host on loopback with real listeners, and clients that speak raw bytes.
use crate::{
    agents::{AgentError, AgentInfo, Agents, Opening, StreamSource},
    applications::Applications,
    config::Config,
    host::Host,
    identity::Identity,
    ids::{SessionId, Uid},
    launch::Launches,
    net::{accept::Deadlines, nvhttp, rtsp},
    pairings::Pairings,
    store::{ClientRecord, ClientStore},
    stream::Streams,
};
use punktfunk_dbus::open_stream::OpenStream;
use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    pki_types::{
        CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime, pem::PemObject,
    },
    sign::{CertifiedKey, SingleCertAndKey},
};
use std::{
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    os::fd::OwnedFd,
    path::PathBuf,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// The account that owns the paired client of [`TestHost::paired`].
pub const OWNER: Uid = Uid(4242);
pub const CLIENT_PEM: &str = include_str!("../../../core/src/pairing/fixtures/client.pem");
pub const CLIENT_V1_PEM: &str =
    include_str!("../../../core/src/pairing/fixtures/client_v1_serial0.pem");
pub const CLIENT_KEY: &[u8] =
    include_bytes!("../../../core/src/pairing/fixtures/client_key.pkcs8.der");

static NEXT: AtomicU32 = AtomicU32::new(0);

fn directory(name: &str) -> PathBuf {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let path =
        std::env::temp_dir().join(format!("punktfunk-{name}-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&path).unwrap();
    path
}

/// Making an RSA key takes a while: one for all tests of the process.
fn identity() -> Identity {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    let path = DIRECTORY.get_or_init(|| {
        let path = directory("identity").join("identity");
        Identity::open(&path).unwrap();
        path
    });
    Identity::open(path).unwrap()
}

pub struct TestHost {
    pub host: Arc<Host>,
    pub http: SocketAddr,
    pub https: SocketAddr,
    pub rtsp: SocketAddr,
    state_dir: PathBuf,
    _running: watch::Sender<bool>,
}

impl Drop for TestHost {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.state_dir);
    }
}

impl TestHost {
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(edit: impl FnOnce(&mut Config)) -> Self {
        Self::within(edit, Deadlines::STANDARD).await
    }

    pub async fn within(edit: impl FnOnce(&mut Config), deadlines: Deadlines) -> Self {
        let listen = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let (http, https, rtsp) = (
            listen().await.unwrap(),
            listen().await.unwrap(),
            listen().await.unwrap(),
        );
        let at = |listener: &TcpListener| listener.local_addr().unwrap();
        let state_dir = directory("state");
        let mut config = Config {
            name: "desk & <chair>".into(),
            state_dir: state_dir.clone(),
            bind: Ipv4Addr::LOCALHOST.into(),
            discovery: false,
            development: true,
            ..Config::default()
        };
        config.ports.http = at(&http).port();
        config.ports.https = at(&https).port();
        config.ports.rtsp = at(&rtsp).port();
        [config.ports.video, config.ports.control, config.ports.audio] = free_udp_ports();
        edit(&mut config);
        let config = Arc::new(config);
        let host = Arc::new(Host {
            identity: Arc::new(identity()),
            clients: ClientStore::open(&state_dir).unwrap(),
            pairings: Pairings::new(),
            agents: Agents::new(),
            applications: Applications::new(),
            launches: Launches::new(),
            on_demand: crate::on_demand::OnDemand::off(),
            streams: Streams::new(Arc::clone(&config)).unwrap(),
            settings: config.into(),
        });
        let running = watch::Sender::new(false);
        let this = Self {
            http: at(&http),
            https: at(&https),
            rtsp: at(&rtsp),
            host: Arc::clone(&host),
            state_dir,
            _running: running.clone(),
        };
        tokio::spawn(nvhttp::serve_http_within(
            Arc::clone(&host),
            http,
            running.subscribe(),
            deadlines,
        ));
        tokio::spawn(nvhttp::serve_https_within(
            Arc::clone(&host),
            https,
            running.subscribe(),
            deadlines,
        ));
        tokio::spawn(rtsp::serve_within(
            host,
            rtsp,
            running.subscribe(),
            deadlines,
        ));
        this
    }

    /// Store [`CLIENT_PEM`] as a client of [`OWNER`], without the ceremony.
    pub fn paired(&self) -> ClientRecord {
        self.host
            .clients
            .add("tester", &der(CLIENT_PEM), OWNER)
            .unwrap()
    }

    /// An agent of [`OWNER`] that offers these codecs and refuses every stream.
    pub fn agent(&self, codecs: &[&str]) {
        let info = AgentInfo {
            touch: false,
            session: SessionId("c1".into()),
            uid: OWNER,
            seat: "seat0".into(),
            compositor: "none".into(),
            encoders: Vec::new(),
            codecs: codecs.iter().map(|&codec| codec.to_owned()).collect(),
            hdr: punktfunk_core::sdp::Codecs::NONE,
            hdr_sources: Vec::new(),
            chroma_444: punktfunk_core::sdp::Codecs::NONE,
            hdr_chroma_444: punktfunk_core::sdp::Codecs::NONE,
            invalidates_refs: false,
            active: true,
            locked: false,
            greeter: false,
            version: "1".into(),
        };
        self.host.agents.admit(info, Arc::new(Refusing)).unwrap();
    }

    pub async fn get(&self, path: &str) -> String {
        http_get(TcpStream::connect(self.http).await.unwrap(), path).await
    }

    /// Over HTTPS as [`CLIENT_PEM`].
    pub async fn get_tls(&self, path: &str) -> String {
        http_get(
            self.tls(Some(CLIENT_PEM), &rustls::version::TLS13)
                .await
                .unwrap(),
            path,
        )
        .await
    }

    pub async fn tls(
        &self,
        certificate: Option<&str>,
        version: &'static rustls::SupportedProtocolVersion,
    ) -> std::io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
        self.tls_signed(certificate, CLIENT_KEY, version).await
    }

    /// The certificate shown need not belong to the key that signs.
    pub async fn tls_signed(
        &self,
        certificate: Option<&str>,
        key: &[u8],
        version: &'static rustls::SupportedProtocolVersion,
    ) -> std::io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
        self.tls_with(&Self::tls_client(certificate, key, version))
            .await
    }

    pub async fn tls_with(
        &self,
        config: &Arc<ClientConfig>,
    ) -> std::io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.https).await?;
        tokio_rustls::TlsConnector::from(Arc::clone(config))
            .connect(ServerName::try_from("punktfunk").unwrap(), stream)
            .await
    }

    pub fn tls_client(
        certificate: Option<&str>,
        key: &[u8],
        version: &'static rustls::SupportedProtocolVersion,
    ) -> Arc<ClientConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyServer));
        Arc::new(match certificate {
            Some(pem) => {
                let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.to_vec()));
                // Not `with_client_auth_cert`: that refuses certificates of version 1, which real clients have.
                let key = rustls::crypto::ring::sign::any_supported_type(&key).unwrap();
                let certified = CertifiedKey::new(vec![CertificateDer::from(der(pem))], key);
                builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified)))
            }
            None => builder.with_no_client_auth(),
        })
    }
}

/// Ports that were free a moment ago, all different.
fn free_udp_ports() -> [u16; 3] {
    let sockets = [(); 3].map(|()| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    sockets.map(|socket| socket.local_addr().unwrap().port())
}

pub fn der(pem: &str) -> Vec<u8> {
    CertificateDer::from_pem_slice(pem.as_bytes())
        .unwrap()
        .to_vec()
}

/// RSASSA-PKCS1-v1_5 SHA-256 with the test client's key.
pub fn sign(message: &[u8]) -> Vec<u8> {
    let key = ring::signature::RsaKeyPair::from_pkcs8(CLIENT_KEY).unwrap();
    let mut signature = vec![0; key.public().modulus_len()];
    let random = ring::rand::SystemRandom::new();
    key.sign(
        &ring::signature::RSA_PKCS1_SHA256,
        &random,
        message,
        &mut signature,
    )
    .unwrap();
    signature
}

/// One GET; the body, after checking what every reply must have.
pub async fn http_get(stream: impl AsyncRead + AsyncWrite + Unpin, path: &str) -> String {
    let reply = exchange(
        stream,
        format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes(),
    )
    .await;
    let (head, body) = reply.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("Connection: close"), "{head}");
    assert!(
        head.contains(&format!("Content-Length: {}", body.len())),
        "{head}"
    );
    body.to_owned()
}

/// Send, and read until the host closes.
pub async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, bytes: &[u8]) -> String {
    let reply = exchange_bytes(&mut stream, bytes).await;
    String::from_utf8(reply).unwrap()
}

pub async fn exchange_bytes(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    bytes: &[u8],
) -> Vec<u8> {
    let _ = stream.write_all(bytes).await;
    let mut reply = Vec::new();
    // A host that closes without a word, or resets after its reply, is seen in what was read.
    let _ = stream.read_to_end(&mut reply).await;
    reply
}

struct Refusing;
impl StreamSource for Refusing {
    fn open_stream(&self, _: OpenStream, _: OwnedFd, _: OwnedFd) -> Opening<'_> {
        Box::pin(async { Err(AgentError::Refused("this is a test".into())) })
    }
}

#[derive(Debug)]
struct AnyServer;
impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        assert!(intermediates.is_empty(), "clients refuse longer chains");
        Ok(ServerCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }
    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::ring::default_provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}
