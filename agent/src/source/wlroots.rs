//! A monitor of any compositor that offers `ext-image-copy-capture` or `wlr-screencopy` (labwc, river, Wayfire, Hyprland,
//! niri, sway), captured as it is, without a portal and so without a dialogue.
//!
//! These protocols make no outputs: what is shown is a monitor that is there, at its own size.

use std::time::Duration;

use wayland_client::{
    Connection, Dispatch, QueueHandle,
    globals::{Global, GlobalListContents, registry_queue_init},
    protocol::{
        wl_output::{self, WlOutput},
        wl_registry::{self, WlRegistry},
    },
};

use super::{
    Source, SourceError, SourceRequest,
    desktop::{self, Handover, Opened, Pictures},
    detection::desktop_name,
    sway,
};
use crate::{
    apps::{Places, portal_monitor, wlroots_monitor},
    capture::output::OutputRequest,
    input::Target,
    wayland::{self, ConnectError, Outputs},
};

/// Its name in configuration and on the command line.
pub const NAME: &str = "wlroots";

/// How long the compositor may take to name its outputs: no person is asked.
const OPEN_LIMIT: Duration = Duration::from_secs(10);

/// The two halves of the newer protocol, and the older one with the version that tells of all formats before the copy.
const IMAGE_COPY: [&str; 2] = [
    "ext_output_image_capture_source_manager_v1",
    "ext_image_copy_capture_manager_v1",
];
const SCREENCOPY: (&str, u32) = ("zwlr_screencopy_manager_v1", 3);
const INPUT: [&str; 2] = [
    "zwlr_virtual_pointer_manager_v1",
    "zwp_virtual_keyboard_manager_v1",
];

/// Capture a monitor for `request`.
///
/// # Errors
/// `Unavailable` where the compositor does not offer it or has no monitor, `Failed` where the monitor of the
/// configuration is not there.
pub fn open(request: &SourceRequest) -> Result<Box<dyn Source>, SourceError> {
    of_kind(request, false)
}

/// The same for who did not ask for it by name: where input is offered as well (where it is not, a portal may have both), and where nobody
/// has to choose among monitors, or has done so at the portal. A sway makes a monitor of its own, also when it is late.
///
/// # Errors
/// As [`open`].
pub fn open_with_input(request: &SourceRequest) -> Result<Box<dyn Source>, SourceError> {
    let chosen_elsewhere = Places::of_environment().is_some_and(|places| {
        wlroots_monitor(&places).is_none() && portal_monitor(&places).is_some()
    });
    let unavailable = |why: &str| SourceError::Unavailable {
        name: NAME,
        why: why.to_owned(),
    };
    if chosen_elsewhere {
        return Err(unavailable("the portal's monitor is chosen in apps.toml"));
    }
    // one that does not answer yet will
    if desktop_name().eq_ignore_ascii_case("sway") && !sway::keeps_outputs() {
        return Err(unavailable("the session's compositor is sway"));
    }
    of_kind(request, true)
}

fn of_kind(request: &SourceRequest, unasked: bool) -> Result<Box<dyn Source>, SourceError> {
    let wanted = request.clone();
    let monitor = Places::of_environment().and_then(|places| wlroots_monitor(&places));
    desktop::open(NAME, request, OPEN_LIMIT, move |handover| {
        session(wanted, monitor, unasked, handover)
    })
}

async fn session(
    request: SourceRequest,
    monitor: Option<String>,
    unasked: bool,
    handover: Handover,
) -> Result<(), SourceError> {
    // A stream that has begun with a monitor shows no other one, also when it is opened again.
    let wanted = request.monitor.get().or(monitor.as_deref());
    let output = monitor_of_session(wanted, unasked)?;
    request.outputs.only_extends(NAME)?;
    request.monitor.begin(&output);
    tracing::info!(output, "a monitor of the compositor, as it is");
    handover
        .keep(Opened {
            pictures: Pictures::Output(OutputRequest {
                output: output.clone(),
                cursor: request.cursor,
                fps: Some(request.fps),
            }),
            eis: None,
            target: Target {
                output: Some(output),
                ..Target::default()
            },
        })
        .await;
    Ok(())
}

/// The name of the monitor that is captured. Blocks until the compositor has answered.
fn monitor_of_session(wanted: Option<&str>, unasked: bool) -> Result<String, SourceError> {
    let unavailable = |why: String| SourceError::Unavailable { name: NAME, why };
    let failed = |why: String| SourceError::Failed { name: NAME, why };
    let connection = wayland::connect().map_err(|error| match error {
        ConnectError::NoSocket => unavailable(error.to_string()),
        other => failed(other.to_string()),
    })?;
    let (globals, mut queue) =
        registry_queue_init::<Seen>(&connection).map_err(|error| failed(error.to_string()))?;
    if let Some(why) = lacks(&globals.contents().clone_list(), unasked) {
        return Err(unavailable(why));
    }
    let mut seen = Seen::default();
    seen.0
        .bind_all(globals.registry(), &queue.handle(), globals.contents());
    queue
        .roundtrip(&mut seen)
        .map_err(|error| failed(error.to_string()))?;
    let names = seen.0.names();
    if unasked && wanted.is_none() && names.len() > 1 {
        return Err(unavailable(format!(
            "nobody has said which monitor: there are {} ([wlroots] monitor in apps.toml names one)",
            names.join(", ")
        )));
    }
    choose(&names, wanted)
}

