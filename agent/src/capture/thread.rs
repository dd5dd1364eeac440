//! The capture thread: connects, links (again, if need be), and copies each picture out.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use nix::time::{ClockId, clock_gettime};
use pipewire::{
    channel::Receiver,
    context::ContextRc,
    core::CoreRc,
    keys,
    loop_::Timeout,
    main_loop::MainLoopRc,
    properties::properties,
    spa::{
        buffer::{
            ChunkFlags, DataType,
            meta::{MetaHeader, MetaHeaderFlags},
        },
        param::ParamType,
        pod::Pod,
        utils::Direction,
    },
    stream::{Stream, StreamBox, StreamFlags, StreamListener, StreamState},
};

use super::{
    CaptureError, CaptureRequest, Remote, SETTLE_LIMIT,
    buffer::{self, BadBuffer, Chunk},
    format::{self, Negotiated},
};
use crate::source::{Picture, PictureSlot};

/// How often linking is tried, and how long each try may take to agree on a format.
const TRIES: u32 = 4;
const TRY_LIMIT: Duration = Duration::from_secs(4);
/// A pause before the next try: the session manager may be busy starting.
const PAUSE: Duration = Duration::from_millis(300);

type Started = mpsc::Sender<Result<(u32, u32), CaptureError>>;

/// What the callbacks tell the loop.
#[derive(Default)]
struct Shared {
    agreed: Cell<Option<Negotiated>>,
    /// The stream failed; it cannot be used again.
    stream_error: RefCell<Option<String>>,
    /// Nothing can be done any more.
    fatal: RefCell<Option<CaptureError>>,
}

/// The body of the thread. Sends exactly one answer into `started`; what happens later goes into the slot.
pub fn run(
    request: CaptureRequest,
    slot: &Arc<PictureSlot>,
    stop: &AtomicBool,
    woken: Receiver<()>,
    started: &Started,
) {
    let mut announced = false;
    let result = capture(request, slot, stop, woken, &mut |size| {
        announced = true;
        let _ = started.send(Ok(size));
    });
    if let Err(error) = result {
        if announced {
            tracing::warn!(%error, "capture ended");
            slot.fail(error.to_string());
        } else {
            let _ = started.send(Err(error));
        }
    }
}

fn capture(
    request: CaptureRequest,
    slot: &Arc<PictureSlot>,
    stop: &AtomicBool,
    woken: Receiver<()>,
    announce: &mut dyn FnMut((u32, u32)),
) -> Result<(), CaptureError> {
    let unanswered = |error: pipewire::Error| CaptureError::NoPipeWire(error.to_string());
    pipewire::init();
    let main_loop = MainLoopRc::new(None).map_err(unanswered)?;
    let context = ContextRc::new(&main_loop, None).map_err(unanswered)?;
    let core = match request.remote {
        Remote::Daemon => context.connect_rc(None),
        Remote::Portal(fd) => context.connect_fd_rc(fd, None),
    }
    .map_err(unanswered)?;
    let _woken = woken.attach(main_loop.loop_(), |()| {});

    let shared = Rc::new(Shared::default());
    let lost = Rc::clone(&shared);
    let _core_listener = core
        .add_listener_local()
        .error(move |id, _seq, _res, message| {
            // Errors of other objects reach the stream itself.
            if id == pipewire::core::PW_ID_CORE {
                lost.fatal
                    .replace(Some(CaptureError::ConnectionLost(message.to_owned())));
            }
        })
        .register();

    let mut why = String::from("no answer");
    for attempt in 1..=TRIES {
        // What the last try left behind (letting go of a stream reports it as gone) is not this one's.
        shared.stream_error.take();
        shared.agreed.set(None);
        let link = link(
            &core,
            request.node,
            (request.width, request.height, request.fps),
            request.settled,
            slot,
            &shared,
        )?;
        let since = Instant::now();
        let mut announced_size = None;
        while !stop.load(Ordering::Acquire) {
            main_loop
                .loop_()
                .iterate(Timeout::Finite(Duration::from_millis(250)));
            if let Some(error) = shared.fatal.take() {
                return Err(error);
            }
            if let Some(error) = shared.stream_error.take() {
                if announced_size.is_some() {
                    return Err(CaptureError::Ended(error));
                }
                why = error;
                break;
            }
            match shared.agreed.get() {
                Some(agreed) if announced_size.is_none() => {
                    announced_size = Some((agreed.width, agreed.height));
                    announce((agreed.width, agreed.height));
                }
                None if announced_size.is_none() && since.elapsed() > TRY_LIMIT => break,
                _ => {}
            }
        }
        drop(link);
        if stop.load(Ordering::Acquire) {
            return Ok(());
        }
        tracing::debug!(
            attempt,
            why,
            node = request.node,
            "no link to the node yet, again"
        );
        std::thread::sleep(PAUSE);
    }
    Err(if why == "no answer" {
        CaptureError::NoFormat(request.node)
    } else {
        CaptureError::NotLinked {
            node: request.node,
            why,
        }
    })
}

/// A stream and its callbacks; the listener goes before the stream.
struct Link<'core> {
    _listener: StreamListener<Consumer>,
    stream: StreamBox<'core>,
}

impl Drop for Link<'_> {
    fn drop(&mut self) {
        let _ = self.stream.disconnect();
    }
}

