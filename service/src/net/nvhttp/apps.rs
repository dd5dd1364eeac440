//! `/applist`: what can be launched. Today that is the desktop.
use super::xml::Xml;

/// Stable for ever: clients key shortcuts and pictures by it.
pub(super) const DESKTOP: u32 = 1_885_732_865;

pub(super) fn list() -> Xml {
    let desktop = Xml::ok()
        .element("IsHdrSupported", 0)
        .element("AppTitle", "Desktop")
        .element("ID", DESKTOP);
    Xml::ok().nested("App", desktop)
}
