//! The service's reader: receives, validates every field in a private copy, and tracks which slots are announced.
use super::{Endpoint, Geometry, Violation, message::ToService};
use std::sync::Arc;

/// What the service accepts of one agent.
#[derive(Debug, Clone, Copy)]
pub struct Limits { pub geometry: Geometry, /// frames a second, with some slack
    pub max_frame_rate: u32, /// largest Opus packet
    pub max_audio_bytes: usize }

#[derive(Debug)]
pub enum Event { Message(ToService), Empty, Closed }

pub struct Consumer { endpoint: Arc<Endpoint> }

impl Consumer {
    pub fn new(endpoint: Arc<Endpoint>, limits: Limits) -> Self { let _ = limits; Self { endpoint } }
    pub fn endpoint(&self) -> &Arc<Endpoint> { &self.endpoint }
    /// The next message, validated against everything that came before. `now_ns` is CLOCK_MONOTONIC.
    pub fn receive(&mut self, now_ns: u64) -> Result<Event, Violation> { let _ = now_ns; todo!() }
    /// The slot was copied out: tell the agent. `Ok(false)`: its socket is full (stalled peer).
    pub fn release(&mut self, slot: u16) -> Result<bool, Violation> { let _ = slot; todo!() }
}