/// What the compositor would have to offer and does not.
fn lacks(offered: &[Global], input: bool) -> Option<String> {
    let has = |name: &str, version: u32| {
        let mut all = offered.iter();
        all.any(|global| global.interface == name && global.version >= version)
    };
    let (screencopy, version) = SCREENCOPY;
    if !IMAGE_COPY.iter().all(|name| has(name, 1)) && !has(screencopy, version) {
        return Some(format!(
            "the compositor offers neither ext-image-copy-capture nor wlr-screencopy version {version}"
        ));
    }
    let missing = INPUT.into_iter().find(|name| input && !has(name, 1))?;
    Some(format!("the compositor takes no input by {missing}"))
}

/// The wanted one of these outputs; where none is wanted, the first.
fn choose(names: &[&str], wanted: Option<&str>) -> Result<String, SourceError> {
    let Some(first) = names.first() else {
        return Err(SourceError::Unavailable {
            name: NAME,
            why: "the compositor has no monitor, or does not name it (wl_output version 4)"
                .to_owned(),
        });
    };
    let Some(wanted) = wanted else {
        if names.len() > 1 {
            tracing::info!(
                monitors = names.join(", "),
                "the first monitor is taken; [wlroots] monitor in apps.toml names another"
            );
        }
        return Ok((*first).to_owned());
    };
    if names.contains(&wanted) {
        return Ok(wanted.to_owned());
    }
    Err(SourceError::Failed {
        name: NAME,
        why: format!(
            "there is no monitor \"{wanted}\" (the stream began with it, or [wlroots] monitor in apps.toml names it); there are: {}",
            names.join(", ")
        ),
    })
}

#[derive(Default)]
struct Seen(Outputs);

impl Dispatch<WlRegistry, GlobalListContents> for Seen {
    fn event(
        seen: &mut Self,
        registry: &WlRegistry,
        event: wl_registry::Event,
        _: &GlobalListContents,
        _: &Connection,
        handle: &QueueHandle<Self>,
    ) {
        seen.0.registry_event(registry, event, handle);
    }
}

impl Dispatch<WlOutput, ()> for Seen {
    fn event(
        seen: &mut Self,
        output: &WlOutput,
        event: wl_output::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        seen.0.output_event(output, event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(names: &[(&str, u32)]) -> Vec<Global> {
        let global = |(number, (name, version)): (u32, &(&str, u32))| Global {
            name: number,
            interface: (*name).to_owned(),
            version: *version,
        };
        (1..).zip(names).map(global).collect()
    }

    #[test]
    fn either_protocol_does_and_half_of_one_does_not() {
        let [sources, copies] = IMAGE_COPY;
        let [pointer, keyboard] = INPUT;
        assert_eq!(lacks(&offered(&[(sources, 1), (copies, 1)]), false), None);
        assert_eq!(lacks(&offered(&[(SCREENCOPY.0, 3)]), false), None);
        for few in [&[(sources, 1)][..], &[(SCREENCOPY.0, 2)], &[]] {
            let why = lacks(&offered(few), false).unwrap();
            assert!(why.contains("ext-image-copy-capture"), "{why}");
        }
        // auto leaves a compositor without these to the portal
        let mut all = vec![(SCREENCOPY.0, 3), (pointer, 2)];
        let why = lacks(&offered(&all), true).unwrap();
        assert!(why.contains(keyboard), "{why}");
        all.push((keyboard, 1));
        assert_eq!(lacks(&offered(&all), true), None);
    }

    #[test]
    fn the_first_monitor_is_taken_or_the_one_that_is_named() {
        let names = ["DP-1", "HDMI-A-1"];
        assert_eq!(choose(&names, None).unwrap(), "DP-1");
        assert_eq!(choose(&names, Some("HDMI-A-1")).unwrap(), "HDMI-A-1");
        let gone = choose(&names, Some("DP-2")).unwrap_err();
        // not Unavailable: another source would show what was not asked for
        assert!(matches!(gone, SourceError::Failed { .. }));
        let text = gone.to_string();
        assert!(text.contains("DP-2") && text.contains("HDMI-A-1"), "{text}");
        let none = choose(&[], Some("DP-1")).unwrap_err();
        assert!(matches!(none, SourceError::Unavailable { .. }));
    }
}
