//! The compositors that show a session without a screen, and how each is seen to be ready.

use crate::{processes, source::detection};
use anyhow::{Context, bail};
use punktfunk_dbus::on_demand::COMPOSITORS;
use std::{
    collections::HashSet,
    env,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::Stdio,
};
use tokio::process::{Child, Command};

/// One of the table.
#[derive(Debug, Clone, Copy)]
pub struct Compositor(&'static Recipe);

#[derive(Debug)]
struct Recipe {
    name: &'static str,
    program: &'static str,
    arguments: &'static [&'static str],
    environment: &'static [(&'static str, &'static str)],
    /// `XDG_CURRENT_DESKTOP`
    desktop: &'static str,
    /// What its socket's name begins with.
    socket: &'static str,
    /// On the session's bus, where pictures are asked for.
    bus_name: Option<&'static str>,
}

const MUTTER_PICTURES: Option<&str> = Some("org.gnome.Mutter.ScreenCast");
const NO_SCREEN: [&str; 3] = ["--headless", "--wayland", "--no-x11"];

/// In the order in which one is chosen where nobody has chosen.
static RECIPES: [Recipe; 5] = [
    Recipe {
        name: "gnome",
        program: "gnome-shell",
        arguments: &NO_SCREEN,
        environment: &[],
        desktop: "GNOME",
        socket: "wayland-",
        bus_name: MUTTER_PICTURES,
    },
    Recipe {
        name: "sway",
        program: "sway",
        arguments: &[],
        environment: &[
            ("WLR_BACKENDS", "headless"),
            ("WLR_LIBINPUT_NO_DEVICES", "1"),
        ],
        desktop: "sway",
        socket: "wayland-",
        bus_name: None,
    },
    Recipe {
        name: "mutter",
        program: "mutter",
        arguments: &NO_SCREEN,
        environment: &[],
        desktop: "GNOME",
        socket: "wayland-",
        bus_name: MUTTER_PICTURES,
    },
    Recipe {
        name: "kwin",
        program: "kwin_wayland",
        arguments: &["--virtual", "--no-lockscreen"],
        environment: &[],
        desktop: "KDE",
        socket: "wayland-",
        bus_name: None,
    },
    Recipe {
        name: "gamescope",
        program: "gamescope",
        arguments: &["--backend", "headless"],
        environment: &[],
        desktop: "gamescope",
        socket: "gamescope-",
        bus_name: None,
    },
];

/// What the system's manager told this process and nobody below it is to hear.
const OWN: [&str; 4] = ["NOTIFY_SOCKET", "COMPOSITOR", "KEEP", "LISTEN_FDS"];

/// Where a compositor takes clients.
#[derive(Debug)]
pub struct Display {
    pub name: String,
}

impl Compositor {
    /// The one of this name; without one, the first that is installed.
    ///
    /// # Errors
    /// No such name, nothing installed.
    pub fn chosen(name: Option<&str>) -> anyhow::Result<Self> {
        let name = name.filter(|name| !name.is_empty() && *name != "auto");
        let found = match name {
            Some(name) => RECIPES.iter().find(|recipe| recipe.name == name),
            None => RECIPES.iter().find(|recipe| is_installed(recipe.program)),
        };
        let names = COMPOSITORS.join(", ");
        match (found, name) {
            (Some(recipe), _) => Ok(Self(recipe)),
            (None, Some(name)) => {
                bail!("COMPOSITOR={name} in /etc/punktfunk/on-demand.d is none of auto, {names}")
            }
            (None, None) => bail!("none of the compositors is installed: {names}"),
        }
    }

    pub fn name(self) -> &'static str {
        self.0.name
    }

    pub fn desktop(self) -> &'static str {
        self.0.desktop
    }

    pub fn bus_name(self) -> Option<&'static str> {
        self.0.bus_name
    }

    /// # Errors
    /// It is not installed, or cannot be run.
    pub fn start(self) -> anyhow::Result<Child> {
        let recipe = self.0;
        let mut command = Command::new(recipe.program);
        command
            .args(recipe.arguments)
            .envs(recipe.environment.iter().copied())
            .env("XDG_CURRENT_DESKTOP", recipe.desktop)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        for name in OWN {
            command.env_remove(name);
        }
        command.spawn().with_context(|| {
            format!(
                "{} cannot be started ({}); is it installed?",
                recipe.name, recipe.program
            )
        })
    }

    /// The socket on which this process, or one that descends from it, takes clients. Known by who listens there: a name would
    /// not tell it from what an earlier session has left.
    pub fn display(self, runtime: &Path, process: Option<u32>) -> Option<Display> {
        let process = i32::try_from(process?).ok()?;
        let sockets: Vec<(String, i32)> = std::fs::read_dir(runtime)
            .ok()?
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| self.is_display(name))
            .filter_map(|name| {
                let stream = UnixStream::connect(runtime.join(&name)).ok()?;
                Some((name, detection::owner(&stream)?))
            })
            .collect();
        if sockets.is_empty() {
            return None;
        }
        let family = processes::with_descendants(HashSet::from([process]));
        sockets
            .into_iter()
            .filter(|(_, owner)| family.contains(owner))
            .map(|(name, _)| Display { name })
            .min_by(|one, other| one.name.cmp(&other.name))
    }

    fn is_display(self, name: &str) -> bool {
        name.strip_prefix(self.0.socket).is_some_and(|number| {
            !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
        })
    }
}

fn is_installed(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .map(|folder: PathBuf| folder.join(program))
        .any(|program| program.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    fn a_compositor_is_chosen_by_a_known_name() {
        assert!(RECIPES.iter().map(|recipe| recipe.name).eq(COMPOSITORS));
        for name in COMPOSITORS {
            assert_eq!(Compositor::chosen(Some(name)).unwrap().name(), name);
        }
        let refused = Compositor::chosen(Some("xterm; rm")).unwrap_err();
        assert!(refused.to_string().contains("mutter"), "{refused}");
    }

    #[test]
    fn only_a_socket_of_the_compositors_own_is_its_display() {
        let folder = env::temp_dir().join(format!("pf-on-demand-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let sway = Compositor::chosen(Some("sway")).unwrap();
        let own = Some(std::process::id());
        assert!(sway.display(&folder, own).is_none());
        let _display = UnixListener::bind(folder.join("wayland-3")).unwrap();
        let _other = UnixListener::bind(folder.join("wayland-3x")).unwrap();
        // nobody listens there any more
        drop(UnixListener::bind(folder.join("wayland-1")).unwrap());
        assert_eq!(sway.display(&folder, own).unwrap().name, "wayland-3");
        let mut stranger = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        assert!(sway.display(&folder, Some(stranger.id())).is_none());
        let gamescope = Compositor::chosen(Some("gamescope")).unwrap();
        assert!(gamescope.display(&folder, own).is_none());
        stranger.kill().unwrap();
        stranger.wait().unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
