//! The agent on the system bus: it exports `Agent1`, registers its session with the service, and does so again whenever
//! the service comes back. It owns no bus name and calls nobody but the service, logind and the bus itself, and asks
//! the desktop to stay awake while it is watched.

mod agent1;
mod applications;
pub mod inhibition;
mod registration;
mod session;
mod session_life;

pub use registration::run;
