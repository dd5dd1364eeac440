//! The virtual output itself: asked for, waited for, and described.

use std::time::Duration;

use tokio::time::timeout;
use wayland_client::{
    Connection, Dispatch, QueueHandle, delegate_noop,
    globals::{BindError, GlobalListContents, registry_queue_init},
    protocol::{
        wl_output::{self, WlOutput},
        wl_registry::{self, WlRegistry},
    },
};
use wayland_protocols::xdg::xdg_output::zv1::client::{
    zxdg_output_manager_v1::ZxdgOutputManagerV1,
    zxdg_output_v1::{self, ZxdgOutputV1},
};
use wayland_protocols_plasma::screencast::v1::client::{
    zkde_screencast_stream_unstable_v1::{self, ZkdeScreencastStreamUnstableV1},
    zkde_screencast_unstable_v1::{Pointer, ZkdeScreencastUnstableV1},
};

use crate::{
    input::{LivePlace, Place},
    source::SourceRequest,
    wayland::{self, ConnectError, Outputs, Wayland, WaylandEnd},
};

/// The protocol's version that can make outputs.
const MAKES_OUTPUTS: u32 = 2;
/// The one that takes a description for people.
const DESCRIBES: u32 = 4;

/// How long KWin may take to make the output, and then to describe it.
const MADE_LIMIT: Duration = Duration::from_secs(if cfg!(test) { 60 } else { 8 });
const DESCRIBED_LIMIT: Duration = Duration::from_secs(if cfg!(test) { 60 } else { 2 });

/// What KWin puts before the name that was asked for.
const PREFIX: &str = "Virtual-";

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    NoConnection(#[from] ConnectError),
    #[error("the compositor does not show its screencast protocol")]
    NotOffered,
    #[error(
        "this KWin is too old to make virtual outputs (its screencast protocol is version {0}, needed is {MAKES_OUTPUTS})"
    )]
    TooOld(u32),
    #[error("KWin made no virtual output: {0}")]
    Failed(String),
    #[error(transparent)]
    Ended(#[from] WaylandEnd),
    #[error("KWin did not make the virtual output within {} s", .0.as_secs())]
    Late(Duration),
}

#[derive(Default)]
struct State {
    outputs: Outputs,
    node: Option<u32>,
    failed: Option<String>,
    closed: bool,
}

/// A virtual output that exists while this does.
pub struct VirtualOutput {
    wayland: Wayland<State>,
    state: State,
    stream: ZkdeScreencastStreamUnstableV1,
    name: String,
    node: u32,
    place: LivePlace,
}

