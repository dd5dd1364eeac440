//! The errors that callers see, and how the service's own become them.
use crate::{
    admission::AdmissionError, agents::AdmitError, config::ConfigError, pairings::PairingError,
    sessions::SessionError, store::StoreError,
};
use punktfunk_dbus::error::{HostError, HostErrorKind};
use zbus::{DBusError, Message, fdo, message::Header, names::ErrorName};

/// Any error that a call can end with.
#[derive(Debug)]
pub enum ApiError {
    Host(HostError),
    Standard(fdo::Error),
}

impl ApiError {
    pub(super) fn invalid(what: impl Into<String>) -> Self {
        Self::Standard(fdo::Error::InvalidArgs(what.into()))
    }
    pub(super) fn unknown_object(path: &str) -> Self {
        Self::Standard(fdo::Error::UnknownObject(format!("no object at {path}")))
    }
    pub(super) fn unknown_method(interface: &str, member: &str) -> Self {
        Self::Standard(fdo::Error::UnknownMethod(format!(
            "no method {interface}.{member} here"
        )))
    }
    /// The error message for a call.
    pub(super) fn reply(&self, header: &Header<'_>) -> zbus::Result<Message> {
        match self {
            Self::Host(error) => error.create_reply(header),
            Self::Standard(error) => error.create_reply(header),
        }
    }
    pub(super) fn name(&self) -> ErrorName<'_> {
        match self {
            Self::Host(error) => error.name(),
            Self::Standard(error) => error.name(),
        }
    }
}

impl From<fdo::Error> for ApiError {
    fn from(error: fdo::Error) -> Self {
        Self::Standard(error)
    }
}

impl From<HostError> for ApiError {
    fn from(error: HostError) -> Self {
        Self::Host(error)
    }
}

impl From<zbus::Error> for ApiError {
    fn from(error: zbus::Error) -> Self {
        Self::Host(error.into())
    }
}

impl From<ConfigError> for ApiError {
    fn from(error: ConfigError) -> Self {
        let text = error.to_string();
        match error {
            ConfigError::Read { .. } | ConfigError::Write { .. } => {
                HostErrorKind::Failed.because(text).into()
            }
            _ => fdo::Error::InvalidArgs(text).into(),
        }
    }
}

impl From<AdmissionError> for ApiError {
    fn from(error: AdmissionError) -> Self {
        let text = error.to_string();
        match error {
            AdmissionError::Registry(AdmitError::Exists(_)) => {
                HostErrorKind::AgentExists.because(text).into()
            }
            AdmissionError::Registry(AdmitError::Penalised(_)) => {
                HostErrorKind::Penalised.because(text).into()
            }
            AdmissionError::Registry(AdmitError::TooMany | AdmitError::TooManyOfUser) => {
                HostErrorKind::LimitReached.because(text).into()
            }
            AdmissionError::NotYours { .. } | AdmissionError::CallerGone => {
                fdo::Error::AccessDenied(text).into()
            }
            AdmissionError::Session(SessionError::Unknown(_))
            | AdmissionError::Closing(_)
            | AdmissionError::NothingToStream(_) => {
                HostErrorKind::NoSuchSession.because(text).into()
            }
            AdmissionError::Offer(_) => fdo::Error::InvalidArgs(text).into(),
            AdmissionError::Session(SessionError::Unavailable(_)) | AdmissionError::Bus(_) => {
                HostErrorKind::Failed.because(text).into()
            }
        }
    }
}

impl From<PairingError> for ApiError {
    fn from(error: PairingError) -> Self {
        let text = error.to_string();
        match error {
            PairingError::BadPin => fdo::Error::InvalidArgs(text).into(),
            PairingError::WrongPin => HostErrorKind::WrongPin.because(text).into(),
            PairingError::WindowClosed | PairingError::NoSuchAttempt | PairingError::Expired => {
                HostErrorKind::Expired.because(text).into()
            }
            PairingError::Store(_) => HostErrorKind::PairingFailed.because(text).into(),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        let text = error.to_string();
        match error {
            StoreError::UnknownPermission(_) => fdo::Error::InvalidArgs(text).into(),
            StoreError::NoSuchClient => fdo::Error::UnknownObject(text).into(),
            StoreError::Full => HostErrorKind::LimitReached.because(text).into(),
            StoreError::Io { .. } => HostErrorKind::Failed.because(text).into(),
        }
    }
}
