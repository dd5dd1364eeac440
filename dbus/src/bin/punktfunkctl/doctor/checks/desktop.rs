//! Can what the caller's desktop shows be captured?
use super::session::own_agent;
use crate::doctor::{Facts, Finding};
use punktfunk_dbus::gamescope;

/// How the agent gets at a desktop's pictures.
#[derive(PartialEq, Eq)]
enum Way {
    /// By asking the compositor, which needs nothing else.
    Direct(&'static str),
    KWin,
    /// One that may let its monitors be copied, and may have a portal.
    Other,
    /// There is no desktop here.
    None,
}

fn way(facts: &Facts) -> Way {
    // the agent's word counts: it is what captures
    let agent = own_agent(facts).map(|agent| agent.compositor.as_str());
    let name = agent
        .filter(|name| !name.is_empty() && *name != "unknown")
        .unwrap_or(&facts.desktop.name);
    let has = |word: &str| name.contains(word);
    if has("gnome") || has("mutter") {
        Way::Direct("Mutter")
    } else if has("sway") {
        Way::Direct("sway")
    } else if has("kde") || has("plasma") || has("kwin") {
        Way::KWin
    } else if name.is_empty() {
        Way::None
    } else {
        Way::Other
    }
}

/// The protocol by which the compositor lets its monitors be copied, as far as it says.
fn copied(facts: &Facts) -> Option<&'static str> {
    let has = |name: &str, version: u32| {
        let globals = facts.desktop.globals.as_ref();
        globals.is_some_and(|all| all.get(name).is_some_and(|found| *found >= version))
    };
    if has("ext_output_image_capture_source_manager_v1", 1)
        && has("ext_image_copy_capture_manager_v1", 1)
    {
        Some("ext-image-copy-capture")
    } else if has("zwlr_screencopy_manager_v1", 3) {
        Some("wlr-screencopy")
    } else {
        None
    }
}

/// Whether it takes input by the protocols that go with these.
fn takes_input(facts: &Facts) -> bool {
    facts.desktop.globals.as_ref().is_some_and(|all| {
        [
            "zwlr_virtual_pointer_manager_v1",
            "zwp_virtual_keyboard_manager_v1",
        ]
        .into_iter()
        .all(|name| all.contains_key(name))
    })
}

pub fn session_manager(facts: &Facts) -> Finding {
    let check = "WirePlumber";
    match facts.desktop.session_manager {
        true => Finding::ok(check, "runs"),
        false if facts.uid == 0 || facts.pipewire.is_none() => {
            Finding::skip(check, "not in a session")
        }
        false if !facts.pipewire_present => Finding::skip(check, "needs PipeWire"),
        false => Finding::warn(
            check,
            "no session manager of PipeWire runs: nothing is linked, so no sound arrives, and the desktop late or not at all",
            "systemctl --user enable --now wireplumber; its log: journalctl --user -u wireplumber",
        ),
    }
}

pub fn capture(facts: &Facts) -> Finding {
    let check = "capture";
    let source = facts.settings.get("video.source").map(String::as_str);
    let compositor = facts.settings.get("video.compositor").map(String::as_str);
    // a compositor that is named stands for the source that captures it
    let named = source.filter(|name| *name != "auto").or(compositor);
    if named == Some("portal") && way(facts) != Way::None {
        return asked_for(check, facts.desktop.screen_cast);
    }
    match (
        way(facts),
        &facts.desktop.kwin_grant,
        facts.desktop.screen_cast,
    ) {
        (Way::None, ..) => Finding::skip(check, "not in a desktop session"),
        (Way::Direct(name), ..) => Finding::ok(check, format!("{name} is asked directly")),
        (Way::KWin, Some(grant), _) => Finding::ok(
            check,
            format!(
                "KWin is asked directly, granted by {}{}",
                grant.display(),
                rate(facts.desktop.kwin)
            ),
        ),
        (Way::KWin, None, _) => Finding::fail(
            check,
            "no desktop file grants the agent KWin's screencast protocol, so KWin hides it",
            "install the package again (org.punktfunk.Agent.desktop, its Exec= must be the agent's real path), then log out and in",
        ),
        (Way::Other, _, portal) => other(check, facts, portal),
    }
}

/// The configuration says that it is to be the portal, whatever the compositor could do.
fn asked_for(check: &'static str, portal: Option<u32>) -> Finding {
    match portal {
        Some(version) => Finding::ok(
            check,
            format!("by the portal, as is configured, ScreenCast version {version}"),
        ),
        None => Finding::fail(
            check,
            "the configuration asks for the portal, and there is none with ScreenCast",
            "install xdg-desktop-portal and your desktop's back end of it (-gnome, -kde, -wlr, ...), then log out and in; \
             or let the agent choose: punktfunkctl config reset video.source, and video.compositor",
        ),
    }
}

