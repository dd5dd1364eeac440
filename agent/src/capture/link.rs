//! A stream of pictures, what its callbacks tell, and who links it to the producer's node.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use pipewire::{
    core::CoreRc,
    keys,
    properties::properties,
    spa::{param::ParamType, pod::Pod, utils::Direction},
    stream::{Stream, StreamBox, StreamFlags, StreamListener, StreamState},
};

use super::{
    CaptureError,
    consumer::{Answer, Consumer},
    format::Negotiated,
};

/// PipeWire's word for "none yet".
const NO_ID: u32 = u32::MAX;

/// What the callbacks tell the loop.
#[derive(Default)]
pub struct Shared {
    pub agreed: Cell<Option<Negotiated>>,
    /// Another word on whether pictures are wanted.
    pub active: Cell<Option<bool>>,
    /// Numbers of GPU memory that came back.
    pub returned: RefCell<Vec<u64>>,
    /// The stream failed; it cannot be used again.
    pub stream_error: RefCell<Option<String>>,
    /// Nothing can be done any more.
    pub fatal: RefCell<Option<CaptureError>>,
}

/// Who makes the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// As is usual.
    SessionManager,
    /// A session manager that is busy, stuck or gone links nothing.
    Us,
}

/// A stream and its callbacks; the listener goes before the stream.
pub struct Link<'core> {
    pub consumer: Rc<RefCell<Consumer>>,
    _listener: StreamListener<()>,
    pub stream: StreamBox<'core>,
    core: &'core CoreRc,
    node: u32,
    /// Goes with its handle.
    made: Option<pipewire::link::Link>,
    to_make: bool,
}

impl Link<'_> {
    /// Do what is due, after the numbers of GPU memory in `returned` have come back.
    pub fn advance(&self, returned: &mut Vec<u64>) {
        let mut consumer = self.consumer.borrow_mut();
        for memory in returned.drain(..) {
            consumer.pool().returned(&self.stream, memory);
        }
        if consumer.due_in().is_some_and(|due| due.is_zero()) {
            consumer.advance(&self.stream);
        }
    }

    /// Make the link, where nobody else does, as soon as both ends are there.
    pub fn make(&mut self) -> Result<(), CaptureError> {
        let here = self.stream.node_id();
        if !self.to_make || here == NO_ID {
            return Ok(());
        }
        self.to_make = false;
        let ends = properties! {
            *keys::LINK_OUTPUT_NODE => self.node.to_string(),
            *keys::LINK_INPUT_NODE => here.to_string(),
        };
        // A link that is refused comes to nothing within the time for it, as one that nobody makes.
        let made = self.core.create_object("link-factory", &ends);
        self.made = Some(made.map_err(|error| not_linked(self.node, &error))?);
        Ok(())
    }

    /// Offer other formats than before.
    pub fn offer(&self, offers: &[Vec<u8>], shared: &Shared) {
        update(&self.stream, offers, shared);
    }
}

fn not_linked(node: u32, error: &pipewire::Error) -> CaptureError {
    CaptureError::NotLinked {
        node,
        why: error.to_string(),
    }
}

impl Drop for Link<'_> {
    fn drop(&mut self) {
        let _ = self.stream.disconnect();
    }
}

/// Tell PipeWire other parameters; never while the consumer is borrowed, it may call back.
fn update(stream: &Stream, params: &[Vec<u8>], shared: &Shared) {
    let mut pods: Vec<&Pod> = params.iter().filter_map(|p| Pod::from_bytes(p)).collect();
    if let Err(error) = stream.update_params(&mut pods) {
        shared.stream_error.replace(Some(error.to_string()));
    }
}

/// A stream that takes pictures of `node` in one of the formats of `offers`.
///
/// # Errors
/// PipeWire takes no stream.
pub fn link<'core>(
    core: &'core CoreRc,
    (node, by): (u32, By),
    offers: &[Vec<u8>],
    consumer: Consumer,
    shared: &Rc<Shared>,
) -> Result<Link<'core>, CaptureError> {
    let refused = |error: pipewire::Error| not_linked(node, &error);
    let stream = StreamBox::new(
        core,
        "punktfunk-capture",
        properties! {
            *keys::MEDIA_TYPE => "Video",
            *keys::MEDIA_CATEGORY => "Capture",
            *keys::MEDIA_ROLE => "Screen",
            // Without these the session manager would link whatever else it has, a camera for instance, once the
            // compositor's node is gone.
            *keys::NODE_DONT_RECONNECT => "true",
            "node.dont-fallback" => "true",
        },
    )
    .map_err(refused)?;
    let consumer = Rc::new(RefCell::new(consumer));
    let (changing, adding, removing, processing) = (
        Rc::clone(&consumer),
        Rc::clone(&consumer),
        Rc::clone(&consumer),
        Rc::clone(&consumer),
    );
    let (states, formats) = (Rc::clone(shared), Rc::clone(shared));
    let listener = stream
        .add_local_listener::<()>()
        .state_changed(move |_, (), old, new| states.state_changed(&old, &new))
        .param_changed(move |stream, (), id, param| {
            if id == ParamType::Format.as_raw() {
                let answer = changing.borrow_mut().format_changed(stream, param);
                formats.format_changed(stream, answer);
            }
        })
        .add_buffer(move |_, (), buffer| adding.borrow_mut().pool().added(buffer))
        .remove_buffer(move |_, (), buffer| removing.borrow_mut().pool().removed(buffer))
        .process(move |stream, ()| processing.borrow_mut().process(stream))
        .register()
        .map_err(refused)?;
    let mut pods: Vec<&Pod> = offers.iter().filter_map(|o| Pod::from_bytes(o)).collect();
    // Buffers are not mapped: what the producer does to its memory must not kill this process.
    stream
        .connect(
            Direction::Input,
            Some(node),
            match by {
                By::SessionManager => StreamFlags::AUTOCONNECT,
                By::Us => StreamFlags::empty(),
            },
            &mut pods,
        )
        .map_err(refused)?;
    Ok(Link {
        consumer,
        _listener: listener,
        stream,
        core,
        node,
        made: None,
        to_make: by == By::Us,
    })
}

impl Shared {
    fn state_changed(&self, old: &StreamState, new: &StreamState) {
        tracing::debug!(?old, ?new, "capture stream");
        match new {
            StreamState::Error(error) => {
                self.stream_error.replace(Some(error.clone()));
            }
            StreamState::Unconnected => self.node_is_gone(),
            _ => {}
        }
    }

    pub fn node_is_gone(&self) {
        (self.stream_error.borrow_mut()).get_or_insert_with(|| "the node is gone".to_owned());
    }

    /// Answer a format with the buffers that are wanted.
    fn format_changed(&self, stream: &Stream, answer: Result<Option<Answer>, CaptureError>) {
        match answer {
            Ok(Some(Answer { params, agreed })) => {
                update(stream, &params, self);
                if agreed.is_some() {
                    self.agreed.set(agreed);
                }
            }
            Ok(None) => {}
            Err(error) => {
                self.fatal.replace(Some(error));
            }
        }
    }
}
