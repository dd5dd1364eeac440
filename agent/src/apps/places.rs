//! Where this user's applications, settings and programs lie.
use std::{
    env,
    ffi::OsString,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// The directories of the XDG base directory specification, and what else decides which entries are shown.
#[derive(Debug, Clone)]
pub struct Places {
    pub home: PathBuf,
    /// `$XDG_CONFIG_HOME`
    pub config: PathBuf,
    /// `$XDG_DATA_HOME`
    pub data: PathBuf,
    /// `$XDG_DATA_DIRS`
    pub data_dirs: Vec<PathBuf>,
    /// `$PATH`
    pub path: Vec<PathBuf>,
    /// `$XDG_CURRENT_DESKTOP`
    pub desktops: Vec<String>,
    /// `$XDG_RUNTIME_DIR`
    pub runtime: Option<PathBuf>,
    /// Suffixes of localised keys, best first: `de_AT`, `de`.
    pub languages: Vec<String>,
}

impl Places {
    /// As the environment says. `None` without `$HOME`.
    pub fn of_environment() -> Option<Self> {
        Self::of(|name| env::var_os(name).filter(|value| !value.is_empty()))
    }

    /// As `variable` says.
    pub fn of(variable: impl Fn(&str) -> Option<OsString>) -> Option<Self> {
        let home = PathBuf::from(variable("HOME")?);
        // The specification has relative paths ignored.
        let absolute = |name: &str, default: &str| {
            variable(name)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
                .unwrap_or_else(|| home.join(default))
        };
        let list = |name: &str, default: &str| {
            let text = variable(name).unwrap_or_else(|| default.into());
            env::split_paths(&text)
                .filter(|path| path.is_absolute())
                .take(64)
                .collect()
        };
        let words = |name: &str| {
            let text = variable(name).unwrap_or_default();
            text.to_string_lossy()
                .split(':')
                .filter(|word| !word.is_empty())
                .map(str::to_owned)
                .collect()
        };
        let locale = ["LC_ALL", "LC_MESSAGES", "LANG"]
            .into_iter()
            .find_map(&variable)
            .unwrap_or_default();
        Some(Self {
            config: absolute("XDG_CONFIG_HOME", ".config"),
            data: absolute("XDG_DATA_HOME", ".local/share"),
            data_dirs: list("XDG_DATA_DIRS", "/usr/local/share:/usr/share"),
            path: list("PATH", "/usr/local/bin:/usr/bin:/bin"),
            desktops: words("XDG_CURRENT_DESKTOP"),
            runtime: variable("XDG_RUNTIME_DIR")
                .map(PathBuf::from)
                .filter(|path| path.is_absolute()),
            languages: languages(&locale.to_string_lossy()),
            home,
        })
    }

    /// Every data directory, the user's own first.
    pub fn all_data(&self) -> impl Iterator<Item = &Path> {
        std::iter::once(self.data.as_path()).chain(self.data_dirs.iter().map(PathBuf::as_path))
    }

    /// The absolute path of a program by its name or path, if it can be executed.
    pub fn program(&self, name: &str) -> Option<PathBuf> {
        if name.contains('/') {
            let path = PathBuf::from(name);
            return (path.is_absolute() && executable(&path)).then_some(path);
        }
        self.path
            .iter()
            .map(|directory| directory.join(name))
            .find(|path| executable(path))
    }

    /// Whether this Flatpak application is installed, for the user or for all.
    pub fn has_flatpak(&self, id: &str) -> bool {
        let user = self.data.join("flatpak/app").join(id);
        let system = Path::new("/var/lib/flatpak/app").join(id);
        (user.is_dir() || system.is_dir()) && self.program("flatpak").is_some()
    }

    /// A path as people write it: `~/` is the home directory. `None` for a relative one.
    pub fn expand(&self, text: &str) -> Option<PathBuf> {
        let path = match text.strip_prefix("~/") {
            Some(rest) => self.home.join(rest),
            None if text == "~" => self.home.clone(),
            None => PathBuf::from(text),
        };
        path.is_absolute().then_some(path)
    }
}

fn executable(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

/// `de_AT.UTF-8@euro` is looked for as `de_AT@euro`, `de_AT`, `de@euro`, `de`.
fn languages(locale: &str) -> Vec<String> {
    let (rest, modifier) = locale.split_once('@').unwrap_or((locale, ""));
    let rest = rest.split('.').next().unwrap_or_default();
    if matches!(rest, "" | "C" | "POSIX") {
        return Vec::new();
    }
    let language = rest.split('_').next().unwrap_or_default();
    let mut found = Vec::new();
    for base in [rest, language] {
        for name in [format!("{base}@{modifier}"), base.to_owned()] {
            if !name.ends_with('@') && !found.contains(&name) {
                found.push(name);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unset_variables_have_the_defaults_of_the_specification() {
        let of = |set: &'static [(&str, &str)]| {
            Places::of(move |name| {
                let found = set.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| OsString::from(value))
            })
        };
        assert!(of(&[]).is_none());
        let places = of(&[
            ("HOME", "/h"),
            ("XDG_DATA_HOME", "relative"),
            ("LANG", "de_AT.UTF-8"),
        ])
        .unwrap();
        assert_eq!(places.data, Path::new("/h/.local/share"));
        assert_eq!(places.config, Path::new("/h/.config"));
        assert_eq!(places.languages, ["de_AT", "de"]);
        assert_eq!(places.expand("~/x").unwrap(), Path::new("/h/x"));
        assert_eq!(places.expand("x"), None);
        assert!(places.program("sh").is_some());
        assert!(places.program("no-such-program-here").is_none());
    }
}
