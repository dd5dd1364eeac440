//! What the user has allowed the portal to give us before: its restore tokens. With one, the portal asks no more, as long as
//! the user does not take the permission back in the desktop's settings.

use crate::source::detection::desktop_name;
use std::{
    collections::BTreeMap,
    env, fs,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// A longer file or token is not one of ours.
const MAX_FILE: u64 = 64 * 1024;
const MAX_TOKEN: usize = 1024;

/// The consent to one kind of session with one monitor on one desktop.
pub struct Consent {
    /// `None`: this user has no place for it, and is asked each time.
    file: Option<PathBuf>,
    key: String,
}

impl Consent {
    /// Of this process's user. `kind`: a word for what is asked for; a token is good for that alone. `monitor`: the user's
    /// word for what was picked.
    pub fn of_user(kind: &str, monitor: Option<&str>) -> Self {
        let absolute = |name: &str| {
            env::var_os(name)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        };
        let state = absolute("XDG_STATE_HOME")
            .or_else(|| absolute("HOME").map(|home| home.join(".local/state")));
        // Each desktop's portal knows its own tokens only.
        let desktop = desktop_name();
        Self {
            file: state.map(|state| state.join("punktfunk/portal.toml")),
            key: key(kind, &desktop, monitor),
        }
    }

    /// The token of the last session of this kind.
    pub fn token(&self) -> Option<String> {
        read(self.file.as_deref()?).remove(&self.key)
    }

    /// Each token is good for one more session: keep the one that came with this session.
    pub fn keep(&self, token: Option<&str>) {
        let Some(file) = self.file.as_deref() else {
            return;
        };
        let mut tokens = read(file);
        let before = match token {
            Some(token) if token.len() <= MAX_TOKEN => {
                tokens.insert(self.key.clone(), token.to_owned())
            }
            _ => tokens.remove(&self.key),
        };
        if before.as_deref() == token {
            return;
        }
        if let Err(error) = write(file, &tokens) {
            tracing::warn!(
                file = %file.display(),
                "the portal's consent could not be kept, so the user will be asked again: {error}"
            );
        }
    }
}

fn key(kind: &str, desktop: &str, monitor: Option<&str>) -> String {
    match monitor {
        None => format!("{kind}@{desktop}"),
        Some(monitor) => format!("{kind}@{desktop}#{monitor}"),
    }
}

fn read(file: &Path) -> BTreeMap<String, String> {
    let known = fs::metadata(file).is_ok_and(|about| about.len() <= MAX_FILE);
    let text = known.then(|| fs::read_to_string(file).ok()).flatten();
    let tokens = text.and_then(|text| toml::from_str(&text).ok());
    tokens.unwrap_or_default()
}

/// Whole or not at all; readable by its user alone.
fn write(file: &Path, tokens: &BTreeMap<String, String>) -> std::io::Result<()> {
    let text = toml::to_string(tokens).map_err(std::io::Error::other)?;
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    let fresh = file.with_extension(format!("{}.new", std::process::id()));
    let written = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&fresh)
        .and_then(|mut out| out.write_all(text.as_bytes()))
        .and_then(|()| fs::rename(&fresh, file));
    if written.is_err() {
        let _ = fs::remove_file(&fresh);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// A folder of this test's, gone at its end.
    struct Folder(PathBuf);

    impl Folder {
        fn new(test: &str) -> Self {
            let name = format!("punktfunk-consent-{}-{test}", std::process::id());
            Self(env::temp_dir().join(name))
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn consent(folder: &Path, kind: &str) -> Consent {
        Consent {
            file: Some(folder.join("punktfunk/portal.toml")),
            key: kind.to_owned(),
        }
    }

    #[test]
    fn each_kind_of_session_has_its_own_token_and_only_the_newest() {
        let folder = Folder::new("kinds");
        let (cast, desktop) = (consent(&folder.0, "a@GNOME"), consent(&folder.0, "b@GNOME"));
        assert_eq!(cast.token(), None);
        cast.keep(Some("one"));
        desktop.keep(Some("two"));
        cast.keep(Some("three"));
        assert_eq!(cast.token().as_deref(), Some("three"));
        assert_eq!(desktop.token().as_deref(), Some("two"));
        let file = desktop.file.clone().unwrap();
        assert_eq!(
            fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o600
        );
        // a portal that gives none has used up the old one
        cast.keep(None);
        assert_eq!(cast.token(), None);
        assert_eq!(desktop.token().as_deref(), Some("two"));
        assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn each_monitor_has_its_own_consent() {
        let keys = [None, Some("left"), Some("right")].map(|name| key("a", "GNOME", name));
        assert_eq!(keys, ["a@GNOME", "a@GNOME#left", "a@GNOME#right"]);
        let folder = Folder::new("monitors");
        let [any, left, right] = keys.map(|key| consent(&folder.0, &key));
        left.keep(Some("one"));
        assert_eq!(left.token().as_deref(), Some("one"));
        assert_eq!((any.token(), right.token()), (None, None));
    }

    #[test]
    fn a_file_that_is_none_of_ours_means_that_the_user_is_asked() {
        let folder = Folder::new("foreign");
        let cast = consent(&folder.0, "a@GNOME");
        let file = cast.file.clone().unwrap();
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "not [ toml").unwrap();
        assert_eq!(cast.token(), None);
        fs::write(&file, vec![b'#'; 70_000]).unwrap();
        assert_eq!(cast.token(), None);
        cast.keep(Some("one"));
        assert_eq!(cast.token().as_deref(), Some("one"));
    }
}
