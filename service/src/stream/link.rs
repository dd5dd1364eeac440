//! What the other parts of the service hold of a running stream: ways to tell it something, and its figures.
use super::{
    StopReason,
    media::Command,
    permits::{InputKind, Permits},
    requests::Requests,
    shown::Shown,
    statistics::{Statistics, add},
};
use crate::{
    gamepads::PadPort,
    ids::StreamId,
    net::{control::Outbox, wake::Wake},
};
use punktfunk_core::{control::HostMessage, input::InputEvent};
use punktfunk_dbus::channel::{
    Endpoint,
    message::{Held, SourceState},
};
use std::{
    net::{SocketAddr, UdpSocket},
    sync::{Arc, OnceLock, mpsc::Sender},
};
use tokio::sync::mpsc::UnboundedSender;

/// What the actor is told. Each can happen a few times in a stream's life, so the queue needs no bound.
#[derive(Debug)]
pub(super) enum Happening {
    VideoPing(SocketAddr),
    AudioPing(SocketAddr),
    ControlUp,
    /// The first frame of the stream, or of the session that it was handed over to.
    FirstFrame,
    /// The agent hung up.
    SourceLost,
    /// Whether the client may watch log-in screens was changed.
    Greeter(bool),
    /// The agent's word on its pictures, and why.
    Source(SourceState, String),
    End(StopReason),
}

/// Shared by the planes, the media thread and the actor.
pub struct StreamLink {
    id: StreamId,
    statistics: Arc<Statistics>,
    permits: Permits,
    /// The session, and our end of the channel to its agent.
    shown: Arc<Shown>,
    commands: Sender<Command>,
    wake: Arc<Wake>,
    happenings: UnboundedSender<Happening>,
    /// What the client is going to be told.
    outbox: Outbox,
    /// What the client wants of the picture.
    pub(super) requests: Requests,
    /// Where its gamepads are; set before the client can connect.
    pub(super) pads: OnceLock<PadPort>,
}

impl StreamLink {
    pub(super) fn new(
        id: StreamId,
        shown: Arc<Shown>,
        commands: Sender<Command>,
        wake: Arc<Wake>,
        happenings: UnboundedSender<Happening>,
        outbox: Outbox,
        permits: Permits,
    ) -> Self {
        Self {
            id,
            statistics: Arc::default(),
            permits,
            shown,
            commands,
            wake,
            happenings,
            outbox,
            requests: Requests::default(),
            pads: OnceLock::new(),
        }
    }

    pub fn id(&self) -> StreamId {
        self.id
    }

    pub fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// Where input goes, and the number of the session that this is: input that waits for another one is not for it.
    pub fn endpoint(&self) -> (u64, Arc<Endpoint>) {
        self.shown.endpoint()
    }

    /// May see the lock screen.
    pub(super) fn lock_screen(&self) -> bool {
        self.permits.lock_screen()
    }

    pub(super) fn shown(&self) -> &Arc<Shown> {
        &self.shown
    }

    /// What may be pressed in the session now.
    pub fn may_press(&self) -> Held {
        self.permits.input()
    }

    /// Whether an input event of this kind may go where it belongs now.
    pub fn may(&self, kind: InputKind) -> bool {
        match kind {
            InputKind::Pointer => self.may_press().pointer,
            InputKind::Keyboard => self.may_press().keyboard,
            InputKind::Gamepad => self.may_play(),
        }
    }

    /// Whether its gamepads may act now.
    pub(crate) fn may_play(&self) -> bool {
        self.permits.gamepad()
    }

    /// Pass on what the client did with a gamepad. `false`: it may not; then only which gamepads it has is remembered.
    pub fn gamepad(&self, event: InputEvent) -> bool {
        let allowed = self.may_play();
        if let Some(pads) = self.pads.get()
            && (allowed || PadPort::only_tells(&event))
        {
            pads.push(event);
        }
        allowed
    }

    pub(super) fn may_hear(&self) -> bool {
        self.permits.audio()
    }

    /// Whether it may show a log-in screen from now on.
    pub(super) fn set_greeter(&self, allowed: bool) {
        self.happened(Happening::Greeter(allowed));
    }

    /// What is pressed with a permission that is taken away is let go by the control plane, within its next turn.
    pub(super) fn set_permissions(&self, words: &[String]) {
        let before = self.permits.lock_screen();
        self.permits.set(words);
        let visible = self.permits.lock_screen();
        if visible != before {
            self.command(Command::LockScreen(visible));
        }
    }

    /// Ask the agent for a key frame; requests that come together are one.
    pub fn request_key_frame(&self) {
        if !self.requests.key_frame() {
            add(&self.statistics.idr_coalesced, 1);
        }
        self.wake.ring();
    }

    /// The client lost frames `first..=last` and discards what follows until its picture restarts.
    pub fn references_lost(&self, first: u32, last: u32) {
        self.requests.lost(first, last);
        self.wake.ring();
    }

    /// Tell the client something: rumble, a colour, a rate, HDR. Kept until it is connected; of messages that set the
    /// same thing the newest counts. Never blocks.
    pub fn tell(&self, message: HostMessage) {
        self.outbox.put(message);
    }

    pub(crate) fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// The client's control connection is up.
    pub fn control_up(&self) {
        self.command(Command::ControlUp);
        self.happened(Happening::ControlUp);
    }

    /// The client's video (or audio) is to go to `destination`, by way of `socket`.
    pub(super) fn video_socket(&self, socket: UdpSocket, destination: SocketAddr) {
        self.command(Command::Video(socket));
        self.happened(Happening::VideoPing(destination));
    }

    pub(super) fn audio_socket(&self, socket: UdpSocket, destination: SocketAddr) {
        self.command(Command::Audio(socket));
        self.happened(Happening::AudioPing(destination));
    }

    /// End the stream. The first reason counts.
    pub fn end(&self, reason: StopReason) {
        self.happened(Happening::End(reason));
    }

    pub(super) fn command(&self, command: Command) {
        // A thread that is gone needs no commands.
        let _ = self.commands.send(command);
        self.wake.ring();
    }

    pub(super) fn happened(&self, happening: Happening) {
        // An actor that is gone has ended the stream.
        let _ = self.happenings.send(happening);
    }
}
