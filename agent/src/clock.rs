//! The one clock of the agent's times: CLOCK_MONOTONIC in nanoseconds, comparable across processes.

use nix::time::{ClockId, clock_gettime};

/// Now. Zero on a kernel without CLOCK_MONOTONIC, of which there is none.
pub fn now_ns() -> u64 {
    let Ok(now) = clock_gettime(ClockId::CLOCK_MONOTONIC) else {
        return 0;
    };
    now.tv_sec() as u64 * 1_000_000_000 + now.tv_nsec() as u64
}
