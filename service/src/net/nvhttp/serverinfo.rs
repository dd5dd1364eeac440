//! `/serverinfo`: what the host is and, for a paired client, what that client has running.
use super::{Caller, xml::Xml};
use crate::{
    agents::AgentInfo,
    host::Host,
    launch::{codec_mask, offer_for},
    store::ClientRecord,
};
use nix::ifaddrs::getifaddrs;
use std::net::{IpAddr, Ipv4Addr};

/// Selects the dialect: fully encrypted control, and (negative fourth number) the extensions of today's hosts.
const APP_VERSION: &str = "7.1.431.-1";
/// Clients compare it with an upper bound of what they know.
const GFE_VERSION: &str = "3.23.0.74";
/// Means "HEVC up to 4096x4096"; 0 makes clients refuse HEVC.
const MAX_LUMA_HEVC: u32 = 1_869_449_984;
const NO_MAC: [u8; 6] = [0; 6];

/// For anybody, over plain HTTP: nothing of any client or account.
pub(super) fn for_stranger(host: &Host, caller: &Caller) -> Xml {
    common(host, caller, None, NO_MAC)
        .element("PairStatus", 0)
        .element("currentgame", 0)
        .element("state", "SUNSHINE_SERVER_FREE")
}

/// For a paired client: its own state only.
pub(super) fn for_client(host: &Host, caller: &Caller, client: &ClientRecord) -> Xml {
    let agent = host
        .agents
        .for_owner(client.owner)
        .map(|agent| agent.info());
    let app = host.launches.running_app(&client.id);
    let state = if app == 0 {
        "SUNSHINE_SERVER_FREE"
    } else {
        "SUNSHINE_SERVER_BUSY"
    };
    common(host, caller, agent.as_ref(), mac_of(caller.local.ip()))
        .element("PairStatus", 1)
        .element("currentgame", app)
        .element("state", state)
}

fn common(host: &Host, caller: &Caller, agent: Option<&AgentInfo>, mac: [u8; 6]) -> Xml {
    let offer = offer_for(agent, host.config.encryption);
    let ports = host.config.ports;
    let local_ip = match caller.local.ip() {
        IpAddr::V4(v4) => v4,
        // Clients ignore it, and so keep the IPv4 address that they know.
        IpAddr::V6(_) => Ipv4Addr::LOCALHOST,
    };
    let [a, b, c, d, e, f] = mac;
    Xml::ok()
        .element("hostname", &host.config.name)
        .element("appversion", APP_VERSION)
        .element("GfeVersion", GFE_VERSION)
        .element("uniqueid", &host.identity.unique_id)
        .element("HttpsPort", ports.https)
        .element("ExternalPort", ports.http)
        .element(
            "mac",
            format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}"),
        )
        .element("LocalIP", local_ip)
        .element(
            "MaxLumaPixelsHEVC",
            if offer.hevc { MAX_LUMA_HEVC } else { 0 },
        )
        .element("ServerCodecModeSupport", codec_mask(&offer))
}

/// Hardware address of the interface that has this address, for Wake-on-LAN; zeros when there is none.
fn mac_of(local: IpAddr) -> [u8; 6] {
    let Ok(addresses) = getifaddrs() else {
        return NO_MAC;
    };
    let addresses: Vec<_> = addresses.collect();
    let is_local = |address: &nix::sys::socket::SockaddrStorage| {
        let v4 = address.as_sockaddr_in().map(|a| IpAddr::from(a.ip()));
        let v6 = address.as_sockaddr_in6().map(|a| IpAddr::from(a.ip()));
        v4.or(v6) == Some(local)
    };
    addresses
        .iter()
        .find(|entry| entry.address.as_ref().is_some_and(is_local))
        .and_then(|found| {
            addresses
                .iter()
                .filter(|entry| entry.interface_name == found.interface_name)
                .find_map(|entry| entry.address.as_ref()?.as_link_addr()?.addr())
        })
        .unwrap_or(NO_MAC)
}
