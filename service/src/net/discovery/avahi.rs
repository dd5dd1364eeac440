//! Publishing through Avahi: an entry group on the system bus, which lives as long as our connection does.
use super::SERVICE;
use futures_util::StreamExt as _;
use zbus::{
    Connection,
    names::BusName,
    zvariant::{ObjectPath, OwnedObjectPath},
};

const BUS_NAME: &str = "org.freedesktop.Avahi";
/// The name is taken on this very machine: known at once, without a look at the network.
const LOCAL_COLLISION: &str = "org.freedesktop.Avahi.CollisionError";
/// Names tried before giving up.
const MAX_NAMES: usize = 20;
/// Every interface, every address family.
const ANY: i32 = -1;
/// `AVAHI_ENTRY_GROUP_COLLISION` and `..._FAILURE`.
const COLLISION: i32 = 3;
const FAILURE: i32 = 4;

/// Why Avahi does not do it.
pub(super) enum Failure {
    /// No system bus, or no Avahi on it.
    Absent,
    Refused(zbus::Error),
}

impl From<zbus::Error> for Failure {
    fn from(error: zbus::Error) -> Self {
        Self::Refused(error)
    }
}

#[zbus::proxy(
    interface = "org.freedesktop.Avahi.Server",
    default_service = "org.freedesktop.Avahi",
    default_path = "/"
)]
trait Server {
    fn entry_group_new(&self) -> zbus::Result<OwnedObjectPath>;
    fn get_alternative_service_name(&self, name: &str) -> zbus::Result<String>;
}

#[zbus::proxy(
    interface = "org.freedesktop.Avahi.EntryGroup",
    default_service = "org.freedesktop.Avahi"
)]
trait EntryGroup {
    #[expect(clippy::too_many_arguments, reason = "the interface is Avahi's")]
    fn add_service(
        &self,
        interface: i32,
        protocol: i32,
        flags: u32,
        name: &str,
        service: &str,
        domain: &str,
        host: &str,
        port: u16,
        txt: &[&[u8]],
    ) -> zbus::Result<()>;
    fn commit(&self) -> zbus::Result<()>;
    fn reset(&self) -> zbus::Result<()>;
    #[zbus(signal)]
    fn state_changed(&self, state: i32, error: &str) -> zbus::Result<()>;
}

/// Publish and keep it so; returns when Avahi leaves the bus. A taken name is replaced by Avahi's alternative.
pub(super) async fn publish(name: &str, port: u16) -> Result<(), Failure> {
    let bus = Connection::system().await.map_err(|_| Failure::Absent)?;
    if !running(&bus).await {
        return Err(Failure::Absent);
    }
    let dbus = zbus::fdo::DBusProxy::new(&bus).await?;
    let mut owners = dbus
        .receive_name_owner_changed_with_args(&[(0, BUS_NAME)])
        .await?;
    let server = ServerProxy::new(&bus).await?;
    let path = server.entry_group_new().await?;
    let group = EntryGroupProxy::builder(&bus)
        .path(ObjectPath::from(path))?
        .build()
        .await?;
    let mut states = group.receive_state_changed().await?;
    let mut name = add(&server, &group, name.to_owned(), port).await?;
    tracing::info!(name, port, "announced through Avahi");
    loop {
        tokio::select! {
            owner = owners.next() => {
                let gone = owner.is_none_or(|signal| {
                    signal.args().map_or(true, |args| args.new_owner().is_none())
                });
                if gone {
                    return Ok(());
                }
            }
            state = states.next() => {
                let Some(signal) = state else { return Ok(()) };
                match *signal.args()?.state() {
                    COLLISION => {
                        name = server.get_alternative_service_name(&name).await?;
                        group.reset().await?;
                        name = add(&server, &group, name, port).await?;
                        tracing::info!(name, "the name was taken on the network; announced under another");
                    }
                    FAILURE => {
                        let error = signal.args()?.error().to_string();
                        return Err(Failure::Refused(zbus::Error::Failure(error)));
                    }
                    _ => {}
                }
            }
        }
    }
}

/// Resolves when Avahi is on the bus; never, when there is no bus.
pub(super) async fn appeared() {
    if watch_for_avahi().await.is_err() {
        std::future::pending().await
    }
}

async fn watch_for_avahi() -> zbus::Result<()> {
    let bus = Connection::system().await?;
    let dbus = zbus::fdo::DBusProxy::new(&bus).await?;
    let mut owners = dbus
        .receive_name_owner_changed_with_args(&[(0, BUS_NAME)])
        .await?;
    if running(&bus).await {
        return Ok(());
    }
    while let Some(signal) = owners.next().await {
        if signal.args()?.new_owner().is_some() {
            return Ok(());
        }
    }
    std::future::pending().await
}

async fn running(bus: &Connection) -> bool {
    let Ok(name) = BusName::try_from(BUS_NAME) else {
        return false;
    };
    match zbus::fdo::DBusProxy::new(bus).await {
        Ok(dbus) => dbus.name_has_owner(name).await.unwrap_or(false),
        Err(_) => false,
    }
}

/// Add and commit, under the first free name; answers that name.
async fn add(
    server: &ServerProxy<'_>,
    group: &EntryGroupProxy<'_>,
    mut name: String,
    port: u16,
) -> zbus::Result<String> {
    for _ in 1..MAX_NAMES {
        match group
            .add_service(ANY, ANY, 0, &name, SERVICE, "", "", port, &[])
            .await
        {
            Err(zbus::Error::MethodError(error, ..)) if error.as_str() == LOCAL_COLLISION => {
                name = server.get_alternative_service_name(&name).await?;
            }
            Err(error) => return Err(error),
            Ok(()) => {
                group.commit().await?;
                return Ok(name);
            }
        }
    }
    Err(zbus::Error::Failure("every name is taken".to_owned()))
}
