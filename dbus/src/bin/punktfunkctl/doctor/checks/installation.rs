//! Is the service there, and can one talk to it?
use super::DEVELOPMENT;
use crate::doctor::{Facts, Finding};

const INSTALL_AGAIN: &str = "install the package again";

pub fn bus(facts: &Facts) -> Finding {
    match &facts.bus {
        Ok(()) => Finding::ok("message bus", "reachable"),
        Err(failure) => {
            let remedy = failure.remedy.clone().unwrap_or_default();
            Finding::fail("message bus", failure.message.clone(), remedy)
        }
    }
}

pub fn bus_policy(facts: &Facts) -> Finding {
    match &facts.bus_policy {
        _ if facts.private_bus => Finding::skip("bus policy", DEVELOPMENT),
        Some(path) => Finding::ok("bus policy", path.display().to_string()),
        None => Finding::fail(
            "bus policy",
            "org.punktfunk.Host1.conf is not installed: the service may not take its name",
            format!("{INSTALL_AGAIN}, then `sudo systemctl reload dbus`"),
        ),
    }
}

pub fn service_user(facts: &Facts) -> Finding {
    match facts.service_user {
        _ if facts.private_bus => Finding::skip("account", DEVELOPMENT),
        true => Finding::ok("account", "punktfunk exists"),
        false => Finding::fail(
            "account",
            "the account punktfunk, which the service becomes, does not exist",
            "sudo systemd-sysusers",
        ),
    }
}

pub fn unit(facts: &Facts) -> Finding {
    let check = "unit";
    match facts.unit.as_deref() {
        _ if facts.private_bus => Finding::skip(check, DEVELOPMENT),
        Some(state @ ("enabled" | "enabled-runtime" | "alias")) => Finding::ok(check, state),
        Some("masked" | "masked-runtime") => Finding::fail(
            check,
            "an administrator has masked punktfunk.service",
            "sudo systemctl unmask punktfunk",
        ),
        Some(state) => Finding::warn(
            check,
            format!("{state}: the service does not start with the machine"),
            "sudo systemctl enable --now punktfunk",
        ),
        None if facts.service => Finding::skip(check, "systemd knows no punktfunk.service"),
        None => Finding::warn(
            check,
            "systemd knows no punktfunk.service, or does not run here",
            format!("{INSTALL_AGAIN}, then `sudo systemctl enable --now punktfunk`"),
        ),
    }
}

pub fn service(facts: &Facts) -> Finding {
    let check = "service";
    match &facts.snapshot {
        Some(Ok(snapshot)) => Finding::ok(
            check,
            format!(
                "{} runs punktfunk {}",
                snapshot.host.host_name, snapshot.host.version
            ),
        ),
        Some(Err(failure)) => Finding::fail(
            check,
            format!("runs, but does not answer: {}", failure.message),
            failure
                .remedy
                .clone()
                .unwrap_or_else(|| "journalctl -u punktfunk".into()),
        ),
        None if facts.bus.is_err() => Finding::skip(check, "needs the message bus"),
        None => Finding::fail(
            check,
            "does not run",
            "sudo systemctl enable --now punktfunk; why it stopped: journalctl -u punktfunk",
        ),
    }
}

pub fn polkit(facts: &Facts) -> Finding {
    match facts.polkit {
        true => Finding::ok("polkit", "reachable"),
        false if facts.bus.is_err() => Finding::skip("polkit", "needs the message bus"),
        false if facts.private_bus => Finding::skip("polkit", DEVELOPMENT),
        false => Finding::fail(
            "polkit",
            "not there: pairing and everything else that needs authority is refused",
            "install polkitd; `systemctl status polkit`",
        ),
    }
}

pub fn action_file(facts: &Facts) -> Finding {
    match &facts.action_file {
        _ if facts.private_bus => Finding::skip("actions", DEVELOPMENT),
        Some(path) => Finding::ok("actions", path.display().to_string()),
        None => Finding::fail(
            "actions",
            "org.punktfunk.host.policy is not installed: polkit refuses what it does not know",
            INSTALL_AGAIN,
        ),
    }
}
