//! What is seen of the caller's desktop: who could capture it, and whether that would work. Nothing here judges.
use super::wayland::{self, Globals};
use crate::bus::Bus;
use nix::unistd::geteuid;
use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};
use zbus::{Connection, names::BusName, zvariant::OwnedValue};

const PATIENCE: Duration = Duration::from_secs(3);
/// As long as the agent waits for a gamescope's options.
const HELP_LIMIT: Duration = Duration::from_secs(5);
/// What KWin grants to programs that are named in a desktop file.
const KWIN_INTERFACE: &str = "zkde_screencast_unstable_v1";
const AGENT: &str = "punktfunk-agent";
/// gamescope, as the kernel names its processes.
const GAMESCOPES: [&str; 2] = ["gamescope", "gamescope-wl"];
/// What holds one of the agent's own: a word of its command line.
const KEEPER: &[u8] = b"gamescope-keeper";
/// The programs that link PipeWire's nodes, as the kernel names their processes.
const SESSION_MANAGERS: [&str; 2] = ["wireplumber", "pipewire-media-"];

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Desktop {
    /// `XDG_CURRENT_DESKTOP` in lower case; empty outside of a desktop.
    pub name: String,
    /// Somebody links what is captured.
    pub session_manager: bool,
    /// The desktop file that lets the agent capture KWin.
    pub kwin_grant: Option<PathBuf>,
    /// The version of the KWin that is installed, on a Plasma desktop.
    pub kwin: Option<(u32, u32)>,
    /// The version of the portal's ScreenCast; `None`: there is no portal, or none for this desktop.
    pub screen_cast: Option<u32>,
    /// What the compositor offers on Wayland; `None`: it could not be asked.
    pub globals: Option<Globals>,
    /// An application or the configuration asks for gamescope, and where it says so.
    pub wants_gamescope: Option<PathBuf>,
    pub gamescope: Option<PathBuf>,
    /// One runs that no agent has started: a stream shows that one.
    pub gamescope_runs: bool,
    /// What that one prints as its help, where it is asked for; `None`: nothing.
    pub gamescope_help: Option<String>,
}

impl Desktop {
    pub async fn gather() -> Self {
        let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
        let name = std::env::var("XDG_CURRENT_DESKTOP")
            .unwrap_or_default()
            .to_lowercase();
        let wants_gamescope = gamescope_wanted(&configurations(variable));
        let gamescope = in_path("gamescope", variable("PATH").as_deref());
        Self {
            gamescope_help: match (&wants_gamescope, &gamescope) {
                (Some(_), Some(program)) => help(program).await,
                _ => None,
            },
            kwin: match name.contains("kde") || name.contains("plasma") {
                true => kwin().await,
                false => None,
            },
            name,
            session_manager: runs(&SESSION_MANAGERS),
            kwin_grant: grant(&data_folders(variable)),
            screen_cast: screen_cast().await,
            globals: wayland::globals(variable).await,
            wants_gamescope,
            gamescope,
            gamescope_runs: processes(&GAMESCOPES).any(|process| !is_kept(process)),
        }
    }
}

/// What `kwin_wayland --version` says: "kwin 6.3.6".
async fn kwin() -> Option<(u32, u32)> {
    let mut asked = tokio::process::Command::new("kwin_wayland");
    asked.arg("--version").kill_on_drop(true);
    let answer = tokio::time::timeout(PATIENCE, asked.output()).await;
    version(&String::from_utf8_lossy(&answer.ok()?.ok()?.stdout))
}

/// What a program prints when it is asked for its options, on either output.
async fn help(program: &Path) -> Option<String> {
    let mut asked = tokio::process::Command::new(program);
    asked
        .arg("--help")
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true);
    let answer = tokio::time::timeout(HELP_LIMIT, asked.output()).await;
    let answer = answer.ok()?.ok()?;
    let text = [answer.stdout, answer.stderr].concat();
    Some(String::from_utf8_lossy(&text).into_owned()).filter(|text| !text.trim().is_empty())
}

fn version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split_whitespace().nth(1)?.split('.');
    let mut next = || numbers.next()?.parse().ok();
    Some((next()?, next()?))
}

