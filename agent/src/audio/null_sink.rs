//! The sink that programs play into while a stream has their sound to itself: PipeWire's null sink, made by and for this
//! process, gone with its connection. A node of the daemon's own, so that any session manager links to it as to a device,
//! also one that starts later.

use std::sync::{Arc, Mutex, PoisonError};

use pipewire::{
    core::CoreRc,
    keys,
    node::Node,
    properties::properties,
    proxy::{ProxyListener, ProxyT},
    spa,
};

/// Name of the sink in stereo; others say their channels.
pub(super) const NAME: &str = "punktfunk";

/// The sink; dropping it removes it.
pub struct NullSink {
    name: String,
    _listener: ProxyListener,
    _node: Node,
}

impl NullSink {
    /// Make it, with these channels. `failed` is told when it could not be made, or was removed.
    ///
    /// # Errors
    /// The connection is broken.
    pub fn new(
        core: &CoreRc,
        positions: &[u32],
        failed: &Arc<Mutex<Option<String>>>,
    ) -> Result<Self, pipewire::Error> {
        let name = name(positions.len());
        let properties = properties! {
            *keys::FACTORY_NAME => "support.null-audio-sink",
            *keys::MEDIA_CLASS => "Audio/Sink",
            *keys::NODE_NAME => name.as_str(),
            *keys::NODE_DESCRIPTION => "Streaming (punktfunk)",
            *keys::NODE_VIRTUAL => "true",
            "audio.position" => spelled(positions),
            "priority.session" => "10",
            // the volume that the desktop shows is the one that is heard
            "monitor.channel-volumes" => "true",
        };
        let node: Node = core.create_object("adapter", &properties)?;
        let (refused, removed) = (Arc::clone(failed), Arc::clone(failed));
        let tell = |failed: &Mutex<Option<String>>, why: String| {
            failed
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .get_or_insert(why);
        };
        let listener = node
            .upcast_ref()
            .add_listener_local()
            .error(move |_, _, message| {
                tell(&refused, format!("PipeWire makes no sink: {message}"))
            })
            .removed(move || tell(&removed, "the sink was removed".to_owned()))
            .register();
        Ok(Self {
            name,
            _listener: listener,
            _node: node,
        })
    }

    /// As `pactl list sinks` shows it.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// The name of the sink with so many channels.
pub(super) fn name(channels: usize) -> String {
    match channels {
        2 => NAME.to_owned(),
        channels => format!("{NAME}-{channels}"),
    }
}

/// The channels as PipeWire's properties spell them.
fn spelled(positions: &[u32]) -> String {
    use spa::sys::{
        SPA_AUDIO_CHANNEL_FC, SPA_AUDIO_CHANNEL_FL, SPA_AUDIO_CHANNEL_FR, SPA_AUDIO_CHANNEL_LFE,
        SPA_AUDIO_CHANNEL_RL, SPA_AUDIO_CHANNEL_RR, SPA_AUDIO_CHANNEL_SL, SPA_AUDIO_CHANNEL_SR,
    };
    let word = |position: &u32| match *position {
        SPA_AUDIO_CHANNEL_FL => "FL",
        SPA_AUDIO_CHANNEL_FR => "FR",
        SPA_AUDIO_CHANNEL_FC => "FC",
        SPA_AUDIO_CHANNEL_LFE => "LFE",
        SPA_AUDIO_CHANNEL_RL => "RL",
        SPA_AUDIO_CHANNEL_RR => "RR",
        SPA_AUDIO_CHANNEL_SL => "SL",
        SPA_AUDIO_CHANNEL_SR => "SR",
        _ => "UNK",
    };
    format!(
        "[ {} ]",
        positions.iter().map(word).collect::<Vec<_>>().join(" ")
    )
}
