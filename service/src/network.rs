//! What this machine's interfaces say about an address: whether a peer is near, and which hardware address is behind one
//! of our own. Asks the kernel each time, because interfaces come and go; holds nothing.
use nix::{
    ifaddrs::{InterfaceAddress, getifaddrs},
    sys::socket::SockaddrStorage,
};
use std::net::IpAddr;

/// Where a peer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// This machine, link-local, private (RFC 1918, unique local), or in the subnet of one of our interfaces.
    Lan,
    /// Anywhere else.
    Wan,
}

impl Network {
    /// Where this address is.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        let address = address.to_canonical();
        if is_private(address) || subnets().iter().any(|subnet| subnet.contains(address)) {
            Self::Lan
        } else {
            Self::Wan
        }
    }
}

/// Private wherever the machine stands.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_link_local() || v4.is_private(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unicast_link_local() || v6.is_unique_local(),
    }
}

/// The network of one interface address.
#[derive(Debug, Clone, Copy)]
struct Subnet {
    address: IpAddr,
    mask: IpAddr,
}

impl Subnet {
    /// `None` for a mask that would take in the whole world, which says nothing about nearness.
    fn new(address: IpAddr, mask: IpAddr) -> Option<Self> {
        (!mask.is_unspecified()).then_some(Self { address, mask })
    }

    fn contains(&self, other: IpAddr) -> bool {
        match (self.address, self.mask, other) {
            (IpAddr::V4(own), IpAddr::V4(mask), IpAddr::V4(other)) => {
                own.to_bits() & mask.to_bits() == other.to_bits() & mask.to_bits()
            }
            (IpAddr::V6(own), IpAddr::V6(mask), IpAddr::V6(other)) => {
                own.to_bits() & mask.to_bits() == other.to_bits() & mask.to_bits()
            }
            _ => false,
        }
    }
}

fn subnets() -> Vec<Subnet> {
    interfaces()
        .iter()
        .filter_map(|entry| {
            let address = ip(entry.address.as_ref()?)?;
            Subnet::new(address, ip(entry.netmask.as_ref()?)?)
        })
        .collect()
}

/// What is counted as one source of requests: an IPv4 address, or an IPv6 /64, because one machine picks its addresses there
/// at will.
#[must_use]
pub fn source_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        v4 => v4,
    }
}

/// Hardware address of the interface that has this address, for Wake-on-LAN; `None` when it has none.
#[must_use]
pub fn hardware_address(local: IpAddr) -> Option<[u8; 6]> {
    let interfaces = interfaces();
    let found = interfaces
        .iter()
        .find(|entry| entry.address.as_ref().and_then(ip) == Some(local))?;
    interfaces
        .iter()
        .filter(|entry| entry.interface_name == found.interface_name)
        .find_map(|entry| entry.address.as_ref()?.as_link_addr()?.addr())
}

/// Empty when the kernel does not say.
fn interfaces() -> Vec<InterfaceAddress> {
    getifaddrs().map(Iterator::collect).unwrap_or_default()
}

fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|a| IpAddr::from(a.ip()));
    let v6 = || address.as_sockaddr_in6().map(|a| IpAddr::from(a.ip()));
    v4.or_else(v6)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn private_link_local_and_mapped_addresses_are_lan_and_public_ones_wan() {
        for near in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.178.20",
            "169.254.3.4",
            "::1",
            "fe80::1",
            "fd00::5",
            "fc12::1",
            "::ffff:192.168.0.9",
        ] {
            assert_eq!(Network::of(ip(near)), Network::Lan, "{near}");
        }
        for far in [
            "203.0.113.9",
            "8.8.8.8",
            "172.32.0.1",
            "100.64.0.1",
            "192.169.0.1",
            "2001:db8::1",
            "::ffff:203.0.113.9",
        ] {
            assert_eq!(Network::of(ip(far)), Network::Wan, "{far}");
        }
    }

    #[test]
    fn the_subnet_of_an_own_interface_is_near_to_its_last_address_and_no_further() {
        let v4 = Subnet::new(ip("203.0.113.130"), ip("255.255.255.128")).unwrap();
        assert!(v4.contains(ip("203.0.113.128")) && v4.contains(ip("203.0.113.255")));
        assert!(!v4.contains(ip("203.0.113.127")) && !v4.contains(ip("203.0.114.130")));
        assert!(!v4.contains(ip("2001:db8::1")));
        let v6 = Subnet::new(ip("2001:db8:0:7::1"), ip("ffff:ffff:ffff:ffff::")).unwrap();
        assert!(v6.contains(ip("2001:db8:0:7:ffff::")) && !v6.contains(ip("2001:db8:0:8::1")));
        assert!(Subnet::new(ip("203.0.113.1"), ip("0.0.0.0")).is_none());
    }

    #[test]
    fn every_own_address_is_near_and_its_hardware_address_is_the_kernels() {
        for entry in interfaces() {
            let Some(own) = entry.address.as_ref().and_then(super::ip) else {
                continue;
            };
            assert_eq!(Network::of(own), Network::Lan, "{own}");
            let file = format!("/sys/class/net/{}/address", entry.interface_name);
            let Ok(kernels) = std::fs::read_to_string(file) else {
                continue;
            };
            let ours = hardware_address(own).unwrap_or_default();
            let ours = ours.map(|byte| format!("{byte:02x}")).join(":");
            if kernels.trim().len() == ours.len() {
                assert_eq!(ours, kernels.trim(), "{}", entry.interface_name);
            }
        }
        assert_eq!(hardware_address(ip("203.0.113.9")), None);
    }
}
