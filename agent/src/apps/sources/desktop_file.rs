//! One `.desktop` file: its main group, its localised title, and the command of its `Exec` key.
use crate::apps::words;
use std::collections::HashMap;

/// Longest value that is looked at, in bytes.
const MAX_VALUE: usize = 16 * 1024;

/// The keys of `[Desktop Entry]`, as they stand in the file.
pub struct DesktopFile(HashMap<String, String>);

impl DesktopFile {
    /// # Errors
    /// No such group, or a line in it that is none; the text says where.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut keys = HashMap::new();
        let mut group = None;
        for (number, line) in (1u32..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(name) = line
                .strip_prefix('[')
                .and_then(|rest| rest.strip_suffix(']'))
            {
                if group == Some(true) {
                    // the main group comes first: the rest are actions
                    break;
                }
                group = Some(name == "Desktop Entry");
                continue;
            }
            if group != Some(true) {
                continue;
            }
            let Some((key, value)) = line.split_once('=') else {
                return Err(format!("line {number} is neither a group nor a key"));
            };
            if value.len() > MAX_VALUE {
                return Err(format!("line {number} is too long"));
            }
            keys.entry(key.trim_end().to_owned())
                .or_insert_with(|| value.trim_start().to_owned());
        }
        if group.is_none() {
            return Err("there is no group [Desktop Entry]".into());
        }
        Ok(Self(keys))
    }

    /// A string with its escapes resolved.
    pub fn text(&self, key: &str) -> Option<String> {
        self.0.get(key).map(|raw| unescape(raw))
    }

    /// The best of the localised values.
    pub fn localised(&self, key: &str, languages: &[String]) -> Option<String> {
        languages
            .iter()
            .find_map(|language| self.text(&format!("{key}[{language}]")))
            .or_else(|| self.text(key))
    }

    pub fn is_true(&self, key: &str) -> bool {
        self.0.get(key).is_some_and(|value| value == "true")
    }

    /// A list of words, separated by semicolons.
    pub fn list(&self, key: &str) -> impl Iterator<Item = &str> {
        let value = self.0.get(key).map_or("", String::as_str);
        value
            .split(';')
            .map(str::trim)
            .filter(|word| !word.is_empty())
    }

    /// Whether `OnlyShowIn` and `NotShowIn` let it be shown on these desktops.
    pub fn shown_on(&self, desktops: &[String]) -> bool {
        let names = |key| {
            self.list(key)
                .any(|name| desktops.iter().any(|desktop| desktop == name))
        };
        (!self.0.contains_key("OnlyShowIn") || names("OnlyShowIn")) && !names("NotShowIn")
    }

    /// The words of `Exec`, its field codes filled in for an application that is given no file. `path` is this file's.
    ///
    /// # Errors
    /// No command, bad quoting, or a field code that does not exist.
    pub fn command(&self, title: &str, path: &str) -> Result<Vec<String>, String> {
        let exec = self.text("Exec").ok_or("there is no Exec")?;
        let mut command = Vec::new();
        for word in words::split(&exec).map_err(|why| format!("Exec: {why}"))? {
            match word.as_str() {
                "%f" | "%F" | "%u" | "%U" | "%d" | "%D" | "%n" | "%N" | "%v" | "%m" => {}
                "%i" => {
                    if let Some(icon) = self.text("Icon").filter(|icon| !icon.is_empty()) {
                        command.extend(["--icon".to_owned(), icon]);
                    }
                }
                _ => command.push(fill_in(&word, title, path)?),
            }
        }
        if command.first().is_none_or(String::is_empty) {
            return Err("Exec names no program".into());
        }
        Ok(command)
    }
}

fn fill_in(word: &str, title: &str, path: &str) -> Result<String, String> {
    let mut filled = String::new();
    let mut characters = word.chars();
    while let Some(character) = characters.next() {
        if character != '%' {
            filled.push(character);
            continue;
        }
        match characters.next() {
            Some('%') => filled.push('%'),
            Some('c') => filled.push_str(title),
            Some('k') => filled.push_str(path),
            // No file is given; and those that are out of use are removed.
            Some('f' | 'F' | 'u' | 'U' | 'd' | 'D' | 'n' | 'N' | 'v' | 'm' | 'i') => {}
            Some(other) => return Err(format!("Exec: there is no field code %{other}")),
            None => return Err("Exec ends with a lone %".into()),
        }
    }
    Ok(filled)
}

fn unescape(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut characters = raw.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            text.push(character);
            continue;
        }
        match characters.next() {
            Some('s') => text.push(' '),
            Some('n') => text.push('\n'),
            Some('t') => text.push('\t'),
            Some('r') => text.push('\r'),
            Some('\\') => text.push('\\'),
            // a backslash of the command line's own quoting
            Some(other) => text.extend(['\\', other]),
            None => text.push('\\'),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(exec: &str) -> Result<Vec<String>, String> {
        let file = format!("[Desktop Entry]\nIcon=pic\nExec={exec}\n");
        DesktopFile::parse(&file)?.command("A Game", "/a/b.desktop")
    }

    #[test]
    fn field_codes_are_filled_in_or_left_out() {
        assert_eq!(command("game %U --x").unwrap(), ["game", "--x"]);
        assert_eq!(
            command(r#"game %i "%c" --from=%k 100%%"#).unwrap(),
            [
                "game",
                "--icon",
                "pic",
                "A Game",
                "--from=/a/b.desktop",
                "100%"
            ]
        );
        assert_eq!(
            command(r#"sh -c "echo \\$HOME""#).unwrap(),
            ["sh", "-c", "echo $HOME"]
        );
        for broken in ["", "%f", "game %y", "game %", "\"game"] {
            assert!(command(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn the_first_group_counts_and_titles_are_localised() {
        let text = "# comment\n[Desktop Entry]\nName=Chess\nName[de]=Schach\nHidden=true\nOnlyShowIn=GNOME;KDE;\n\n\
                    [Desktop Action new]\nName=New\n";
        let file = DesktopFile::parse(text).unwrap();
        assert_eq!(
            file.localised("Name", &["de_AT".into(), "de".into()])
                .unwrap(),
            "Schach"
        );
        assert_eq!(file.localised("Name", &[]).unwrap(), "Chess");
        assert!(file.is_true("Hidden") && !file.is_true("NoDisplay"));
        assert!(file.shown_on(&["KDE".into()]));
        assert!(!file.shown_on(&["sway".into()]) && !file.shown_on(&[]));
        assert!(DesktopFile::parse("Name=x\n").is_err());
        assert!(DesktopFile::parse("[Desktop Entry]\nnonsense\n").is_err());
    }
}
