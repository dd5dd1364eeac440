//! The double on the bus: an offer, and `OpenStream`.

use crate::{
    behaviour::Behaviour,
    orders::{Order, Orders},
    stream::{Pictures, Stream},
};
use punktfunk_dbus::{
    channel::Endpoint,
    names::AGENT_PATH,
    open_stream::{AgentOffer, OpenStream, OpenedStream},
    proxies::Host1Proxy,
};
use std::{fs::File, os::fd::OwnedFd};
use zbus::{Connection, fdo, zvariant};

/// Makes the pictures of a stream, or says why it cannot.
pub type Open = dyn Fn(&OpenStream) -> Result<Box<dyn Pictures>, String> + Send + Sync;

/// What the double says of itself, and how it behaves.
pub struct Offer {
    /// The names of [`crate::Codec`].
    pub codecs: Vec<String>,
    /// Say that orders to invalidate references are obeyed.
    pub invalidates_refs: bool,
    /// Say that fingers and pens are taken.
    pub touch: bool,
    pub behaviour: Behaviour,
    /// See [`crate::stream::Stream`]: wait for the first order, as the contract has it.
    pub patient: bool,
    pub orders: Orders,
}

/// A registered double; it is gone from the bus when dropped. Its streams end with their channels.
pub struct AgentDouble {
    orders: Orders,
    _connection: Connection,
}

impl AgentDouble {
    /// Register for `session` on a connection of its own.
    ///
    /// # Errors
    /// The bus's or the service's refusal.
    pub async fn register(
        connection: Connection,
        session: &str,
        offer: Offer,
        open: impl Fn(&OpenStream) -> Result<Box<dyn Pictures>, String> + Send + Sync + 'static,
    ) -> zbus::Result<Self> {
        let words = AgentOffer {
            version: "0".into(),
            compositor: "double".into(),
            encoders: vec!["double".into()],
            codecs: offer.codecs.clone(),
            hdr: None,
            hdr_sources: None,
            chroma_444: None,
            hdr_chroma_444: None,
            invalidates_refs: Some(offer.invalidates_refs),
            touch: Some(offer.touch),
            replaces: None,
        };
        let orders = offer.orders.clone();
        let object = Object(Streams::new(offer, open));
        connection.object_server().at(AGENT_PATH, object).await?;
        let host = Host1Proxy::new(&connection).await?;
        host.register_agent(&AGENT_PATH.try_into()?, session, words)
            .await?;
        Ok(Self {
            orders,
            _connection: connection,
        })
    }

    pub fn orders(&self) -> &Orders {
        &self.orders
    }
}

/// What a double does with `OpenStream`, on the bus or without one.
pub struct Streams {
    open: Box<Open>,
    invalidates_refs: bool,
    behaviour: Behaviour,
    patient: bool,
    orders: Orders,
}

impl Streams {
    pub fn new(
        offer: Offer,
        open: impl Fn(&OpenStream) -> Result<Box<dyn Pictures>, String> + Send + Sync + 'static,
    ) -> Self {
        Self {
            open: Box::new(open),
            invalidates_refs: offer.invalidates_refs,
            behaviour: offer.behaviour,
            patient: offer.patient,
            orders: offer.orders,
        }
    }

    /// Begin a stream on a thread of its own; it ends with its channel.
    ///
    /// # Errors
    /// Why there are no pictures for it.
    pub fn begin(
        &self,
        options: OpenStream,
        ring: OwnedFd,
        channel: OwnedFd,
    ) -> Result<OpenedStream, String> {
        let pictures = (self.open)(&options)?;
        let opened = Order::Opened {
            codec: options.codec.clone(),
            width: options.width,
            height: options.height,
            fps: options.fps,
            kbps: options.bitrate_kbps,
        };
        self.orders.note(options.stream, opened);
        self.orders.wished(&options);
        let stream = Stream {
            options,
            ring: File::from(ring),
            channel: Endpoint::new(channel),
            pictures,
            behaviour: self.behaviour,
            patient: self.patient,
            orders: self.orders.clone(),
        };
        std::thread::spawn(move || stream.run());
        Ok(OpenedStream {
            encoder: "double".into(),
            source: "recording".into(),
            invalidates_refs: Some(self.invalidates_refs),
            hdr: None,
        })
    }
}

struct Object(Streams);

#[zbus::interface(name = "org.punktfunk.Agent1")]
impl Object {
    async fn open_stream(
        &self,
        options: OpenStream,
        ring: zvariant::OwnedFd,
        channel: zvariant::OwnedFd,
    ) -> fdo::Result<OpenedStream> {
        let opened = self.0.begin(options, ring.into(), channel.into());
        opened.map_err(fdo::Error::NotSupported)
    }

    #[zbus(property)]
    async fn version(&self) -> String {
        "0".into()
    }
}
