//! Gamepads of clients as devices of this machine, made with uinput and uhid for the stream's user alone.
//!
//! One thread owns every device: it takes what clients did from the streams' mailboxes, and pumps what programs ask of a
//! pad (rumble, light, triggers) back to the client. Nothing here sees keys, pointers or pictures. Who may open a device is
//! decided by udev, from the owner that its name (uinput) or `phys` (uhid) tells.
mod device;
mod dualsense;
mod effects;
mod evdev_pad;
mod feedback;
mod keeper;
mod kind;
mod mailbox;
mod seat;
mod state;
#[cfg(test)]
pub(crate) mod tests;
mod uhid;

use crate::{
    ids::{ClientId, StreamId, Uid},
    net::wake::Wake,
};
pub use device::{Kernel, Maker};
use keeper::{Attachment, Command, Keeper};
pub use kind::{Choice, PadKind};
use mailbox::Mailbox;
use punktfunk_core::{control::HostMessage, input::InputEvent};
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Sender},
    },
};

/// Feature flag of DESCRIBE: controller touch and motion events are taken.
pub const FEATURE_TOUCH_AND_MOTION: u32 = 0x02;

/// A stream's client, as far as its pads have to do with it.
pub trait PadClient: Send + Sync {
    /// Its pads may act just now: permitted, and the session is not locked.
    fn may_play(&self) -> bool;
    /// The session that the pads belong to is still served; pads of a paused stream go with it.
    fn session_lives(&self) -> bool;
    /// Lost if the stream is over. Never blocks.
    fn tell(&self, message: HostMessage);
}

/// The pads of all streams. Dropping it takes every device away.
pub struct Gamepads {
    commands: Sender<Command>,
    wake: Arc<Wake>,
    touch_and_motion: bool,
}

impl Gamepads {
    /// Start the thread. Where this machine lets the service make no pads, the log says why, once, and all else goes on.
    ///
    /// # Errors
    /// A system that gives no eventfd or thread.
    pub fn spawn(maker: Box<dyn Maker>, choice: Choice) -> io::Result<Self> {
        let touch_and_motion = choice.has_touch_and_motion() && maker.check().touch_and_motion();
        let wake = Arc::new(Wake::new()?);
        let (commands, received) = mpsc::channel();
        let keeper = Keeper::new(maker, choice, received, Arc::clone(&wake));
        std::thread::Builder::new()
            .name("gamepads".into())
            .spawn(move || keeper.run())?;
        Ok(Self {
            commands,
            wake,
            touch_and_motion,
        })
    }

    /// Feature flags that clients may be told: only what is truly served.
    pub fn feature_flags(&self) -> u32 {
        if self.touch_and_motion {
            FEATURE_TOUCH_AND_MOTION
        } else {
            0
        }
    }

    /// A stream begins: pads that its client left paused go on.
    pub fn attach(
        &self,
        stream: StreamId,
        client: ClientId,
        owner: Uid,
        link: Arc<dyn PadClient>,
    ) -> PadPort {
        let mailbox = Arc::new(Mailbox::default());
        self.command(Command::Attach(Attachment {
            stream,
            client,
            owner,
            link,
            mailbox: Arc::clone(&mailbox),
        }));
        PadPort {
            stream,
            mailbox,
            commands: self.commands.clone(),
            wake: Arc::clone(&self.wake),
            detached: AtomicBool::new(false),
        }
    }

    /// Take away the pads that this client left paused.
    pub fn release(&self, client: &ClientId) {
        self.command(Command::Release(client.clone()));
    }

    fn command(&self, command: Command) {
        // A thread that is gone has taken its devices along.
        let _ = self.commands.send(command);
        self.wake.ring();
    }
}

impl Drop for Gamepads {
    fn drop(&mut self) {
        self.command(Command::Stop);
    }
}

/// One stream's way to its pads. Nothing here blocks.
pub struct PadPort {
    stream: StreamId,
    mailbox: Arc<Mailbox>,
    commands: Sender<Command>,
    wake: Arc<Wake>,
    detached: AtomicBool,
}

impl PadPort {
    /// Whether this event is for a gamepad.
    pub fn concerns(event: &InputEvent) -> bool {
        matches!(
            event,
            InputEvent::Controller(_)
                | InputEvent::ControllerArrival { .. }
                | InputEvent::ControllerTouch { .. }
                | InputEvent::ControllerMotion { .. }
                | InputEvent::ControllerBattery { .. }
        )
    }

    /// Whether this event says no more than which gamepads there are: it came, or it goes.
    pub fn only_tells(event: &InputEvent) -> bool {
        match event {
            InputEvent::ControllerArrival { .. } => true,
            InputEvent::Controller(state) => !state.is_connected(),
            _ => false,
        }
    }

    /// Pass an event on. The permission is looked at once more before it shows.
    pub fn push(&self, event: InputEvent) {
        self.mailbox.push(event);
        self.wake.ring();
    }

    /// The stream is over; said once. `keep`: its client may come back, and finds its pads as programs know them, at rest meanwhile.
    pub fn detach(&self, keep: bool) {
        if !self.detached.swap(true, Ordering::AcqRel) {
            let _ = self.commands.send(Command::Detach(self.stream, keep));
            self.wake.ring();
        }
    }
}

impl Drop for PadPort {
    fn drop(&mut self) {
        self.detach(true);
    }
}
