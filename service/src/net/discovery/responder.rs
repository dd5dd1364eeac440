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
    daemon.0.register(announcement(name, port, id)?)?;
    Ok(daemon)
}

/// What is published: the HTTP port, no text, and every address of the machine as it comes and goes.
fn announcement(name: &str, port: u16, id: &str) -> Result<ServiceInfo, mdns_sd::Error> {
    let service = format!("{SERVICE}.local.");
    let short: String = id
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(12)
        .collect();
    let target = format!("punktfunk-{short}.local.");
    let no_text: &[(&str, &str)] = &[];
    Ok(ServiceInfo::new(&service, name, &target, (), port, no_text)?.enable_addr_auto())
}

impl Drop for Responder {
    fn drop(&mut self) {
        // Says good-bye on the network; a failure means that its thread is gone already.
        let _ = self.0.shutdown();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_announcement_has_the_http_port_no_text_and_a_host_name_of_its_own() {
        let info = announcement("desk & <chair>", 51989, "1a2b3c4d-5e6f-7081-9293").unwrap();
        assert_eq!(info.get_type(), "_nvstream._tcp.local.");
        assert_eq!(info.get_fullname(), "desk & <chair>._nvstream._tcp.local.");
        assert_eq!(info.get_port(), 51989);
        assert_eq!(info.get_properties().len(), 0);
        assert_eq!(info.get_hostname(), "punktfunk-1a2b3c4d5e6f.local.");
        assert!(info.is_addr_auto(), "IPv4 and IPv6 as they come");
    }
}
