//! The agent on the system bus: it exports `Agent1`, registers its session with the service, and does so again whenever
//! the service comes back. It owns no bus name and calls nobody but the service, logind and the bus itself.

mod agent1;
mod applications;
mod registration;
mod session;

pub use registration::run;