impl VirtualOutput {
    /// Have KWin make an output of the requested width and this height, at scale 1, and wait until it exists.
    pub async fn open(request: &SourceRequest, height: u32) -> Result<Self, OpenError> {
        let failed = |error: &dyn std::fmt::Display| OpenError::Failed(error.to_string());
        let connection = wayland::connect()?;
        let (globals, mut queue) =
            registry_queue_init::<State>(&connection).map_err(|error| failed(&error))?;
        let handle = queue.handle();
        let screencast: ZkdeScreencastUnstableV1 = globals
            .bind(&handle, MAKES_OUTPUTS..=DESCRIBES, ())
            .map_err(|error| match error {
                BindError::UnsupportedVersion => OpenError::TooOld(1),
                BindError::NotPresent => OpenError::NotOffered,
            })?;
        let mut state = State::default();
        state
            .outputs
            .bind_all(globals.registry(), &handle, globals.contents());
        // Names of the outputs there are, so that ours is a new one.
        queue
            .roundtrip(&mut state)
            .map_err(|error| OpenError::Ended(error.into()))?;
        let name = state.outputs.free_name(PREFIX, "punktfunk");

        let size = |pixels: u32| i32::try_from(pixels).unwrap_or(i32::MAX);
        let (width, lines) = (size(request.width), size(height));
        let pointer = if request.cursor {
            Pointer::Embedded
        } else {
            Pointer::Hidden
        };
        let stream = if wayland_client::Proxy::version(&screencast) >= DESCRIBES {
            let description = "Remote display (punktfunk)".to_owned();
            screencast.stream_virtual_output_with_description(
                name.clone(),
                description,
                width,
                lines,
                1.0,
                pointer.into(),
                &handle,
                (),
            )
        } else {
            screencast.stream_virtual_output(
                name.clone(),
                width,
                lines,
                1.0,
                pointer.into(),
                &handle,
                (),
            )
        };

        let mut wayland =
            Wayland::new(connection, queue).map_err(|error| OpenError::Ended(error.into()))?;
        let made = wayland.until(&mut state, |state| match (&state.failed, state.node) {
            (Some(why), _) => Some(Err(why.clone())),
            (None, Some(node)) => Some(Ok(node)),
            (None, None) => None,
        });
        let node = timeout(MADE_LIMIT, made)
            .await
            .map_err(|_| OpenError::Late(MADE_LIMIT))??
            .map_err(OpenError::Failed)?;

        let full_name = format!("{PREFIX}{name}");
        let described = wayland.until(&mut state, |state| {
            let output = state.outputs.named(&full_name)?;
            Some((output.position, output.size))
        });
        let place = LivePlace::default();
        match timeout(DESCRIBED_LIMIT, described).await {
            Ok(described) => {
                let (position, size) = described?;
                place.set(Place { position, size });
                state.outputs.follow(&full_name, &globals, &handle);
                if size != (request.width, height) {
                    tracing::warn!(
                        ?size, wanted = ?(request.width, height),
                        "KWin gave the virtual output another size (stored in kwinoutputconfig.json?); the picture is fitted"
                    );
                }
            }
            // Before Plasma 6 outputs have no names; they stand to the right of the others.
            Err(_) => {
                tracing::warn!("KWin did not describe the virtual output; pointing may miss it");
            }
        }
        Ok(Self {
            wayland,
            state,
            stream,
            name: full_name,
            node,
            place,
        })
    }

    /// Global id of its PipeWire node.
    pub fn node(&self) -> u32 {
        self.node
    }

    /// As Wayland has it, with KWin's prefix.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it lies in the compositor's space; kept up to date by [`Self::ended`].
    pub fn place(&self) -> LivePlace {
        self.place.clone()
    }

    /// Wait until KWin ends it; says why. Meanwhile its place is followed: people move, turn and scale outputs.
    pub async fn ended(&mut self) -> String {
        let (name, place) = (&self.name, &self.place);
        let closed = self
            .wayland
            .until(&mut self.state, |state| {
                if let Some(output) = state.outputs.named(name) {
                    place.set(output.place());
                }
                state.closed.then_some(())
            })
            .await;
        match closed {
            Ok(()) => "KWin closed the virtual output".to_owned(),
            Err(end) => end.to_string(),
        }
    }

    /// Take the output away.
    pub fn close(self) {
        self.stream.close();
        self.wayland.flush();
    }
}

impl Dispatch<ZkdeScreencastStreamUnstableV1, ()> for State {
    fn event(
        state: &mut Self,
        _: &ZkdeScreencastStreamUnstableV1,
        event: zkde_screencast_stream_unstable_v1::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        match event {
            zkde_screencast_stream_unstable_v1::Event::Created { node } => state.node = Some(node),
            zkde_screencast_stream_unstable_v1::Event::Failed { error } => {
                state.failed = Some(error);
            }
            zkde_screencast_stream_unstable_v1::Event::Closed => state.closed = true,
            _ => {}
        }
    }
}

impl Dispatch<WlRegistry, GlobalListContents> for State {
    fn event(
        state: &mut Self,
        registry: &WlRegistry,
        event: wl_registry::Event,
        _: &GlobalListContents,
        _: &Connection,
        handle: &QueueHandle<Self>,
    ) {
        state.outputs.registry_event(registry, event, handle);
    }
}

impl Dispatch<WlOutput, ()> for State {
    fn event(
        state: &mut Self,
        output: &WlOutput,
        event: wl_output::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        state.outputs.output_event(output, event);
    }
}

impl Dispatch<ZxdgOutputV1, ()> for State {
    fn event(
        state: &mut Self,
        output: &ZxdgOutputV1,
        event: zxdg_output_v1::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        state.outputs.logical_event(output, event);
    }
}

delegate_noop!(State: ZkdeScreencastUnstableV1);
delegate_noop!(State: ZxdgOutputManagerV1);
