//! Whether fingers can reach this session as fingers: asked of the desktop, and asked again when it comes or goes.
//!
//! An agent often registers before its desktop is there. What it offers is what it knows, and it offers anew when it
//! knows better. wlroots has no virtual touch screen, so there the answer is no and clients turn touch into a pointer.

use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use zbus::{Connection, MatchRule, MessageStream, fdo, names::BusName};

/// A finger among the device types, in the desktop's own interface and in the portal's.
const TOUCHSCREEN: u32 = 4;

/// Where it is asked: bus name, object, interface, property. Mutter's own is what its source uses, so it comes first.
const PLACES: [(&str, &str, &str, &str); 2] = [
    (
        "org.gnome.Mutter.RemoteDesktop",
        "/org/gnome/Mutter/RemoteDesktop",
        "org.gnome.Mutter.RemoteDesktop",
        "SupportedDeviceTypes",
    ),
    (
        "org.freedesktop.portal.Desktop",
        "/org/freedesktop/portal/desktop",
        "org.freedesktop.portal.RemoteDesktop",
        "AvailableDeviceTypes",
    ),
];

/// KWin, whose input its own source uses: where it has a socket for emulated input, that takes fingers; older ones do not.
const KWIN: &str = "org.kde.KWin";
const KWIN_SOCKET: (&str, &str) = (
    "/org/kde/KWin/EIS/RemoteDesktop",
    "org.kde.KWin.EIS.RemoteDesktop",
);

/// The session's desktop, as far as touch goes.
pub struct TouchOffer {
    /// None without a session bus: then there is no desktop either.
    bus: Option<Connection>,
}

impl TouchOffer {
    /// Over the session bus.
    pub async fn of_session() -> Self {
        let bus = Connection::session().await;
        if let Err(error) = &bus {
            tracing::debug!(%error, "no session bus: no touch");
        }
        Self { bus: bus.ok() }
    }

    /// Whether fingers are taken now.
    pub async fn is_there(&self) -> bool {
        let Some(bus) = &self.bus else { return false };
        if is_owned(bus, KWIN).await {
            return kwin_takes_it(bus).await;
        }
        for place in PLACES {
            if let Some(types) = device_types(bus, place).await {
                return types & TOUCHSCREEN != 0;
            }
        }
        false
    }

    /// An item whenever one of those who know comes or goes. Ends never.
    pub async fn changes(&self) -> BoxStream<'static, ()> {
        let Some(bus) = &self.bus else {
            return stream::pending().boxed();
        };
        let mut changes = Vec::new();
        for name in PLACES.map(|(name, ..)| name).into_iter().chain([KWIN]) {
            match owner_changes(bus, name).await {
                Ok(stream) => changes.push(stream),
                Err(error) => tracing::debug!(%error, name, "its coming will not be noticed"),
            }
        }
        stream::select_all(changes).chain(stream::pending()).boxed()
    }
}

/// None: nobody is there to ask. Nobody is started by asking.
async fn device_types(
    bus: &Connection,
    (name, path, interface, property): (&str, &str, &str, &str),
) -> Option<u32> {
    if !is_owned(bus, name).await {
        return None;
    }
    let proxy = zbus::proxy::Builder::<zbus::Proxy<'_>>::new(bus)
        .destination(name)
        .and_then(|builder| builder.path(path))
        .and_then(|builder| builder.interface(interface))
        .ok()?
        .cache_properties(zbus::proxy::CacheProperties::No)
        .build()
        .await
        .ok()?;
    proxy.get_property(property).await.ok()
}

async fn is_owned(bus: &Connection, name: &str) -> bool {
    let Ok(name) = BusName::try_from(name) else {
        return false;
    };
    match fdo::DBusProxy::new(bus).await {
        Ok(daemon) => daemon.name_has_owner(name).await.unwrap_or(false),
        Err(_) => false,
    }
}

async fn kwin_takes_it(bus: &Connection) -> bool {
    let (path, interface) = KWIN_SOCKET;
    let described = async {
        let proxy =
            zbus::Proxy::new(bus, KWIN, path, "org.freedesktop.DBus.Introspectable").await?;
        proxy.call::<_, _, String>("Introspect", &()).await
    };
    described.await.is_ok_and(|text| text.contains(interface))
}

async fn owner_changes(
    bus: &Connection,
    name: &'static str,
) -> zbus::Result<BoxStream<'static, ()>> {
    let rule = MatchRule::builder()
        .msg_type(zbus::message::Type::Signal)
        .sender("org.freedesktop.DBus")?
        .interface("org.freedesktop.DBus")?
        .member("NameOwnerChanged")?
        .add_arg(name)?
        .build();
    let messages = MessageStream::for_match_rule(rule, bus, None).await?;
    Ok(messages.map(|_| ()).boxed())
}
