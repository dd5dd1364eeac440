//! Can the caller's own session be streamed?
use crate::{
    doctor::{Facts, Finding},
    snapshot::Agent,
};

/// Encoders that run on the CPU.
const SOFTWARE: [&str; 4] = ["openh264", "x264", "x265", "aom"];

/// The agent of the caller's session, else one of the caller's account.
pub(super) fn own_agent(facts: &Facts) -> Option<&Agent> {
    let snapshot = facts.snapshot.as_ref()?.as_ref().ok()?;
    let own = || {
        snapshot
            .agents
            .iter()
            .filter(|agent| agent.user.uid == facts.uid)
    };
    own()
        .find(|agent| Some(&agent.session) == facts.session.as_ref())
        .or_else(|| own().next())
}

pub fn agent(facts: &Facts) -> Finding {
    let check = "agent";
    if let Some(agent) = own_agent(facts) {
        let found = format!("session {} ({})", agent.session, agent.compositor);
        return Finding::ok(check, found);
    }
    match &facts.snapshot {
        Some(Ok(_)) if facts.uid == 0 => Finding::skip(
            check,
            "root has no session to stream: run doctor as the user who has",
        ),
        Some(Ok(_)) => Finding::fail(
            check,
            "no session of yours can be streamed",
            "log in to a desktop; `systemctl --user enable --now punktfunk-agent`; its log: journalctl --user -u punktfunk-agent",
        ),
        _ => Finding::skip(check, "needs the service"),
    }
}

pub fn pipewire(facts: &Facts) -> Finding {
    let check = "PipeWire";
    match &facts.pipewire {
        Some(path) if facts.pipewire_present => Finding::ok(check, path.display().to_string()),
        Some(path) => Finding::warn(
            check,
            format!(
                "nobody listens at {}: neither the desktop nor its sound can be captured",
                path.display()
            ),
            "systemctl --user enable --now pipewire.socket wireplumber",
        ),
        None => Finding::skip(check, "not in a session (XDG_RUNTIME_DIR is not set)"),
    }
}

pub fn encoders(facts: &Facts) -> Finding {
    let check = "encoders";
    let Some(agent) = own_agent(facts) else {
        return Finding::skip(check, "needs the agent");
    };
    let with_speed = |name: &String| match facts.speeds.get(name) {
        Some(measured) => format!("{name} ({})", measured.text()),
        None => name.clone(),
    };
    let named: Vec<String> = agent.encoders.iter().map(with_speed).collect();
    let list = named.join(", ");
    if agent.encoders.is_empty() {
        return Finding::fail(
            check,
            "the agent found none",
            "its log says what it tried: journalctl --user -u punktfunk-agent",
        );
    }
    let software = |name: &String| SOFTWARE.contains(&name.as_str());
    if agent.encoders.iter().all(software) {
        let measured = facts
            .speeds
            .keys()
            .any(|name| agent.encoders.contains(name));
        return Finding::warn(
            check,
            match measured {
                true => format!("{list}: on the CPU"),
                false => format!("{list}: on the CPU, not measured yet"),
            },
            "for more, install the graphics card's driver with its video encoder; `punktfunk-agent encoders` says what is missing",
        );
    }
    Finding::ok(check, list)
}

pub fn codecs(facts: &Facts) -> Finding {
    let check = "codecs";
    let Some(agent) = own_agent(facts) else {
        return Finding::skip(check, "needs the agent");
    };
    if agent.codecs.iter().any(|codec| codec == "h264") {
        return Finding::ok(check, agent.codecs.join(", "));
    }
    Finding::warn(
        check,
        format!(
            "no h264 among [{}]: some clients will not connect",
            agent.codecs.join(", ")
        ),
        "journalctl --user -u punktfunk-agent",
    )
}
