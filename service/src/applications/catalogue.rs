//! An agent's list of applications, made fit to be shown.
use punktfunk_dbus::applications::{ApplicationEntry, DESKTOP, MAX_APPLICATIONS, MAX_TITLE};

/// One application as clients are shown it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    pub id: u32,
    pub title: String,
}

/// Applications with different ids, in the agent's order.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Catalogue(Vec<Application>);

impl Catalogue {
    /// What is acceptable of an agent's answer: at most 512, ids of 31 bits that are neither 0, the desktop's nor
    /// repeated, titles of one bounded line.
    #[must_use]
    pub fn checked(list: Vec<ApplicationEntry>) -> Self {
        let mut seen = std::collections::HashSet::new();
        let usable = |id: u32| id != 0 && id != DESKTOP && i32::try_from(id).is_ok();
        let applications = list
            .into_iter()
            .filter(|(id, ..)| usable(*id) && seen.insert(*id))
            .take(MAX_APPLICATIONS)
            .map(|(id, title, _)| Application {
                id,
                title: presentable(&title, id),
            });
        Self(applications.collect())
    }

    #[must_use]
    pub fn has(&self, id: u32) -> bool {
        self.0.iter().any(|application| application.id == id)
    }

    pub fn iter(&self) -> std::slice::Iter<'_, Application> {
        self.0.iter()
    }
}

fn presentable(title: &str, id: u32) -> String {
    let title: String = title
        .chars()
        .filter(|character| !character.is_control())
        .take(MAX_TITLE)
        .collect();
    let title = title.trim();
    if title.is_empty() {
        format!("Application {id}")
    } else {
        title.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn entry(id: u32, title: &str) -> ApplicationEntry {
        (id, title.into(), HashMap::new())
    }

    #[test]
    fn ids_that_clients_cannot_take_are_left_out() {
        let list = vec![
            entry(0, "zero"),
            entry(DESKTOP, "a false desktop"),
            entry(1 << 31, "negative for clients"),
            entry(7, "first"),
            entry(7, "second of the id"),
        ];
        let catalogue = Catalogue::checked(list);
        let ids: Vec<_> = catalogue
            .iter()
            .map(|app| (app.id, app.title.as_str()))
            .collect();
        assert_eq!(ids, [(7, "first")]);
        assert!(catalogue.has(7) && !catalogue.has(DESKTOP));
    }

    #[test]
    fn titles_and_counts_are_bounded() {
        let list = (1..2000).map(|id| entry(id, "x")).collect();
        assert_eq!(Catalogue::checked(list).iter().count(), MAX_APPLICATIONS);
        let list = vec![
            entry(1, "a\u{0}\nb\u{9b}"),
            entry(2, &"y".repeat(9999)),
            entry(3, "\n "),
        ];
        let titles: Vec<_> = Catalogue::checked(list)
            .iter()
            .map(|app| app.title.clone())
            .collect();
        assert_eq!(
            titles,
            [
                "ab".to_owned(),
                "y".repeat(MAX_TITLE),
                "Application 3".to_owned()
            ]
        );
    }
}
