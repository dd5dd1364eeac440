//! The connection to the message bus.
use crate::config::Config;
use std::time::Duration;
use zbus::{Connection, connection::Builder};

/// A bus that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(10);

#[derive(Debug, thiserror::Error)]
pub enum BusError {
    #[error(
        "cannot connect to the system message bus: {0}. Sessions and settings reach this service over D-Bus: \
         install and start it (systemctl start dbus), or try it out with: dbus-run-session -- punktfunkd --dev"
    )]
    System(String),
    #[error(
        "cannot connect to a message bus: {0}. In development mode the bus of DBUS_SYSTEM_BUS_ADDRESS is used if that is set, \
         else the session bus; a private one comes with: dbus-run-session -- punktfunkd --dev"
    )]
    Development(String),
}

/// The system bus; in development mode the session bus, unless DBUS_SYSTEM_BUS_ADDRESS names another.
pub(super) async fn connect(config: &Config) -> Result<Connection, BusError> {
    let session = config.development && std::env::var_os("DBUS_SYSTEM_BUS_ADDRESS").is_none();
    let failed = |text: String| match config.development {
        true => BusError::Development(text),
        false => BusError::System(text),
    };
    let builder = if session {
        Builder::session()
    } else {
        Builder::system()
    };
    let connecting = builder.map_err(|error| failed(error.to_string()))?.build();
    match tokio::time::timeout(LIMIT, connecting).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => Err(failed(error.to_string())),
        Err(_) => Err(failed("no answer in time".into())),
    }
}
