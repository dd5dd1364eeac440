//! The errors of the host's D-Bus interfaces: a name that scripts can rely on and a sentence for a person.
use std::borrow::Cow;
use zbus::{message::Header, names::ErrorName};

/// What went wrong, as a D-Bus error name. The interfaces' XML says what each means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum HostErrorKind {
    AgentExists,
    NoSuchSession,
    Penalised,
    LimitReached,
    Expired,
    WrongPin,
    PairingFailed,
    NotRunning,
    Failed,
    /// The standard names below stand under `org.freedesktop.DBus.Error`.
    AccessDenied,
    InvalidArgs,
    UnknownObject,
    InteractiveAuthorizationRequired,
}

impl HostErrorKind {
    pub const ALL: [Self; 13] = [
        Self::AgentExists,
        Self::NoSuchSession,
        Self::Penalised,
        Self::LimitReached,
        Self::Expired,
        Self::WrongPin,
        Self::PairingFailed,
        Self::NotRunning,
        Self::Failed,
        Self::AccessDenied,
        Self::InvalidArgs,
        Self::UnknownObject,
        Self::InteractiveAuthorizationRequired,
    ];

    /// The full D-Bus name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AgentExists => "org.punktfunk.Host1.Error.AgentExists",
            Self::NoSuchSession => "org.punktfunk.Host1.Error.NoSuchSession",
            Self::Penalised => "org.punktfunk.Host1.Error.Penalised",
            Self::LimitReached => "org.punktfunk.Host1.Error.LimitReached",
            Self::Expired => "org.punktfunk.Host1.Error.Expired",
            Self::WrongPin => "org.punktfunk.Host1.Error.WrongPin",
            Self::PairingFailed => "org.punktfunk.Host1.Error.PairingFailed",
            Self::NotRunning => "org.punktfunk.Host1.Error.NotRunning",
            Self::Failed => "org.punktfunk.Host1.Error.Failed",
            Self::AccessDenied => "org.freedesktop.DBus.Error.AccessDenied",
            Self::InvalidArgs => "org.freedesktop.DBus.Error.InvalidArgs",
            Self::UnknownObject => "org.freedesktop.DBus.Error.UnknownObject",
            Self::InteractiveAuthorizationRequired => {
                "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"
            }
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The error with its sentence: what failed, why, what to do.
    pub fn because(self, message: impl Into<Cow<'static, str>>) -> HostError {
        HostError {
            kind: self,
            message: message.into(),
        }
    }
}

/// An error that a method of the host's interfaces answers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct HostError {
    pub kind: HostErrorKind,
    pub message: Cow<'static, str>,
}

impl zbus::DBusError for HostError {
    fn create_reply(&self, call: &Header<'_>) -> zbus::Result<zbus::Message> {
        zbus::Message::error(call, self.kind.name())?.build(&(self.message.as_ref(),))
    }

    fn name(&self) -> ErrorName<'_> {
        ErrorName::from_static_str_unchecked(self.kind.name())
    }

    fn description(&self) -> Option<&str> {
        Some(&self.message)
    }
}

impl From<zbus::Error> for HostError {
    /// A failure of the bus itself, on the way to an answer.
    fn from(error: zbus::Error) -> Self {
        HostErrorKind::Failed.because(format!("the message bus: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_valid_unique_and_read_back() {
        for kind in HostErrorKind::ALL {
            assert!(ErrorName::try_from(kind.name()).is_ok(), "{}", kind.name());
            assert_eq!(HostErrorKind::from_name(kind.name()), Some(kind));
        }
    }
}
