//! What every part of the service shares. Each field owns its own state; nobody holds two of their locks.
use crate::{
    agents::Agents, applications::Applications, config::Settings, identity::Identity,
    launch::Launches, on_demand::OnDemand, pairings::Pairings, store::ClientStore, stream::Streams,
};
use std::sync::Arc;

pub struct Host {
    pub settings: Settings,
    pub identity: Arc<Identity>,
    pub clients: ClientStore,
    pub pairings: Pairings,
    pub agents: Agents,
    pub applications: Applications,
    pub launches: Launches,
    pub on_demand: OnDemand,
    pub streams: Streams,
}
