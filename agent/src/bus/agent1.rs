//! The interface that the service calls.

use super::{applications, inhibition::Inhibitions};
use crate::{
    apps::{Applications, Runner, Shape},
    encode::Choice,
    life::Facts,
    source::{self, gamescope},
    stream::{self, Stream, StreamError, Surroundings},
};
use punktfunk_dbus::{
    applications::ApplicationEntry,
    names::BUS_NAME,
    open_stream::{OpenStream, OpenedStream},
};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;
use zbus::{fdo, message::Header, names::BusName, object_server::SignalEmitter, zvariant::OwnedFd};

/// Streams that one agent runs at a time.
const MAX_STREAMS: usize = 8;

/// The streams of this agent, shared between the interface and the end of the program.
#[derive(Clone, Default)]
pub struct Streams {
    running: Arc<Mutex<Vec<Stream>>>,
}

impl Streams {
    /// Keep a stream; the ones that have ended are let go of first.
    fn keep(&self, stream: Stream) -> Result<(), fdo::Error> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|stream| !stream.ended());
        if running.len() >= MAX_STREAMS {
            return Err(fdo::Error::LimitsExceeded(format!(
                "this session already has {MAX_STREAMS} streams"
            )));
        }
        running.push(stream);
        Ok(())
    }

    /// Whether anything is streamed.
    pub fn any(&self) -> bool {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.iter().any(|stream| !stream.ended())
    }

    /// Stop them all and wait until they have.
    pub fn stop(&self) {
        let streams =
            std::mem::take(&mut *self.running.lock().unwrap_or_else(PoisonError::into_inner));
        // all at once, then one after the other
        streams.iter().for_each(Stream::stop);
        drop(streams);
    }
}

/// `org.punktfunk.Agent1`.
pub struct Agent1 {
    streams: Streams,
    applications: Applications,
    runner: Runner,
    session: watch::Receiver<Facts>,
    inhibitions: Inhibitions,
    encoder: Choice,
}

impl Agent1 {
    /// `encoder`: which one streams may get.
    pub fn new(
        streams: Streams,
        applications: Applications,
        runner: Runner,
        session: watch::Receiver<Facts>,
        inhibitions: Inhibitions,
        encoder: Choice,
    ) -> Self {
        Self {
            streams,
            applications,
            runner,
            session,
            inhibitions,
            encoder,
        }
    }
}

/// Whether a stream's application is in a gamescope of its own.
#[derive(Clone, Copy)]
enum Nested {
    No,
    /// For an earlier stream.
    Already,
    Started,
}

impl Agent1 {
    /// An application in a gamescope comes before its source, and decides it.
    async fn nest(&self, options: &mut OpenStream, shape: Shape) -> Result<Nested, String> {
        let source = source::choose(&options.source, &options.compositor)
            .map_err(|error| error.to_string())?;
        let all = source == gamescope::NAME;
        if options.app == 0 || !self.runner.nests(options.app, all).await? {
            return Ok(Nested::No);
        }
        options.source = gamescope::NAME.to_owned();
        match self.runner.start_nested(options.app, shape).await? {
            true => Ok(Nested::Started),
            false => Ok(Nested::Already),
        }
    }
}

#[zbus::interface(name = "org.punktfunk.Agent1")]
impl Agent1 {
    /// Produce a stream into `ring`, announced on `channel`. Only the owner of the service's name may ask.
    async fn open_stream(
        &self,
        mut options: OpenStream,
        ring: OwnedFd,
        channel: OwnedFd,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &zbus::Connection,
    ) -> fdo::Result<OpenedStream> {
        must_be_service(connection, &header).await?;
        let app = options.app;
        let shape = Shape {
            width: options.width,
            height: options.height,
            fps: options.fps,
        };
        let nested = self.nest(&mut options, shape).await.map_err(|why| {
            tracing::warn!(app, "no stream: {why}");
            fdo::Error::Failed(why)
        })?;
        let around = Surroundings {
            encoder: self.encoder,
            session: self.session.clone(),
            inhibited: Some(self.inhibitions.hold(connection).await),
        };
        let opened = stream::open(options, ring.into(), channel.into(), around)
            .await
            .map_err(|error| {
                tracing::warn!("no stream: {error}");
                refusal(&error)
            })
            .and_then(|(stream, opened)| self.streams.keep(stream).map(|()| opened));
        match (&opened, nested) {
            (Ok(_), Nested::No) if app != 0 => self.runner.start(app, shape),
            // Nobody would see it.
            (Err(_), Nested::Started) => {
                let runner = self.runner.clone();
                tokio::spawn(async move { runner.stop(app).await });
            }
            _ => {}
        }
        opened
    }

    /// What the user publishes.
    async fn list_applications(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &zbus::Connection,
    ) -> fdo::Result<Vec<ApplicationEntry>> {
        must_be_service(connection, &header).await?;
        Ok(applications::listed(&*self.applications.read().await))
    }

    /// The picture of one application.
    async fn application_picture(
        &self,
        app: u32,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &zbus::Connection,
    ) -> fdo::Result<Vec<u8>> {
        must_be_service(connection, &header).await?;
        let png = self.applications.picture(app).await;
        png.ok_or_else(|| fdo::Error::InvalidArgs(format!("there is no application {app}")))
    }

    /// What runs.
    async fn running_applications(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &zbus::Connection,
    ) -> fdo::Result<Vec<u32>> {
        must_be_service(connection, &header).await?;
        Ok(self.runner.running())
    }

    /// End an application.
    async fn stop_application(
        &self,
        app: u32,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &zbus::Connection,
    ) -> fdo::Result<()> {
        must_be_service(connection, &header).await?;
        self.runner.stop(app).await;
        Ok(())
    }

    /// Sent to the service alone: see [`applications::tell`].
    #[zbus(signal)]
    pub(super) async fn application_ended(
        emitter: &SignalEmitter<'_>,
        app: u32,
        status: i32,
        reason: &str,
    ) -> zbus::Result<()>;
}

/// The bus itself is asked who the service is, on each call.
async fn must_be_service(connection: &zbus::Connection, header: &Header<'_>) -> fdo::Result<()> {
    let service = BusName::try_from(BUS_NAME).map_err(zbus::Error::from)?;
    let owner = fdo::DBusProxy::new(connection)
        .await?
        .get_name_owner(service)
        .await
        .ok();
    match (owner, header.sender()) {
        (Some(owner), Some(sender)) if owner.as_str() == sender.as_str() => Ok(()),
        _ => Err(fdo::Error::AccessDenied(format!(
            "only the owner of {BUS_NAME} may ask"
        ))),
    }
}

fn refusal(error: &StreamError) -> fdo::Error {
    let text = error.to_string();
    match error {
        StreamError::Options(_) | StreamError::Ring(_) | StreamError::Sound(_) => {
            fdo::Error::InvalidArgs(text)
        }
        StreamError::Encode(_) => fdo::Error::NotSupported(text),
        _ => fdo::Error::Failed(text),
    }
}