/// Whether logind says that a session is locked; `None` where it does not say.
pub async fn locked(bus: &Bus, session: &str) -> Option<bool> {
    const LOGIND: &str = "org.freedesktop.login1";
    let asked = async {
        let manager = zbus::Proxy::new(
            bus.connection(),
            LOGIND,
            "/org/freedesktop/login1",
            "org.freedesktop.login1.Manager",
        )
        .await?;
        let path: zbus::zvariant::OwnedObjectPath = manager.call("GetSession", &(session,)).await?;
        let session = zbus::Proxy::new(
            bus.connection(),
            LOGIND,
            path,
            "org.freedesktop.login1.Session",
        )
        .await?;
        session.get_property::<bool>("LockedHint").await
    };
    tokio::time::timeout(PATIENCE, asked).await.ok()?.ok()
}

/// Whether a process of the caller has one of these names.
fn runs(names: &[&str]) -> bool {
    processes(names).next().is_some()
}

/// The caller's processes that have one of these names.
fn processes(names: &[&str]) -> impl Iterator<Item = u32> {
    let own = geteuid().as_raw();
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    all.filter(move |process| process.metadata().is_ok_and(|of| of.uid() == own))
        .filter_map(|process| {
            let comm = fs::read_to_string(process.path().join("comm")).ok()?;
            let id = process.file_name().to_str()?.parse().ok()?;
            names.contains(&comm.trim_end()).then_some(id)
        })
}

/// Whether the agent has started it, or what it runs in.
fn is_kept(process: u32) -> bool {
    let mut process = process;
    // as far up as processes go, and no further if they change meanwhile
    for _ in 0..64 {
        let line = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
        if line.split(|byte| *byte == 0).nth(1) == Some(KEEPER) {
            return true;
        }
        match parent(process) {
            Some(parent) if parent > 1 => process = parent,
            _ => return false,
        }
    }
    false
}

fn parent(process: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("PPid:"))?;
    line.trim().parse().ok()
}

/// Where desktop files are looked for.
fn data_folders(variable: impl Fn(&str) -> Option<PathBuf>) -> Vec<PathBuf> {
    let own = variable("XDG_DATA_HOME")
        .or_else(|| variable("HOME").map(|home| home.join(".local/share")));
    let shared = variable("XDG_DATA_DIRS").unwrap_or_else(|| "/usr/local/share:/usr/share".into());
    let shared = std::env::split_paths(&shared).collect::<Vec<_>>();
    own.into_iter().chain(shared).collect()
}

/// The desktop file that names the agent and the interface.
fn grant(folders: &[PathBuf]) -> Option<PathBuf> {
    let files = folders.iter().flat_map(|folder| {
        let files = fs::read_dir(folder.join("applications"));
        files.into_iter().flatten().flatten()
    });
    files
        .map(|file| file.path())
        .filter(|path| path.extension().is_some_and(|end| end == "desktop"))
        .find(|path| fs::read_to_string(path).is_ok_and(|text| grants(&text)))
}

fn grants(text: &str) -> bool {
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key));
        line.and_then(|line| line.trim_start().strip_prefix('='))
    };
    let interface = value("X-KDE-Wayland-Interfaces").is_some_and(|list| {
        list.split([',', ';'])
            .any(|one| one.trim() == KWIN_INTERFACE)
    });
    let program = value("Exec").and_then(|exec| exec.split_whitespace().next());
    // KWin compares the whole path with that of the running program
    let of_agent = program.map(Path::new).is_some_and(|program| {
        program.file_name().is_some_and(|name| name == AGENT) && program.exists()
    });
    interface && of_agent
}

async fn screen_cast() -> Option<u32> {
    const PORTAL: &str = "org.freedesktop.portal.Desktop";
    let asked = async {
        let bus = Connection::session().await.ok()?;
        let names = zbus::fdo::DBusProxy::new(&bus).await.ok()?;
        let owned = names
            .name_has_owner(BusName::try_from(PORTAL).ok()?)
            .await
            .ok()?;
        let known = names.list_activatable_names().await.ok()?;
        if !owned && !known.iter().any(|name| name.as_str() == PORTAL) {
            return None;
        }
        let answer = bus
            .call_method(
                Some(PORTAL),
                "/org/freedesktop/portal/desktop",
                Some("org.freedesktop.DBus.Properties"),
                "Get",
                &("org.freedesktop.portal.ScreenCast", "version"),
            )
            .await
            .ok()?;
        let version: OwnedValue = answer.body().deserialize().ok()?;
        u32::try_from(version).ok()
    };
    tokio::time::timeout(PATIENCE, asked).await.ok().flatten()
}

