//! `/serverinfo`: what the host is and, for a paired client, what that client has running.
#[cfg(test)]
mod tests;

use super::{Caller, xml::Xml};
use crate::{
    agents::AgentInfo,
    host::Host,
    launch::{codec_mask, offer_for},
    network::hardware_address,
    store::ClientRecord,
};
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
    let agent = host.agents.for_client(client).map(|agent| agent.info());
    let app = host.launches.running_app(&client.id);
    let state = if app == 0 {
        "SUNSHINE_SERVER_FREE"
    } else {
        "SUNSHINE_SERVER_BUSY"
    };
    let mac = hardware_address(caller.local.ip()).unwrap_or(NO_MAC);
    common(host, caller, agent.as_ref(), mac)
        .element("PairStatus", 1)
        .element("currentgame", app)
        .element("state", state)
}

fn common(host: &Host, caller: &Caller, agent: Option<&AgentInfo>, mac: [u8; 6]) -> Xml {
    let config = host.settings.now();
    let offer = offer_for(
        agent,
        config.encryption.towards(caller.peer.ip()),
        &config.video_source,
    );
    let ports = config.ports;
    let local_ip = match caller.local.ip() {
        IpAddr::V4(v4) => v4,
        // Clients ignore it, and so keep the IPv4 address that they know.
        IpAddr::V6(_) => Ipv4Addr::LOCALHOST,
    };
    let [a, b, c, d, e, f] = mac;
    let external = host.settings.now().external;
    let xml = Xml::ok()
        .element("hostname", &host.settings.now().name)
        .element("appversion", APP_VERSION)
        .element("GfeVersion", GFE_VERSION)
        .element("uniqueid", &host.identity.unique_id)
        .element("HttpsPort", ports.https)
        .element("ExternalPort", external.http_port.unwrap_or(ports.http))
        .element(
            "mac",
            format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}"),
        )
        .element("LocalIP", local_ip)
        .element(
            "MaxLumaPixelsHEVC",
            if offer.hevc { MAX_LUMA_HEVC } else { 0 },
        )
        .element("ServerCodecModeSupport", codec_mask(&offer));
    match external.ip {
        Some(ip) => xml.element("ExternalIP", ip),
        None => xml,
    }
}
