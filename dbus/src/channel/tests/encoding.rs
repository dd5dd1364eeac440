//! One encoding for each message, and no bytes that hurt.
use super::super::{
    message::{AgentStats, Held, MAX_AUDIO, MAX_MESSAGE, MAX_REASON, SourceState},
    *,
};
use proptest::prelude::*;
use punktfunk_core::{control::HdrMetadata, input::InputEvent};

fn to_service() -> impl Strategy<Value = ToService> {
    let frame = any::<(u16, u64, u32, u32, u64, u64, u64)>().prop_map(|f| {
        ToService::FrameReady(FrameReady {
            slot: f.0,
            seq: f.1,
            len: f.2,
            flags: f.3,
            pts_ns: f.4,
            capture_ns: f.5,
            encoded_ns: f.6,
        })
    });
    let part = any::<(u16, u64, u32, u8, u32, u64, u64)>().prop_map(|f| {
        ToService::FramePart(FramePart {
            slot: f.0,
            seq: f.1,
            len: f.2,
            parts: f.3,
            flags: f.4,
            pts_ns: f.5,
            capture_ns: f.6,
        })
    });
    let audio = (
        any::<u64>(),
        proptest::collection::vec(any::<u8>(), 1..=MAX_AUDIO),
    )
        .prop_map(|(seq, opus)| ToService::Audio { seq, opus });
    let state = (
        proptest::sample::select(SourceState::ALL.as_slice()),
        "[^\\p{Cc}]{0,128}",
    )
        .prop_map(|(state, reason)| ToService::State { state, reason });
    let failed = "[^\\p{Cc}]{0,128}".prop_map(|reason| ToService::Failed { reason });
    let stats = any::<[u64; 7]>().prop_map(
        |[
            captured,
            encoded,
            repeated,
            skipped_no_slot,
            missed_ticks,
            scaled,
            replaced,
        ]| {
            ToService::Stats(AgentStats {
                captured,
                encoded,
                repeated,
                skipped_no_slot,
                missed_ticks,
                scaled,
                replaced,
            })
        },
    );
    let hdr = any::<(bool, [u16; 13])>().prop_map(|(enabled, words)| ToService::Hdr {
        enabled,
        metadata: HdrMetadata::from_words(words),
    });
    prop_oneof![
        frame,
        part,
        any::<u64>().prop_map(|seq| ToService::FrameAbandoned { seq }),
        audio,
        state,
        failed,
        stats,
        hdr
    ]
}

fn input() -> impl Strategy<Value = ToAgent> {
    let event = prop_oneof![
        (any::<bool>(), 0u16..256, any::<u8>(), any::<u8>()).prop_map(
            |(down, code, modifiers, flags)| InputEvent::Key {
                down,
                code,
                modifiers,
                flags
            }
        ),
        any::<(i16, i16)>().prop_map(|(dx, dy)| InputEvent::MouseRelative { dx, dy }),
        any::<[i16; 4]>().prop_map(|[x, y, ref_width, ref_height]| {
            InputEvent::MouseAbsolute {
                x,
                y,
                ref_width,
                ref_height,
            }
        }),
        any::<char>().prop_map(InputEvent::Text),
    ];
    event.prop_map(ToAgent::Input)
}

fn to_agent() -> impl Strategy<Value = ToAgent> {
    prop_oneof![
        input(),
        any::<u16>().prop_map(|slot| ToAgent::SlotFree { slot }),
        any::<(u32, u32)>().prop_map(|(first, last)| ToAgent::InvalidateRefs { first, last }),
        (1..=u32::MAX).prop_map(|kbps| ToAgent::Bitrate { kbps }),
        Just(ToAgent::Idr),
        any::<(bool, bool)>().prop_map(|(pointer, other)| {
            ToAgent::Release(Held {
                pointer,
                keyboard: other || !pointer,
            })
        }),
        any::<bool>().prop_map(|visible| ToAgent::LockScreen { visible }),
        Just(ToAgent::ReleaseAll),
        Just(ToAgent::Stop),
    ]
}

proptest! {
    #[test]
    fn a_message_to_the_service_reads_back_as_itself(message in to_service()) {
        prop_assert_eq!(ToService::decode(message.encode().unwrap().as_bytes()), Ok(message));
    }

    #[test]
    fn a_message_to_the_agent_reads_back_as_itself(message in to_agent()) {
        prop_assert_eq!(ToAgent::decode(message.encode().unwrap().as_bytes()), Ok(message));
    }

    #[test]
    fn a_message_cut_short_or_made_longer_is_refused(message in to_agent(), cut in 0usize..64) {
        let whole = message.encode().unwrap().as_bytes().to_vec();
        let cut = cut.min(whole.len() - 1);
        prop_assert!(ToAgent::decode(&whole[..cut]).is_err());
        prop_assert!(ToAgent::decode(&[&whole[..], &[0]].concat()).is_err());
    }

    /// The kind is drawn from the valid ones so that the bodies are reached, not just the header.
    #[test]
    fn arbitrary_bytes_never_panic(kind in 0u16..10, high in any::<bool>(), body in proptest::collection::vec(any::<u8>(), 0..MAX_MESSAGE + 100)) {
        let kind = if high { kind | 0x100 } else { kind };
        let bytes = [&wire::VERSION.to_le_bytes()[..], &kind.to_le_bytes(), &body].concat();
        if let Ok(message) = ToService::decode(&bytes) {
            let again = message.encode().unwrap();
            prop_assert_eq!(again.as_bytes(), &bytes[..]);
        }
        // Input events are core's to read, and some of their bytes mean nothing.
        if let (Ok(message), true) = (ToAgent::decode(&bytes), kind != 0x105) {
            let again = message.encode().unwrap();
            prop_assert_eq!(again.as_bytes(), &bytes[..]);
        }
        let _ = ToService::decode(&body);
    }
}

#[test]
fn a_long_reason_is_cut_at_a_character_and_kept_on_one_line() {
    let reason = format!("a\nb{}", "ü".repeat(MAX_REASON));
    let sent = ToService::Failed { reason }.encode().unwrap();
    let Ok(ToService::Failed { reason }) = ToService::decode(sent.as_bytes()) else {
        panic!("refused by the other side");
    };
    assert!(reason.starts_with("a bü") && reason.len() <= MAX_REASON);
    assert!(reason.len() > MAX_REASON - 2);
}

#[test]
fn an_audio_packet_that_fits_no_message_is_refused_before_it_is_sent() {
    for len in [0, MAX_AUDIO + 1] {
        let message = ToService::Audio {
            seq: 0,
            opus: vec![0; len],
        };
        assert_eq!(message.encode().err(), Some(EncodeError::AudioLength));
    }
    // Nor is an empty one taken: what can be read can be written.
    let empty = [4, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(ToService::decode(&empty), Err(DecodeError::Length));
}

#[test]
fn an_hdr_message_has_one_form() {
    let sent = ToService::Hdr {
        enabled: true,
        metadata: HdrMetadata::from_words([7; 13]),
    };
    let bytes = sent.encode().unwrap().as_bytes().to_vec();
    assert_eq!(bytes.len(), 4 + 1 + 26);
    assert_eq!(ToService::decode(&bytes), Ok(sent));
    let mut neither = bytes.clone();
    neither[4] = 2;
    assert_eq!(ToService::decode(&neither), Err(DecodeError::Value));
    assert_eq!(ToService::decode(&bytes[..30]), Err(DecodeError::Length));
    let longer = [&bytes[..], &[0]].concat();
    assert_eq!(ToService::decode(&longer), Err(DecodeError::Length));
}