/// What the source `auto` does for a compositor that it does not know by name.
fn other(check: &'static str, facts: &Facts, portal: Option<u32>) -> Finding {
    match (copied(facts), takes_input(facts), portal) {
        (Some(protocol), true, _) => Finding::ok(
            check,
            format!("a monitor is copied as it is, by {protocol}"),
        ),
        (_, _, Some(version)) => Finding::ok(
            check,
            format!("by the portal, ScreenCast version {version}"),
        ),
        (Some(protocol), false, None) => Finding::fail(
            check,
            format!(
                "the compositor lets its monitors be copied ({protocol}) and takes no virtual pointer and keyboard; of portals there is \
                 none with ScreenCast"
            ),
            "for pictures without input: punktfunkctl config set video.source=wlroots; else install xdg-desktop-portal and your desktop's \
             back end of it, then log out and in",
        ),
        (None, _, None) => Finding::fail(
            check,
            "this desktop is captured by its portal, and there is none with ScreenCast; its compositor was not seen to offer \
             ext-image-copy-capture or wlr-screencopy, which need no portal",
            "install xdg-desktop-portal and your desktop's back end of it (xdg-desktop-portal-wlr, -hyprland, -gtk, ...), then log out and in",
        ),
    }
}

/// What there is to say of the rates that this KWin gives its virtual outputs.
fn rate(version: Option<(u32, u32)>) -> &'static str {
    match version {
        Some(version) if version < (6, 6) => {
            "; it gives 60 pictures a second and no more (other rates came with Plasma 6.6)"
        }
        _ => "",
    }
}

pub fn lock(facts: &Facts) -> Finding {
    let check = "lock";
    let Some(agent) = own_agent(facts) else {
        return Finding::skip(check, "needs the agent");
    };
    match facts.locked {
        None => Finding::skip(check, "logind does not say"),
        Some(false) => Finding::ok(check, "the session is not locked"),
        Some(true) => Finding::warn(
            check,
            format!(
                "session {} is locked: clients see a placeholder, only those that may unlock see it",
                agent.session
            ),
            format!(
                "unlock it (loginctl unlock-session {}), or let a client do it: punktfunkctl clients permissions ID ... unlock",
                agent.session
            ),
        ),
    }
}

/// What becomes of the other outputs, which only KWin lets us arrange: the other sources refuse a stream then.
pub fn outputs(facts: &Facts) -> Finding {
    let check = "outputs";
    let setting = |key: &str| facts.settings.get(key).map(String::as_str);
    let (Some(policy), Some(source), Some(compositor)) = (
        setting("desktop.outputs"),
        setting("video.source"),
        setting("video.compositor"),
    ) else {
        return Finding::skip(check, "needs the service");
    };
    if policy == "extend" {
        return Finding::ok(check, "the session's other outputs are left alone");
    }
    // a compositor that is named stands for the source that captures it
    let named = if source == "auto" { compositor } else { source };
    let refused = match (named, way(facts)) {
        ("mutter" | "gnome" | "sway" | "wlroots" | "portal", _) => format!("the source {named}"),
        ("gamescope", _) if facts.desktop.gamescope_runs => {
            "a gamescope that runs already".to_owned()
        }
        ("auto", Way::None) => return Finding::skip(check, "not in a desktop session"),
        ("auto", Way::Direct(name)) => name.to_owned(),
        ("auto", Way::Other) => "this desktop".to_owned(),
        _ => return Finding::ok(check, format!("{policy} while streaming")),
    };
    Finding::fail(
        check,
        format!("{refused} cannot do outputs = \"{policy}\", so every stream of it is refused"),
        "punktfunkctl config set desktop.outputs=extend (KWin alone can do the others)",
    )
}

pub fn gamescope(facts: &Facts) -> Finding {
    let check = "gamescope";
    match (&facts.desktop.wants_gamescope, &facts.desktop.gamescope) {
        (None, _) => Finding::skip(check, "nothing is configured to run in it"),
        (Some(_), Some(path)) => match &facts.desktop.gamescope_help {
            None => Finding::fail(
                check,
                format!("{} says nothing to --help", path.display()),
                "run it in a terminal to see why, or install it again",
            ),
            Some(help) if gamescope::windowless(help).is_none() => Finding::fail(
                check,
                format!(
                    "{} ({}) cannot run without a window: it has neither --backend nor --headless",
                    path.display(),
                    gamescope::version(help)
                ),
                "install version 3.14 or later, or take it out of the file that asks for it (punktfunk's apps.toml or punktfunk.toml)",
            ),
            Some(_) => Finding::ok(check, path.display().to_string()),
        },
        (Some(file), None) => Finding::fail(
            check,
            format!("{} asks for it, and it is not installed", file.display()),
            "install gamescope, or take it out of that file",
        ),
    }
}
