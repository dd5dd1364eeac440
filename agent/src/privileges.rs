//! The agent needs no capability, and portals refuse callers that have more of them than they have themselves. Some
//! sessions hand out an ambient one (waking the machine from suspend, for instance): it is let go of here.

use caps::CapSet;

/// Empty this thread's capability sets. To be called before any other thread exists. Root keeps its own: it runs an
/// agent only on development hosts.
pub fn shed() {
    if nix::unistd::getuid().is_root() {
        return;
    }
    for set in [
        CapSet::Ambient,
        CapSet::Inheritable,
        CapSet::Effective,
        CapSet::Permitted,
    ] {
        if let Err(error) = caps::clear(None, set) {
            tracing::warn!("capabilities stay as they are: {error}");
            return;
        }
    }
}
