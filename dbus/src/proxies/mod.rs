//! Client-side proxies (zbus) of every interface; the XML in `interfaces/` says what the members mean.
//!
//! Calls that polkit may want to ask about allow it to: the proxies are for programs with a person in front of them.
mod agent;
mod agent1;
mod client;
mod host;
mod pairing;
mod stream;

pub use agent::AgentProxy;
pub use agent1::Agent1Proxy;
pub use client::ClientProxy;
pub use host::Host1Proxy;
pub use pairing::PairingProxy;
pub use stream::StreamProxy;

#[cfg(test)]
mod tests;
