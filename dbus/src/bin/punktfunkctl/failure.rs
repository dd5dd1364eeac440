//! What can go wrong, as an exit code for scripts and a sentence with a remedy for a person.
use punktfunk_dbus::error::HostErrorKind;
use serde::Serialize;

/// The kind decides the exit code; `after_help` of the command line documents them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    Service,
    NoBus,
    NotRunning,
    Denied,
    NotFound,
    Pairing,
    Interrupted,
}

impl FailureKind {
    pub fn exit_code(self) -> i32 {
        match self {
            Self::Service => 1,
            Self::NoBus => 3,
            Self::NotRunning => 4,
            Self::Denied => 5,
            Self::NotFound => 6,
            Self::Pairing => 7,
            Self::Interrupted => 130,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    pub kind: FailureKind,
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Failure {
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            remedy: None,
        }
    }

    pub fn service(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Service, message)
    }

    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(FailureKind::NotFound, message)
    }

    pub fn interrupted() -> Self {
        Self::new(FailureKind::Interrupted, "interrupted")
    }

    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// An error answer: its D-Bus name, its text, and whether the bus itself gave it.
    fn from_answer(name: &str, text: &str, by_the_bus: bool) -> Self {
        use HostErrorKind as Kind;
        match HostErrorKind::from_name(name) {
            Some(Kind::AccessDenied) if by_the_bus => {
                Self::new(FailureKind::Denied, "the message bus does not let this account talk to the service")
                    .with_remedy("the bus policy org.punktfunk.Host1.conf is missing or changed: install the package again, then `sudo systemctl reload dbus`")
            }
            Some(Kind::AccessDenied) => Self::new(FailureKind::Denied, text)
                .with_remedy("use the account that owns it, or an administrator's: sudo punktfunkctl ..."),
            Some(Kind::InteractiveAuthorizationRequired) => {
                Self::new(FailureKind::Denied, "this needs authentication, and nobody could be asked")
                    .with_remedy("run it in a terminal of your desktop session, or as administrator: sudo punktfunkctl ...")
            }
            Some(Kind::WrongPin) => Self::new(FailureKind::Pairing, text)
                .with_remedy("start the pairing again on the device: each PIN is good for one try"),
            Some(Kind::Expired | Kind::PairingFailed) => Self::new(FailureKind::Pairing, text)
                .with_remedy("start the pairing again on the device"),
            Some(Kind::UnknownObject) => Self::not_found("it is not there any more"),
            Some(_) => Self::service(text),
            None => match name {
                "org.freedesktop.DBus.Error.ServiceUnknown"
                | "org.freedesktop.DBus.Error.NameHasNoOwner" => {
                    Self::new(FailureKind::NotRunning, "the service went away")
                        .with_remedy("look at its log: journalctl -u punktfunk")
                }
                "org.freedesktop.DBus.Error.NoReply" | "org.freedesktop.DBus.Error.Timeout" => {
                    Self::service("the service did not answer in time")
                        .with_remedy("look at its log: journalctl -u punktfunk")
                }
                "org.freedesktop.DBus.Error.UnknownMethod"
                | "org.freedesktop.DBus.Error.UnknownInterface" => {
                    Self::service(format!("the service does not know this request ({text})"))
                        .with_remedy("service and punktfunkctl come from different versions: restart the service")
                }
                _ => Self::service(format!("{text} ({name})")),
            },
        }
    }
}

impl From<zbus::Error> for Failure {
    fn from(error: zbus::Error) -> Self {
        match &error {
            zbus::Error::MethodError(name, text, answer) => {
                let header = answer.header();
                let by_the_bus = header
                    .sender()
                    .is_some_and(|sender| sender == "org.freedesktop.DBus");
                Self::from_answer(name, text.as_deref().unwrap_or(name), by_the_bus)
            }
            zbus::Error::FDO(fdo) => {
                use zbus::DBusError;
                let text = fdo.description().unwrap_or_default().to_owned();
                Self::from_answer(&fdo.name(), &text, false)
            }
            zbus::Error::InputOutput(io) => Self::new(
                FailureKind::NoBus,
                format!("the message bus went away: {io}"),
            ),
            other => Self::service(format!("the message bus: {other}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(kind: HostErrorKind, by_the_bus: bool) -> Failure {
        Failure::from_answer(kind.name(), "because", by_the_bus)
    }

    #[test]
    fn a_refusal_by_the_bus_and_one_by_the_service_have_different_remedies() {
        let by_the_bus = answer(HostErrorKind::AccessDenied, true);
        let by_the_service = answer(HostErrorKind::AccessDenied, false);
        assert_eq!(by_the_bus.kind, FailureKind::Denied);
        assert_eq!(by_the_service.kind, FailureKind::Denied);
        assert_ne!(by_the_bus.remedy, by_the_service.remedy);
        assert_eq!(by_the_service.message, "because");
    }

    #[test]
    fn a_wrong_pin_and_a_lost_device_are_pairing_failures() {
        for kind in [
            HostErrorKind::WrongPin,
            HostErrorKind::Expired,
            HostErrorKind::PairingFailed,
        ] {
            assert_eq!(answer(kind, false).kind.exit_code(), 7);
        }
    }

    #[test]
    fn an_unknown_error_keeps_its_name_for_the_report() {
        let failure = Failure::from_answer("org.example.Odd", "hm", false);
        assert_eq!(failure.message, "hm (org.example.Odd)");
        assert_eq!(failure.kind.exit_code(), 1);
    }
}