fn link<'core>(
    core: &'core CoreRc,
    node: u32,
    (width, height, fps): (u32, u32, u32),
    settled: Option<(u32, u32)>,
    slot: &Arc<PictureSlot>,
    shared: &Rc<Shared>,
) -> Result<Link<'core>, CaptureError> {
    let refused = |error: pipewire::Error| CaptureError::NotLinked {
        node,
        why: error.to_string(),
    };
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
    let consumer = Consumer {
        slot: Arc::clone(slot),
        shared: Rc::clone(shared),
        format: None,
        sequence: 0,
        complained: None,
        unsettled: settled.map(|size| (size, Instant::now() + SETTLE_LIMIT)),
    };
    let listener = stream
        .add_local_listener_with_user_data(consumer)
        .state_changed(|_, consumer, old, new| consumer.state_changed(&old, &new))
        .param_changed(|stream, consumer, id, param| {
            if id == ParamType::Format.as_raw() {
                consumer.format_changed(stream, param);
            }
        })
        .process(|stream, consumer| consumer.process(stream))
        .register()
        .map_err(refused)?;
    let offers = format::offers(width, height, fps);
    let mut pods: Vec<&Pod> = offers.iter().filter_map(|o| Pod::from_bytes(o)).collect();
    stream
        .connect(
            Direction::Input,
            Some(node),
            StreamFlags::AUTOCONNECT | StreamFlags::MAP_BUFFERS,
            &mut pods,
        )
        .map_err(refused)?;
    Ok(Link {
        _listener: listener,
        stream,
    })
}

/// The state of one stream's callbacks, all on the capture thread.
struct Consumer {
    slot: Arc<PictureSlot>,
    shared: Rc<Shared>,
    format: Option<Negotiated>,
    sequence: u64,
    /// The last complaint about a buffer, so that a broken producer does not fill the log.
    complained: Option<BadBuffer>,
    /// The size that is waited for, and until when; None once it came.
    unsettled: Option<((u32, u32), Instant)>,
}

impl Consumer {
    fn state_changed(&mut self, old: &StreamState, new: &StreamState) {
        tracing::debug!(?old, ?new, "capture stream");
        match new {
            StreamState::Error(error) => {
                self.shared.stream_error.replace(Some(error.clone()));
            }
            StreamState::Unconnected => {
                self.shared
                    .stream_error
                    .replace(Some("the node is gone".to_owned()));
            }
            _ => {}
        }
    }

    fn format_changed(&mut self, stream: &Stream, param: Option<&Pod>) {
        // Until the next format is agreed no buffer may be read with the old one.
        self.format = None;
        let Some(param) = param else { return };
        match format::negotiated(param) {
            Some(Ok(agreed)) => {
                tracing::info!(?agreed, "capture format");
                self.format = Some(agreed);
                let params = format::buffer_params();
                let mut pods: Vec<&Pod> =
                    params.iter().filter_map(|p| Pod::from_bytes(p)).collect();
                if let Err(error) = stream.update_params(&mut pods) {
                    self.shared.stream_error.replace(Some(error.to_string()));
                    return;
                }
                self.shared.agreed.set(Some(agreed));
            }
            Some(Err(error)) => {
                self.shared.fatal.replace(Some(error));
            }
            None => tracing::warn!("the producer set a format that was not offered"),
        }
    }

    /// Take the newest buffer; older ones go back unread.
    fn process(&mut self, stream: &Stream) {
        let Some(mut newest) = stream.dequeue_buffer() else {
            return;
        };
        while let Some(newer) = stream.dequeue_buffer() {
            newest = newer;
        }
        let Some(format) = self.format else { return };
        if let Some((size, until)) = self.unsettled {
            if size != (format.width, format.height) && Instant::now() < until {
                return;
            }
            self.unsettled = None;
        }
        let header = newest
            .find_meta::<MetaHeader>()
            .map(|header| (header.flags(), header.pts()));
        if header.is_some_and(|(flags, _)| flags.contains(MetaHeaderFlags::CORRUPTED)) {
            return;
        }
        let Some(data) = newest.datas_mut().first_mut() else {
            return;
        };
        if data.as_raw().chunk.is_null()
            || !matches!(data.type_(), DataType::MemFd | DataType::MemPtr)
        {
            return;
        }
        if data.chunk().flags().contains(ChunkFlags::CORRUPTED) {
            return;
        }
        let chunk = Chunk {
            offset: data.chunk().offset(),
            size: data.chunk().size(),
            stride: data.chunk().stride(),
        };
        let Some(bytes) = data.data() else { return };
        let mut picture = self.slot.buffer();
        match buffer::copy_picture(
            bytes,
            chunk,
            (format.width, format.height),
            format.order,
            &mut picture,
        ) {
            Ok(()) => {
                self.sequence += 1;
                self.slot.put(Picture {
                    width: format.width,
                    height: format.height,
                    stride: format.width as usize * 4,
                    data: picture,
                    dmabuf: None,
                    capture_ns: buffer::capture_time(header.map(|(_, pts)| pts), monotonic_ns()),
                    sequence: self.sequence,
                });
            }
            Err(bad) => {
                self.slot.recycle(picture);
                // A buffer without data carries news of the pointer only.
                if bad != BadBuffer::Empty && self.complained != Some(bad) {
                    tracing::warn!(%bad, ?format, "unusable buffer from the producer");
                    self.complained = Some(bad);
                }
            }
        }
    }
}

fn monotonic_ns() -> u64 {
    clock_gettime(ClockId::CLOCK_MONOTONIC)
        .map(|time| Duration::from(time).as_nanos() as u64)
        .unwrap_or_default()
}
