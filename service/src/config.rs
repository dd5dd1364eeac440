//! Configuration: `/etc/punktfunk/punktfunk.toml`, with documented environment overrides for tests. [owner: platform]
use std::{net::IpAddr, path::PathBuf};

#[derive(Debug, Clone)]
pub struct Config {
    pub name: String,
    pub ports: Ports,
    /// Addresses to bind; default `[::]` (dual stack).
    pub bind: IpAddr,
    pub state_dir: PathBuf,
    /// `auto`, `synthetic`, `synthetic-fast`, `portal`, `mutter` (PUNKTFUNK_VIDEO_SOURCE)
    pub video_source: String,
    /// PUNKTFUNK_COMPOSITOR
    pub compositor: String,
    /// 0..=100; 0 = data only (PUNKTFUNK_FEC_PCT)
    pub fec_percent: u8,
    /// Drop the first of every N video datagrams before sending; 0 = none (PUNKTFUNK_VIDEO_DROP)
    pub video_drop: u32,
    /// Log per-stage timing each second (PUNKTFUNK_PERF)
    pub perf: bool,
    pub encryption: Encryption,
    pub pace_rate_mbit: u32,
    pub discovery: bool,
    /// Development mode: private bus, no polkit, no logind, callers of our own uid only.
    pub development: bool,
}

/// Ports as bound. Any may be changed; all are advertised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports { pub http: u16, pub https: u16, pub rtsp: u16, pub video: u16, pub control: u16, pub audio: u16 }

impl Ports {
    /// Derived from one base port, which is the HTTP port.
    pub fn from_base(base: u16) -> Option<Self> {
        Some(Self { http: base, https: base.checked_sub(5)?, rtsp: base.checked_add(21)?, video: base.checked_add(9)?, control: base.checked_add(10)?, audio: base.checked_add(11)? })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption { Off, Offered, Required }
