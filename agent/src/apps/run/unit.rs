//! An application as a transient service of the user's systemd.
//!
//! A service rather than a scope: systemd then runs the commands before and after itself, the latter also when the agent
//! is gone, and knows the exit status. Named and placed as the desktop's own applications are:
//! `app-punktfunk-ID@RANDOM.service` in `app.slice`.
use super::{
    GRACE,
    plan::{Plan, Step},
};
use futures_util::StreamExt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use zbus::{
    Connection, MatchRule, MessageStream, fdo,
    zvariant::{ObjectPath, OwnedObjectPath, OwnedValue, Value},
};

const SYSTEMD: &str = "org.freedesktop.systemd1";
const UNIT: &str = "org.freedesktop.systemd1.Unit";
const SERVICE: &str = "org.freedesktop.systemd1.Service";
const PREFIX: &str = "app-punktfunk-";
/// How long the commands before may take altogether.
const START_LIMIT: Duration = Duration::from_secs(60);
/// The state is looked at again after this, whatever was signalled.
const LOOK: Duration = Duration::from_secs(10);

#[zbus::proxy(
    interface = "org.freedesktop.systemd1.Manager",
    default_service = "org.freedesktop.systemd1",
    default_path = "/org/freedesktop/systemd1",
    gen_blocking = false
)]
trait UserManager {
    fn subscribe(&self) -> zbus::Result<()>;
    fn start_transient_unit(
        &self,
        name: &str,
        mode: &str,
        properties: &[(&str, Value<'_>)],
        auxiliary: &[(&str, &[(&str, Value<'_>)])],
    ) -> zbus::Result<OwnedObjectPath>;
    fn stop_unit(&self, name: &str, mode: &str) -> zbus::Result<OwnedObjectPath>;
    fn reset_failed_unit(&self, name: &str) -> zbus::Result<()>;
    #[allow(clippy::type_complexity, reason = "as systemd has it")]
    fn list_units_by_patterns(
        &self,
        states: &[&str],
        patterns: &[&str],
    ) -> zbus::Result<
        Vec<(
            String,
            String,
            String,
            String,
            String,
            String,
            OwnedObjectPath,
            u32,
            String,
            OwnedObjectPath,
        )>,
    >;
}

/// The user's manager, reached over the user's bus.
#[derive(Clone)]
pub struct Manager {
    connection: Connection,
    proxy: UserManagerProxy<'static>,
}

impl Manager {
    /// `None` where there is no bus of the user's, or no systemd on it.
    pub async fn connect() -> Option<Self> {
        let found = async {
            let connection = zbus::connection::Builder::session()?.build().await?;
            let bus = fdo::DBusProxy::new(&connection).await?;
            if !bus.name_has_owner(SYSTEMD.try_into()?).await? {
                return Err(zbus::Error::Failure(
                    "systemd is not on the user's bus".into(),
                ));
            }
            let proxy = UserManagerProxy::builder(&connection)
                .cache_properties(zbus::proxy::CacheProperties::No)
                .build()
                .await?;
            proxy.subscribe().await?;
            Ok::<_, zbus::Error>(Self { connection, proxy })
        };
        found
            .await
            .inspect_err(|error| tracing::debug!("no user manager: {error}"))
            .ok()
    }

    /// Start an application. Answers when systemd has taken it, before its commands have run.
    ///
    /// # Errors
    /// systemd's own words.
    pub async fn start(self, plan: &Plan) -> Result<Unit, String> {
        let stamp = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |now| now.as_nanos());
        let unit = Unit {
            name: format!("{PREFIX}{}@{stamp:x}.service", plan.id),
            manager: self,
            remains: plan.remains,
        };
        let mut properties = properties(plan);
        let start = |properties: Vec<(&'static str, Value<'static>)>| {
            let unit = &unit;
            async move {
                unit.manager
                    .proxy
                    .start_transient_unit(&unit.name, "fail", &properties, &[])
                    .await
            }
        };
        let mut started = start(properties.clone()).await;
        if started.is_err() {
            // systemd before 250 does not know it, and then judges by the first process alone
            properties.retain(|(name, _)| *name != "ExitType");
            started = start(properties).await;
        }
        started.map_err(|error| format!("systemd refuses: {error}"))?;
        Ok(unit)
    }

    /// The units of an earlier agent, by application; what had failed is tidied away.
    pub async fn left_over(&self) -> zbus::Result<Vec<(u32, Unit)>> {
        let pattern = format!("{PREFIX}*.service");
        let mut units = Vec::new();
        for found in self.proxy.list_units_by_patterns(&[], &[&pattern]).await? {
            let (name, active) = (found.0, found.3);
            let Some(id) = id_of(&name) else {
                continue;
            };
            match active.as_str() {
                "failed" => self.proxy.reset_failed_unit(&name).await?,
                "inactive" => {}
                _ => {
                    let mut unit = Unit {
                        name,
                        manager: self.clone(),
                        remains: false,
                    };
                    unit.remains = unit
                        .property(SERVICE, "RemainAfterExit")
                        .await
                        .unwrap_or(false);
                    units.push((id, unit));
                }
            }
        }
        Ok(units)
    }
}

/// The application of a unit's name.
fn id_of(name: &str) -> Option<u32> {
    name.strip_prefix(PREFIX)?.split_once('@')?.0.parse().ok()
}

fn properties(plan: &Plan) -> Vec<(&'static str, Value<'static>)> {
    let micros = |time: Duration| Value::from(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    let variables: Vec<String> = plan
        .environment
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    vec![
        (
            "Description",
            format!("{} (started for a stream)", plan.title).into(),
        ),
        ("Slice", "app.slice".into()),
        ("Type", "exec".into()),
        // over when the last process is, not the first: many commands only start others
        ("ExitType", "cgroup".into()),
        ("RemainAfterExit", plan.remains.into()),
        ("PartOf", vec!["graphical-session.target"].into()),
        (
            "WorkingDirectory",
            plan.directory.to_string_lossy().into_owned().into(),
        ),
        ("Environment", variables.into()),
        ("TimeoutStartUSec", micros(START_LIMIT)),
        ("TimeoutStopUSec", micros(GRACE)),
        ("ExecStartPreEx", commands(&plan.prepare)),
        ("ExecStartEx", commands(std::slice::from_ref(&plan.main))),
        ("ExecStopPostEx", commands(&plan.undo)),
    ]
}

/// Path, words, flags. The words mean what they say: nothing in them is expanded.
fn commands(steps: &[Step]) -> Value<'static> {
    let list: Vec<(String, Vec<String>, Vec<String>)> = steps
        .iter()
        .map(|step| {
            let program = step.program.to_string_lossy().into_owned();
            (
                program,
                step.words.clone(),
                vec!["no-env-expand".to_owned()],
            )
        })
        .collect();
    list.into()
}

/// One running unit.
pub struct Unit {
    name: String,
    manager: Manager,
    remains: bool,
}

impl Unit {
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The exit status, once nothing runs any more.
    pub async fn ended(&mut self) -> i32 {
        // watched before it is looked at: no change is missed
        let mut changes = self.changes().await;
        loop {
            if let Some(status) = self.status().await {
                return status;
            }
            match &mut changes {
                Some(changes) => {
                    let _ = tokio::time::timeout(LOOK, changes.next()).await;
                }
                None => tokio::time::sleep(Duration::from_secs(1)).await,
            }
        }
    }

    /// The exit status; `None` while it runs, or is about to.
    async fn status(&self) -> Option<i32> {
        // Asked before the state: a unit is inactive until the manager gets round to the job that starts it.
        let job = self.job().await.unwrap_or(0);
        let active: Option<String> = self.property(UNIT, "ActiveState").await;
        let sub: Option<String> = self.property(UNIT, "SubState").await;
        let failed = match over(job, active.as_deref(), sub.as_deref(), self.remains)? {
            End::Good => return Some(0),
            End::Failed => self.property(SERVICE, "ExecMainStatus").await,
        };
        Some(failed.filter(|status| *status != 0).unwrap_or(-1))
    }

    /// Stop it, wait for its last command, and forget a failure.
    pub async fn stop(mut self) {
        // one that remains after its end is stopped as well: only then do its last commands run
        if self.remains || self.status().await.is_none() {
            if let Err(error) = self.manager.proxy.stop_unit(&self.name, "replace").await {
                tracing::debug!(unit = self.name, "not stopped: {error}");
            }
            self.remains = false;
            self.ended().await;
        }
        let _ = self.manager.proxy.reset_failed_unit(&self.name).await;
    }

    /// The number of the job that is queued for it, 0: none.
    async fn job(&self) -> Option<u32> {
        let job: (u32, OwnedObjectPath) = self.property(UNIT, "Job").await?;
        Some(job.0)
    }

    async fn property<T: TryFrom<OwnedValue>>(&self, interface: &str, name: &str) -> Option<T> {
        let properties = fdo::PropertiesProxy::builder(&self.manager.connection)
            .destination(SYSTEMD)
            .ok()?
            .path(self.path())
            .ok()?
            .build()
            .await
            .ok()?;
        let value = properties.get(interface.try_into().ok()?, name).await;
        let value = value.inspect_err(|error| tracing::debug!(unit = self.name, name, "{error}"));
        T::try_from(value.ok()?).ok()
    }

    async fn changes(&self) -> Option<MessageStream> {
        let rule = MatchRule::builder()
            .msg_type(zbus::message::Type::Signal)
            .interface("org.freedesktop.DBus.Properties")
            .ok()?
            .path(self.path())
            .ok()?
            .build();
        MessageStream::for_match_rule(rule, &self.manager.connection, None)
            .await
            .ok()
    }

    fn path(&self) -> ObjectPath<'static> {
        let mut path = String::from("/org/freedesktop/systemd1/unit/");
        for byte in self.name.bytes() {
            if byte.is_ascii_alphanumeric() {
                path.push(byte.into());
            } else {
                path.push_str(&format!("_{byte:02x}"));
            }
        }
        ObjectPath::from_string_unchecked(path)
    }
}

#[derive(Debug, PartialEq, Eq)]
enum End {
    Good,
    Failed,
}

/// Whether and how a unit is over. `job`: the queued job's number, 0 = none; no state: the unit is gone.
fn over(job: u32, active: Option<&str>, sub: Option<&str>, remains: bool) -> Option<End> {
    match active {
        _ if job != 0 => None,
        Some("failed") => Some(End::Failed),
        Some("inactive") | None => Some(End::Good),
        Some("active") if remains && sub == Some("exited") => Some(End::Good),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_whose_start_is_still_queued_has_not_ended() {
        assert_eq!(over(41, Some("inactive"), Some("dead"), false), None);
        assert_eq!(
            over(0, Some("inactive"), Some("dead"), false),
            Some(End::Good)
        );
        assert_eq!(
            over(0, Some("failed"), Some("failed"), false),
            Some(End::Failed)
        );
        assert_eq!(over(0, Some("active"), Some("exited"), false), None);
        assert_eq!(
            over(0, Some("active"), Some("exited"), true),
            Some(End::Good)
        );
        assert_eq!(over(0, None, None, false), Some(End::Good));
    }

    #[test]
    fn units_tell_their_application() {
        assert_eq!(id_of("app-punktfunk-77@18c0ffee.service"), Some(77));
        assert_eq!(id_of("app-punktfunk-77.service"), None);
        assert_eq!(id_of("app-org.kde.konsole@1.service"), None);
    }
}
