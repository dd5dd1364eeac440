//! Is the machine set up for it?
use crate::doctor::{Facts, Finding, PadNode};

/// What the package's sysctl.d file asks for.
const SEND_BUFFER: u64 = 4 << 20;
/// The planes that are UDP; every other port is TCP.
const UDP_PLANES: [&str; 3] = ["video", "control", "audio"];

pub fn ports(facts: &Facts) -> Finding {
    let check = "ports";
    let Some(Ok(snapshot)) = &facts.snapshot else {
        return Finding::skip(check, "needs the service");
    };
    let Some(listening) = &facts.listening else {
        return Finding::skip(check, "/proc/net cannot be read here");
    };
    let ports = snapshot.host.ports_in_order();
    let closed: Vec<String> = ports
        .iter()
        .filter_map(|(name, port)| {
            let udp = UDP_PLANES.contains(name);
            let open = if udp { &listening.udp } else { &listening.tcp };
            let protocol = if udp { "udp" } else { "tcp" };
            (!open.contains(port)).then(|| format!("{name} ({protocol} {port})"))
        })
        .collect();
    if closed.is_empty() {
        let all: Vec<String> = ports.iter().map(|(_, port)| port.to_string()).collect();
        return Finding::ok(check, format!("bound here: {}", all.join(", ")));
    }
    Finding::fail(
        check,
        format!("nothing listens on {}", closed.join(", ")),
        "changed ports need the unit's SocketBindAllow drop-in and a restart: sudo systemctl restart punktfunk",
    )
}

pub fn send_buffer(facts: &Facts) -> Finding {
    let check = "send buffer";
    match facts.wmem_max {
        Some(bytes) if bytes >= SEND_BUFFER => Finding::ok(check, format!("up to {bytes} bytes")),
        Some(bytes) => Finding::warn(
            check,
            format!("at most {bytes} bytes: large pictures at high rates may lose packets"),
            "sudo sysctl --system (the package's file raises net.core.wmem_max), then restart the service",
        ),
        None => Finding::skip(check, "net.core.wmem_max cannot be read here"),
    }
}

pub fn discovery(facts: &Facts) -> Finding {
    let found = if facts.avahi {
        "announced through Avahi"
    } else {
        "no Avahi: the service announces itself"
    };
    Finding::ok("discovery", found)
}

pub fn gamepads(facts: &Facts) -> Finding {
    let check = "gamepads";
    if facts.pad_rules.is_none() && !facts.private_bus {
        return Finding::warn(
            check,
            "72-punktfunk.rules is not installed: clients get no gamepads",
            "install the package again, then `sudo udevadm control --reload` and restart the service",
        );
    }
    let nodes = [
        ("uinput", facts.uinput, "gamepads"),
        ("uhid", facts.uhid, "DualSense pads (touch, motion)"),
    ];
    for (name, node, pads) in nodes {
        let (problem, remedy) = match node {
            PadNode::Open => continue,
            PadNode::Missing => ("is not there", format!("sudo modprobe {name}")),
            PadNode::Closed if facts.private_bus => (
                "is closed to this account",
                "run the installed service; its udev rule opens the node".to_owned(),
            ),
            PadNode::Closed => (
                "is closed to the account punktfunk",
                "sudo udevadm control --reload; sudo udevadm trigger --subsystem-match=misc"
                    .to_owned(),
            ),
        };
        return Finding::warn(
            check,
            format!("/dev/{name} {problem}: clients get no {pads}"),
            format!("{remedy}; then restart the service"),
        );
    }
    Finding::ok(check, "Xbox, DualSense and Switch can be made")
}
