//! Methods of a running stream.
use super::{ApiError, call::Call};
use crate::stream::{StopReason, StreamInfo};
use punktfunk_dbus::error::HostErrorKind;
use zbus::Message;

/// What a video budget may be, in kbit/s.
const BITRATES_KBPS: std::ops::RangeInclusive<u32> = 100..=800_000;

pub(super) async fn call(call: &Call<'_>, stream: &StreamInfo) -> Result<Message, ApiError> {
    let streams = &call.context.host.streams;
    let done = match call.member.as_str() {
        "Stop" => {
            call.no_arguments()?;
            tracing::info!(
                stream = stream.id.0,
                by = call.caller.uid.0,
                "stopped over the bus"
            );
            streams.stop(stream.id, StopReason::Administrator)
        }
        "RequestKeyframe" => {
            call.no_arguments()?;
            streams.request_keyframe(stream.id)
        }
        "SetBitrate" => {
            let kbps: u32 = call.arguments()?;
            if !BITRATES_KBPS.contains(&kbps) {
                return Err(ApiError::invalid(format!(
                    "a bitrate lies between {} and {} kbit/s",
                    BITRATES_KBPS.start(),
                    BITRATES_KBPS.end()
                )));
            }
            streams.set_bitrate(stream.id, kbps)
        }
        member => return Err(ApiError::unknown_method(&call.interface, member)),
    };
    if !done {
        return Err(HostErrorKind::NotRunning
            .because(format!("stream {} does not run", stream.id))
            .into());
    }
    call.announced().await;
    call.answer(&())
}
