//! Any certificate and any stage of pairing: no panic, and nobody is paired by luck.
use punktfunk_core::pairing::{Certificate, HostIdentity, HostPairing, Secrets};

const HOST: &str = include_str!("../../../core/src/pairing/fixtures/host.pem");
const CLIENT: &str = include_str!("../../../core/src/pairing/fixtures/client.pem");

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// One input.
pub fn run(data: &[u8]) {
    let _ = Certificate::from_der(data);
    let _ = Certificate::from_pem(data);
    let identity = HostIdentity::new(HOST).unwrap();
    let secrets = Secrets {
        secret: [1; 16],
        challenge: [2; 16],
    };
    let salt = "00".repeat(16);
    let (mut machine, _) =
        HostPairing::begin(identity, &salt, &hex(CLIENT.as_bytes()), "1234", secrets).unwrap();
    // Each stage gets its share of the input, as text and as hex of the right length.
    let (first, rest) = data.split_at(data.len().min(16));
    let (second, third) = rest.split_at(rest.len().min(32));
    let _ = machine.challenge(&hex(first));
    let _ = machine.response(&hex(second), |_| Some(vec![0; 256]));
    assert!(machine.secret(&hex(third)).is_err());
    assert!(machine.secret(&String::from_utf8_lossy(data)).is_err());
}
