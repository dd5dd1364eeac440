//! An own mDNS responder, for machines without Avahi.
use super::SERVICE;
use mdns_sd::{IfKind, ServiceDaemon, ServiceInfo};

/// Publishes until it is dropped.
pub(super) struct Responder(ServiceDaemon);

/// Publish under a host name of our own: `<hostname>.local` belongs to whoever else answers mDNS on this machine.
pub(super) fn publish(name: &str, port: u16, id: &str) -> Result<Responder, mdns_sd::Error> {
    let daemon = Responder(ServiceDaemon::new()?);
    // Announcements on loopback would reach the machine itself as another host.
    daemon.0.disable_interface(IfKind::LoopbackV4)?;
    daemon.0.disable_interface(IfKind::LoopbackV6)?;
    let service = format!("{SERVICE}.local.");
    let short: String = id
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(12)
        .collect();
    let target = format!("punktfunk-{short}.local.");
    let no_text: &[(&str, &str)] = &[];
    let info = ServiceInfo::new(&service, name, &target, (), port, no_text)?.enable_addr_auto();
    daemon.0.register(info)?;
    Ok(daemon)
}

impl Drop for Responder {
    fn drop(&mut self) {
        // Says good-bye on the network; a failure means that its thread is gone already.
        let _ = self.0.shutdown();
    }
}
