//! The service on a private bus, with a polkit and a logind that say what a test wants: who may call, see and register.
mod admission;
mod authorisation;
mod bounds;
mod contract;
mod mocks;
#[path = "../fixture/ports.rs"]
mod ports;
mod rig;
mod sharing;
mod visibility;
