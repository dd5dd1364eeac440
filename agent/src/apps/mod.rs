//! The applications of this session's user: which there are, what they look like, and running them.
//!
//! Everything is read from the user's own files, with the user's own rights, and run in the user's own session. Which
//! client may start what is the service's to decide.

mod bounded;
mod catalogue;
mod entry;
mod id;
mod picture;
mod places;
mod run;
mod sources;
mod words;

pub use catalogue::Catalogue;
pub use entry::{Art, Entry, Source, Tracking};
pub use places::Places;
pub use run::{Ended, Runner, Shape};
pub use sources::own::{Nesting, portal_monitor, wlroots_monitor};

use entry::Problem;
use punktfunk_dbus::applications::DESKTOP;
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

/// The catalogue as the bus sees it; cheap to clone.
#[derive(Clone)]
pub struct Applications {
    places: Option<Arc<Places>>,
    /// What was said of broken files already: the catalogue is read often.
    said: Arc<Mutex<HashSet<Problem>>>,
}

impl Applications {
    pub fn of_environment() -> Self {
        let places = Places::of_environment();
        if places.is_none() {
            tracing::warn!("$HOME is not set: this session publishes its desktop only");
        }
        Self {
            places: places.map(Arc::new),
            said: Arc::default(),
        }
    }

    /// The catalogue as it is now. Runs where blocking is allowed.
    pub async fn read(&self) -> Arc<Catalogue> {
        let Some(places) = self.places.clone() else {
            return Arc::default();
        };
        let read = tokio::task::spawn_blocking(move || Catalogue::read(&places));
        let catalogue = read.await.unwrap_or_default();
        self.say(&catalogue.problems);
        Arc::new(catalogue)
    }

    /// The PNG of an application, or of the desktop. `None`: there is no such application.
    pub async fn picture(&self, id: u32) -> Option<Vec<u8>> {
        let catalogue = self.read().await;
        let places = self.places.clone();
        let draw = tokio::task::spawn_blocking(move || match catalogue.get(id) {
            Some(entry) => Some(picture::of(places.as_deref(), id, &entry.title, &entry.art)),
            None if id == DESKTOP => Some(picture::of(None, id, "Desktop", &Art::default())),
            None => None,
        });
        draw.await.ok().flatten()
    }

    /// The programs of this user, for running what is in the catalogue.
    pub fn places(&self) -> Option<&Arc<Places>> {
        self.places.as_ref()
    }

    fn say(&self, problems: &[Problem]) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        for problem in problems {
            if said.len() < 4096 && said.insert(problem.clone()) {
                tracing::warn!(file = %problem.file.display(), "left out of the catalogue: {}", problem.reason);
            }
        }
    }
}
