//! The connection to the bus and to the service. The service is never started by being looked at.
use crate::{
    failure::{Failure, FailureKind},
    snapshot::{Properties, Snapshot},
};
use punktfunk_dbus::{
    names::{BUS_NAME, HOST_INTERFACE, ROOT_PATH},
    proxies::{ClientProxy, Host1Proxy, PairingProxy, StreamProxy},
};
use std::time::Duration;
use zbus::{
    Connection, connection,
    fdo::{DBusProxy, ManagedObjects},
    proxy::{CacheProperties, MethodFlags},
    zvariant::DynamicType,
};

/// A bus that does not even greet in this time is taken for dead.
const GREETING: Duration = Duration::from_secs(5);
/// For answers that no person has to give.
const ANSWER: Duration = Duration::from_secs(10);

pub struct Bus {
    connection: Connection,
}

impl Bus {
    /// The bus at this address, else the system bus (or where `DBUS_SYSTEM_BUS_ADDRESS` points).
    pub async fn connect(address: Option<&str>) -> Result<Self, Failure> {
        let builder = match address {
            Some(address) => connection::Builder::address(address),
            None => connection::Builder::system(),
        };
        let connecting = async { builder?.build().await };
        let outcome = tokio::time::timeout(GREETING, connecting).await;
        let why = match outcome {
            Ok(Ok(connection)) => return Ok(Self { connection }),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {} s", GREETING.as_secs()),
        };
        let failure = match address {
            Some(address) => Failure::new(
                FailureKind::NoBus,
                format!("cannot reach the message bus at {address}: {why}"),
            )
            .with_remedy("is the development host still running?"),
            None => Failure::new(
                FailureKind::NoBus,
                format!("cannot reach the system message bus: {why}"),
            )
            .with_remedy(
                "is D-Bus running? `systemctl status dbus.socket`; in a container there may be none",
            ),
        };
        Err(failure)
    }

    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    pub async fn has_owner(&self, name: &str) -> Result<bool, Failure> {
        let bus = DBusProxy::new(&self.connection).await?;
        let name = name.try_into().map_err(zbus::Error::from)?;
        Ok(bus.name_has_owner(name).await.map_err(zbus::Error::from)?)
    }

    /// Whether calling it would start it.
    pub async fn is_activatable(&self, name: &str) -> Result<bool, Failure> {
        let bus = DBusProxy::new(&self.connection).await?;
        let names = bus.list_activatable_names().await;
        let names = names.map_err(zbus::Error::from)?;
        Ok(names.iter().any(|activatable| activatable.as_str() == name))
    }

    pub async fn require_service(&self) -> Result<(), Failure> {
        if self.has_owner(BUS_NAME).await? {
            return Ok(());
        }
        let failure = Failure::new(FailureKind::NotRunning, "the service does not run");
        Err(failure.with_remedy(
            "start it with `sudo systemctl enable --now punktfunk`; if it should run: `systemctl status punktfunk`, \
             `journalctl -u punktfunk`",
        ))
    }

    /// Everything that the caller may see.
    pub async fn snapshot(&self) -> Result<Snapshot, Failure> {
        let host: Properties = self
            .ask(
                "org.freedesktop.DBus.Properties",
                "GetAll",
                &(HOST_INTERFACE,),
            )
            .await?;
        let objects: ManagedObjects = self
            .ask(
                "org.freedesktop.DBus.ObjectManager",
                "GetManagedObjects",
                &(),
            )
            .await?;
        Snapshot::read(host, objects)
    }

    async fn ask<B, R>(&self, interface: &str, method: &str, body: &B) -> Result<R, Failure>
    where
        B: serde::Serialize + DynamicType,
        R: for<'d> zbus::zvariant::DynamicDeserialize<'d>,
    {
        let proxy = zbus::proxy::Builder::<zbus::Proxy<'_>>::new(&self.connection)
            .destination(BUS_NAME)?
            .path(ROOT_PATH)?
            .interface(interface)?
            .cache_properties(CacheProperties::No)
            .build()
            .await?;
        let call = proxy.call_with_flags(method, MethodFlags::NoAutoStart.into(), body);
        let answer = tokio::time::timeout(ANSWER, call)
            .await
            .map_err(|_| Failure::service("the service did not answer in time"))??;
        answer.ok_or_else(|| Failure::service("the service gave an empty answer"))
    }

    pub async fn host(&self) -> Result<Host1Proxy<'_>, Failure> {
        let builder = Host1Proxy::builder(&self.connection);
        Ok(builder
            .cache_properties(CacheProperties::No)
            .build()
            .await?)
    }

    pub async fn pairing(&self, path: &str) -> Result<PairingProxy<'_>, Failure> {
        let builder = PairingProxy::builder(&self.connection).path(path.to_owned())?;
        Ok(builder
            .cache_properties(CacheProperties::No)
            .build()
            .await?)
    }

    pub async fn client(&self, path: &str) -> Result<ClientProxy<'_>, Failure> {
        let builder = ClientProxy::builder(&self.connection).path(path.to_owned())?;
        Ok(builder
            .cache_properties(CacheProperties::No)
            .build()
            .await?)
    }

    pub async fn stream(&self, path: &str) -> Result<StreamProxy<'_>, Failure> {
        let builder = StreamProxy::builder(&self.connection).path(path.to_owned())?;
        Ok(builder
            .cache_properties(CacheProperties::No)
            .build()
            .await?)
    }
}