/// The files that can ask for gamescope.
fn configurations(variable: impl Fn(&str) -> Option<PathBuf>) -> Vec<PathBuf> {
    let own =
        variable("XDG_CONFIG_HOME").or_else(|| variable("HOME").map(|home| home.join(".config")));
    let own = own.map(|folder| folder.join("punktfunk/apps.toml"));
    own.into_iter()
        .chain(["/etc/punktfunk/punktfunk.toml".into()])
        .collect()
}

fn gamescope_wanted(files: &[PathBuf]) -> Option<PathBuf> {
    let wants = |text: String| {
        text.lines().any(|line| {
            let Some((key, value)) = line.split_once('=') else {
                return false;
            };
            ["compositor", "source"].contains(&key.trim())
                && value
                    .trim_start()
                    .trim_start_matches(['"', '\''])
                    .starts_with("gamescope")
        })
    };
    let found = files
        .iter()
        .find(|file| fs::read_to_string(file).is_ok_and(wants));
    found.cloned()
}

/// Debian puts gamescope among the games, which not every `PATH` has; the agent looks there too.
const GAMES: &str = "/usr/games";

fn in_path(program: &str, path: Option<&Path>) -> Option<PathBuf> {
    let folders = path.into_iter().flat_map(std::env::split_paths);
    folders
        .chain([PathBuf::from(GAMES)])
        .map(|folder| folder.join(program))
        .find(|file| {
            nix::unistd::access(file, nix::unistd::AccessFlags::X_OK).is_ok() && file.is_file()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kwins_version_is_read_from_what_it_says() {
        assert_eq!(version("kwin 6.3.6\n"), Some((6, 3)));
        assert_eq!(version("kwin\n"), None);
        assert_eq!(version("kwin six.3"), None);
    }

    #[test]
    fn a_grant_names_the_interface_and_a_program_that_is_there() {
        let folder = std::env::temp_dir().join(format!("pf-grant-{}", std::process::id()));
        fs::create_dir_all(folder.join("applications")).unwrap();
        let agent = folder.join(AGENT);
        let file = folder.join("applications/agent.desktop");
        let write = |interface: &str| {
            let text = format!(
                "[Desktop Entry]\nExec={} run\nX-KDE-Wayland-Interfaces=a,{interface}\n",
                agent.display()
            );
            fs::write(&file, text).unwrap();
            grant(std::slice::from_ref(&folder)).is_some()
        };
        // the program is not there
        let missing = write(KWIN_INTERFACE);
        fs::write(&agent, "").unwrap();
        let (other, granted) = (write("something_else"), write(KWIN_INTERFACE));
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!((missing, other, granted), (false, false, true));
    }

    #[test]
    fn gamescope_is_wanted_where_an_entry_says_so_and_not_where_it_is_commented_out() {
        let file = std::env::temp_dir().join(format!("pf-apps-{}.toml", std::process::id()));
        let wanted = |text: &str| {
            fs::write(&file, text).unwrap();
            gamescope_wanted(std::slice::from_ref(&file)).is_some()
        };
        let found = (
            wanted("[[app]]\ncompositor = \"gamescope\"\n"),
            wanted("# compositor = \"gamescope\"\n"),
            wanted("compositor = \"session\"\n"),
        );
        fs::remove_file(&file).unwrap();
        assert_eq!(found, (true, false, false));
    }

    #[test]
    fn a_process_of_ours_is_found_by_its_name() {
        let own = fs::read_to_string("/proc/self/comm").unwrap();
        assert!(runs(&[own.trim_end()]));
        assert!(!runs(&["no-such-process"]));
        assert!(processes(&[own.trim_end()]).any(|id| id == std::process::id()));
        assert!(!is_kept(std::process::id()));
        assert_eq!(
            parent(std::process::id()),
            Some(nix::unistd::getppid().as_raw() as u32)
        );
    }
}
