//! What the owners' sessions publish, as clients are shown it.
//!
//! Everything comes from agents and is checked here: counts, lengths, ids, characters, pictures. The last good catalogue of
//! an account is remembered, so that a client's list does not go empty whenever nobody is logged in.
mod catalogue;
mod life;
mod picture;

pub use catalogue::{Application, Catalogue};
pub use life::{Leftover, end, not_started, watch};
use picture::placeholder;

use crate::{
    agents::Agents,
    ids::Uid,
    store::{ClientRecord, PERMISSION_LAUNCH},
};
use punktfunk_dbus::applications::DESKTOP;
use std::{
    borrow::Cow,
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Accounts whose last catalogue is remembered.
const MAX_REMEMBERED: usize = 64;

/// The catalogues of all accounts.
#[derive(Default)]
pub struct Applications {
    remembered: Mutex<BTreeMap<Uid, Arc<Catalogue>>>,
}

impl Applications {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What this account publishes now, or published last. The desktop is not in it.
    pub async fn of(&self, agents: &Agents, owner: Uid) -> Arc<Catalogue> {
        if let Some(agent) = agents.for_owner(owner) {
            match agent.applications().await {
                Ok(list) => return self.remember(owner, Catalogue::checked(list)),
                Err(error) => tracing::warn!(uid = owner.0, "no catalogue: {error}"),
            }
        }
        self.lock().get(&owner).cloned().unwrap_or_default()
    }

    /// What this client may start, the desktop first.
    pub async fn for_client(&self, agents: &Agents, client: &ClientRecord) -> Vec<Application> {
        let desktop = Application {
            id: DESKTOP,
            title: "Desktop".into(),
        };
        let mut list = vec![desktop];
        if client.may(PERMISSION_LAUNCH) {
            list.extend(self.of(agents, client.owner).await.iter().cloned());
        }
        list
    }

    /// The picture of an application of this client's list; `None` where there is no such application.
    pub async fn picture(
        &self,
        agents: &Agents,
        client: &ClientRecord,
        app: u32,
    ) -> Option<Cow<'static, [u8]>> {
        let agent = agents.for_owner(client.owner);
        let remembered = self.lock().get(&client.owner).cloned();
        let known = app == DESKTOP
            || client.may(PERMISSION_LAUNCH)
                && match remembered {
                    Some(catalogue) => catalogue.has(app),
                    None => self.of(agents, client.owner).await.has(app),
                };
        if !known {
            return None;
        }
        if let Some(agent) = agent {
            match agent.application_picture(app).await {
                Ok(png) if picture::is_acceptable(&png) => return Some(png.into()),
                Ok(_) => tracing::warn!(app, "the agent's picture is no PNG, or too large"),
                Err(error) => tracing::debug!(app, "no picture: {error}"),
            }
        }
        Some(placeholder().into())
    }

    fn remember(&self, owner: Uid, catalogue: Catalogue) -> Arc<Catalogue> {
        let catalogue = Arc::new(catalogue);
        let mut remembered = self.lock();
        if remembered.len() < MAX_REMEMBERED || remembered.contains_key(&owner) {
            remembered.insert(owner, Arc::clone(&catalogue));
        }
        catalogue
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Uid, Arc<Catalogue>>> {
        // Values are replaced whole.
        self.remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
