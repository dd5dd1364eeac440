//! One question to polkit, bounded in time.
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use zbus::{
    Connection,
    names::OwnedUniqueName,
    zvariant::{OwnedValue, Str},
};
use zbus_polkit::policykit1::{AuthorityProxy, CheckAuthorizationFlags, Subject};

/// polkit answers from memory unless somebody is asked.
const SILENT_LIMIT: Duration = Duration::from_secs(5);
/// How long a person may take to type a password.
const ASKING_LIMIT: Duration = Duration::from_secs(120);

/// After it was found hanging, what somebody may see is not asked about for so long: nothing is shown meanwhile.
const HANGING: Duration = Duration::from_secs(10);

pub(super) struct Polkit {
    proxy: AuthorityProxy<'static>,
    hangs_until: Mutex<Option<Instant>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    Authorised,
    /// Somebody would have to authenticate.
    Challenge,
    Refused,
    /// polkit is away, slow, or does not know the action.
    Unavailable(String),
}

impl Polkit {
    pub(super) async fn new(connection: &Connection) -> zbus::Result<Self> {
        // Does not talk to polkit yet: it may come and go while we run.
        let proxy = AuthorityProxy::builder(connection)
            .cache_properties(zbus::proxy::CacheProperties::No)
            .build()
            .await?;
        Ok(Self {
            proxy,
            hangs_until: Mutex::default(),
        })
    }

    /// Whether this is allowed without asking anybody. Many such questions are asked one after another for others who wait,
    /// so that a polkit that hangs costs them one question's time, not all of them.
    pub(super) async fn allows(&self, name: &OwnedUniqueName, action: &str) -> bool {
        let now = Instant::now();
        if self.hangs().is_some_and(|until| now < until) {
            return false;
        }
        self.check(name, action, false).await == Verdict::Authorised
    }

    fn hangs(&self) -> MutexGuard<'_, Option<Instant>> {
        self.hangs_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The subject is the connection: never a pid, which may be somebody else's by the time it is looked at.
    pub(super) async fn check(
        &self,
        name: &OwnedUniqueName,
        action: &str,
        interactive: bool,
    ) -> Verdict {
        let subject = Subject {
            subject_kind: "system-bus-name".into(),
            subject_details: HashMap::from([(
                "name".to_owned(),
                OwnedValue::from(Str::from(name.to_string())),
            )]),
        };
        let (flags, limit) = if interactive {
            (
                CheckAuthorizationFlags::AllowUserInteraction.into(),
                ASKING_LIMIT,
            )
        } else {
            (Default::default(), SILENT_LIMIT)
        };
        let details = HashMap::new();
        let asked = self
            .proxy
            .check_authorization(&subject, action, &details, flags, "");
        let answer = tokio::time::timeout(limit, asked).await;
        if !interactive {
            *self.hangs() = answer
                .is_err()
                .then(|| Instant::now().checked_add(HANGING))
                .flatten();
        }
        match answer {
            Ok(Ok(answer)) if answer.is_authorized => Verdict::Authorised,
            Ok(Ok(answer)) if answer.is_challenge => Verdict::Challenge,
            Ok(Ok(_)) => Verdict::Refused,
            Ok(Err(error)) => {
                // Also said when the caller left before polkit looked at it.
                tracing::debug!("polkit did not decide about {action}: {error}");
                Verdict::Unavailable(error.to_string())
            }
            Err(_) => Verdict::Unavailable("no answer in time".into()),
        }
    }
}
