//! The catalogue of one user: what every source yields, with ids, without doubles, within bounds.
use super::{
    entry::{Entry, Found, Problem, Source},
    id,
    places::Places,
    sources::{desktop_entries, heroic, lutris, own, steam},
};
use punktfunk_dbus::applications::{MAX_APPLICATIONS, MAX_TITLE};
use std::{collections::BTreeMap, path::Path};

/// The applications by id, the desktop not among them.
#[derive(Debug, Default)]
pub struct Catalogue {
    entries: BTreeMap<u32, Entry>,
    /// Broken files, each with the reason.
    pub problems: Vec<Problem>,
}

impl Catalogue {
    /// Read everything anew. Blocks on the disk.
    pub fn read(places: &Places) -> Self {
        let (choices, own) = own::find(places);
        let launchers = [
            steam::find(places),
            lutris::find(places),
            heroic::find(places),
        ];
        let mut desktop = desktop_entries::find(places, &choices.publish);
        for found in &launchers {
            without_shortcuts(&mut desktop, found);
        }
        let mut entries = Vec::new();
        let mut problems = Vec::new();
        for found in [own].into_iter().chain(launchers).chain([desktop]) {
            entries.extend(found.entries);
            problems.extend(found.problems);
        }
        entries.retain(|entry| !choices.hide.contains(&entry.key()));
        if let Some(rest) = entries.len().checked_sub(MAX_APPLICATIONS + 1) {
            let reason = format!(
                "{} applications more than the {MAX_APPLICATIONS} that a catalogue holds are left out",
                rest + 1
            );
            problems.push(Problem::new(Path::new("catalogue"), reason));
            entries.truncate(MAX_APPLICATIONS);
        }
        for entry in &mut entries {
            entry.title = presentable(&entry.title, &entry.native);
        }
        Self {
            entries: numbered(entries),
            problems,
        }
    }

    pub fn get(&self, id: u32) -> Option<&Entry> {
        self.entries.get(&id)
    }

    /// Ids and entries, sorted as people look for them.
    pub fn sorted(&self) -> Vec<(u32, &Entry)> {
        let mut list: Vec<_> = self
            .entries
            .iter()
            .map(|(id, entry)| (*id, entry))
            .collect();
        list.sort_by_cached_key(|(id, entry)| (entry.title.to_lowercase(), *id));
        list
    }
}

/// Launchers put `.desktop` files of their games beside their own records: those are the same games.
fn without_shortcuts(desktop: &mut Found, launcher: &Found) {
    let Some(first) = launcher.entries.first() else {
        return;
    };
    let link = match first.source {
        Source::Steam => "steam://rungameid/",
        Source::Lutris => "lutris:rungame",
        Source::Heroic => "heroic://launch",
        Source::Own | Source::Desktop => return,
    };
    let is_link = |entry: &Entry| entry.run.command.iter().any(|word| word.starts_with(link));
    desktop.entries.retain(|entry| !is_link(entry));
}

fn numbered(entries: Vec<Entry>) -> BTreeMap<u32, Entry> {
    let mut by_key: BTreeMap<String, Entry> = BTreeMap::new();
    for entry in entries {
        by_key.entry(entry.key()).or_insert(entry);
    }
    let keys: Vec<String> = by_key.keys().cloned().collect();
    id::assign(keys.iter().map(String::as_str))
        .into_iter()
        .filter_map(|(id, key)| Some((id, by_key.remove(key)?)))
        .collect()
}

/// One line of bounded length, never empty.
fn presentable(title: &str, native: &str) -> String {
    let clean = |text: &str| {
        let text: String = text
            .chars()
            .filter(|c| !c.is_control())
            .take(MAX_TITLE)
            .collect();
        text.trim().to_owned()
    };
    let title = clean(title);
    if title.is_empty() {
        clean(native)
    } else {
        title
    }
}

#[cfg(test)]
#[path = "catalogue_tests.rs"]
mod tests;
