//! How a session is handed from its keeper's thread to the source that shows it.

use std::{
    future,
    os::fd::OwnedFd,
    sync::{Arc, mpsc},
    time::Duration,
};

use tokio::sync::oneshot;

use super::Opened;
use crate::{
    input::{self, Reconnect},
    source::{PictureSlot, SourceError},
};

/// A session that is open, as a keeper's thread hands it over.
pub struct HandedOver {
    pub opened: Opened,
    /// How another socket for its input is asked for, where there are any.
    pub reconnect: Option<Reconnect>,
    pub settling: Option<Settling>,
}

/// What a session does once its pictures come, as the source sees it: it is not there before that is done.
pub struct Settling {
    begin: oneshot::Sender<()>,
    done: mpsc::Receiver<Result<(), SourceError>>,
}

impl Settling {
    /// The first picture has come, or is not to be expected: what the session makes of it; `None` where it says nothing in time.
    pub fn pictures_come(self, limit: Duration) -> Option<Result<(), SourceError>> {
        let _ = self.begin.send(());
        self.done.recv_timeout(limit).ok()
    }
}

/// The same, as the session sees it.
pub struct Settle {
    begin: oneshot::Receiver<()>,
    done: mpsc::Sender<Result<(), SourceError>>,
}

impl Settle {
    /// Wait until the first picture has come, or is not to be expected.
    pub async fn pictures(&mut self) {
        if (&mut self.begin).await.is_err() {
            // The source was given up.
            future::pending().await
        }
    }

    /// What came of it. With an error there is no source.
    pub fn done(self, result: Result<(), SourceError>) {
        let _ = self.done.send(result);
    }
}

/// What a keeper's session calls once it is open, with how to learn that it should close.
pub struct Handover {
    opened: mpsc::Sender<Result<HandedOver, SourceError>>,
    settling: Option<Settling>,
    /// Where the end of the session is reported to.
    pub slot: Arc<PictureSlot>,
    close: oneshot::Receiver<()>,
}

/// What the source keeps of it: where the session comes out, and what closes it when it is dropped.
pub type Taken = (
    mpsc::Receiver<Result<HandedOver, SourceError>>,
    oneshot::Sender<()>,
);

impl Handover {
    /// For a session whose pictures go to `slot`.
    pub fn to(slot: Arc<PictureSlot>) -> (Self, Taken) {
        let (opened, answer) = mpsc::channel();
        let (close, closed) = oneshot::channel();
        let handover = Self {
            opened,
            settling: None,
            slot,
            close: closed,
        };
        (handover, (answer, close))
    }

    /// Where the thread of the session says that there is none.
    pub fn failure(&self) -> impl Fn(SourceError) + use<> {
        let opened = self.opened.clone();
        move |error| {
            let _ = opened.send(Err(error));
        }
    }

    /// Hand the opened session over, and wait until the source is dropped.
    pub async fn keep(self, opened: Opened) {
        let handed = HandedOver {
            opened,
            reconnect: None,
            settling: self.settling,
        };
        if self.opened.send(Ok(handed)).is_ok() {
            let _ = self.close.await;
        }
    }

    /// The session has something to do as soon as pictures come. To be called before it is handed over.
    pub fn settle(&mut self) -> Settle {
        let (begin, begun) = oneshot::channel();
        let (done, answer) = mpsc::channel();
        self.settling = Some(Settling {
            begin,
            done: answer,
        });
        Settle { begin: begun, done }
    }

    /// What `opening` answers; None where the source is given up meanwhile, so that nobody waits for it any more.
    pub async fn unless_given_up<T>(&mut self, opening: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            _ = &mut self.close => None,
            answer = opening => Some(answer),
        }
    }

    /// Hand the opened session over, and wait until the source is dropped or `ended` says that the other side closed it. Meanwhile
    /// `eis` gives further sockets for emulated input.
    pub async fn keep_until(
        self,
        opened: Opened,
        ended: impl Future<Output = String>,
        eis: impl AsyncFn() -> Result<OwnedFd, String>,
    ) {
        let (reconnect, requests) = input::reconnect();
        let handed = HandedOver {
            opened,
            reconnect: Some(reconnect),
            settling: self.settling,
        };
        if self.opened.send(Ok(handed)).is_err() {
            return;
        }
        tokio::select! {
            _ = self.close => {}
            reason = ended => self.slot.explain(reason),
            () = requests.serve(eis) => {}
        }
    }
}
