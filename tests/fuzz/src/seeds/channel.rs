//! Seeds of the channel between service and agent.
use super::Seeds;
use punktfunk_core::input::InputEvent;
use punktfunk_dbus::channel::{
    FramePart, FrameReady, ToAgent, ToService,
    message::{AgentStats, SourceState},
};

/// Single messages of both sides, and a conversation with its lengths.
pub(super) fn channel() -> Seeds {
    let frame = |slot, seq| {
        ToService::FrameReady(FrameReady {
            slot,
            seq,
            len: 900,
            flags: u32::from(seq == 0),
            pts_ns: 1_000_000 * seq,
            capture_ns: 999_000_000,
            encoded_ns: 999_500_000,
        })
    };
    let part = |slot, seq, len| {
        ToService::FramePart(FramePart {
            slot,
            seq,
            len,
            parts: 3,
            flags: 0,
            pts_ns: 1_000_000 * seq,
            capture_ns: 999_000_000,
        })
    };
    let from_agent = [
        ToService::State {
            state: SourceState::NoOutput,
            reason: "the compositor is gone".into(),
        },
        frame(0, 0),
        frame(1, 1),
        part(2, 2, 300),
        part(2, 2, 600),
        frame(2, 2),
        part(1, 3, 300),
        ToService::FrameAbandoned { seq: 3 },
        ToService::Audio {
            seq: 0,
            opus: vec![9; 20],
        },
        ToService::Stats(AgentStats::default()),
        ToService::Failed {
            reason: "no picture".into(),
        },
    ];
    let to_agent = [
        ToAgent::SlotFree { slot: 1 },
        ToAgent::Idr,
        ToAgent::InvalidateRefs { first: 3, last: 4 },
        ToAgent::Bitrate { kbps: 9000 },
        ToAgent::Input(InputEvent::MouseRelative { dx: 1, dy: 1 }),
        ToAgent::LockScreen { visible: true },
        ToAgent::ReleaseAll,
        ToAgent::Stop,
    ];
    let mut conversation = Vec::new();
    let mut seeds = Seeds::new();
    for message in &from_agent {
        let datagram = message.encode().expect("fits");
        conversation.extend((datagram.as_bytes().len() as u16).to_le_bytes());
        conversation.extend_from_slice(datagram.as_bytes());
        seeds.push(datagram.as_bytes().to_vec());
    }
    for message in &to_agent {
        seeds.push(message.encode().expect("fits").as_bytes().to_vec());
    }
    seeds.push(conversation);
    seeds
}
