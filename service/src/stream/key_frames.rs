//! When to ask the agent for a key frame. Time is passed in.

/// Requests within this time of one that was passed on are one with it.
const COALESCE_NS: u64 = 100_000_000;

/// Coalesces requests: at most one is under way until the next key frame, or for 100 ms.
#[derive(Debug, Default)]
pub(super) struct KeyFrames {
    asked_ns: Option<u64>,
}

impl KeyFrames {
    /// A request came. `true`: ask the agent.
    pub(super) fn request(&mut self, now_ns: u64) -> bool {
        let under_way = self
            .asked_ns
            .is_some_and(|asked| now_ns.saturating_sub(asked) < COALESCE_NS);
        if !under_way {
            self.asked_ns = Some(now_ns);
        }
        !under_way
    }

    /// A key frame came.
    pub(super) fn arrived(&mut self) {
        self.asked_ns = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_one_until_the_key_frame_or_for_100_ms() {
        let mut key_frames = KeyFrames::default();
        assert!(key_frames.request(0));
        assert!(!key_frames.request(99_999_999));
        assert!(key_frames.request(100_000_000));
        key_frames.arrived();
        assert!(key_frames.request(100_000_001));
    }
}
