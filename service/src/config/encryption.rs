//! The encryption policy: what is asked of clients, for each network.
use crate::network::Network;
use std::net::IpAddr;

/// Whether media and RTSP are encrypted for clients that can. Ordered: later is stricter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Encryption {
    /// Only what the protocol never leaves plain: the control stream.
    Off,
    /// Clients that can, do.
    Offered,
    /// Clients that do not are refused.
    Required,
}

impl Encryption {
    /// The word used in the file and on the bus.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Offered => "offered",
            Self::Required => "required",
        }
    }
}

/// One word for each network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncryptionPolicy {
    pub lan: Encryption,
    pub wan: Encryption,
}

impl EncryptionPolicy {
    /// The same everywhere.
    #[must_use]
    pub const fn everywhere(encryption: Encryption) -> Self {
        Self {
            lan: encryption,
            wan: encryption,
        }
    }

    #[must_use]
    pub fn on(self, network: Network) -> Encryption {
        match network {
            Network::Lan => self.lan,
            Network::Wan => self.wan,
        }
    }

    /// What is asked of a client at this address.
    #[must_use]
    pub fn towards(self, peer: IpAddr) -> Encryption {
        if self.lan == self.wan {
            return self.lan;
        }
        self.on(Network::of(peer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_network_has_its_own_word_and_mapped_addresses_are_ipv4() {
        let policy = EncryptionPolicy {
            lan: Encryption::Off,
            wan: Encryption::Required,
        };
        let towards = |text: &str| policy.towards(text.parse().unwrap());
        assert_eq!(towards("192.168.1.2"), Encryption::Off);
        assert_eq!(towards("::ffff:192.168.1.2"), Encryption::Off);
        assert_eq!(towards("203.0.113.9"), Encryption::Required);
        assert_eq!(towards("2001:db8::9"), Encryption::Required);
        assert!(
            Encryption::Off < Encryption::Offered && Encryption::Offered < Encryption::Required
        );
    }
}
