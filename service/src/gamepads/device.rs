//! What a pad of this machine is to the rest: something that shows a state and says what programs want. And who makes it.
use super::{
    dualsense::DualSense,
    evdev_pad::{self, EvdevPad},
    feedback::Wishes,
    kind::{Arrival, PadKind},
    state::PadState,
    uhid::{self, Uhid},
};
use crate::ids::{StreamId, Uid};
use std::{fs::OpenOptions, io, os::fd::BorrowedFd, time::Instant};

/// Whose pad it is. udev reads the owner from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    pub owner: Uid,
    /// The stream that brought it; a resumed one keeps its predecessor's name.
    pub stream: StreamId,
    /// The client's number for it.
    pub pad: u8,
    /// Counts all pads of this service.
    pub serial: u32,
}

impl Identity {
    /// `punktfunk/UID/STREAM/PAD`, as 72-punktfunk.rules expects it.
    pub(super) fn phys(&self) -> String {
        format!("punktfunk/{}/{}/{}", self.owner, self.stream, self.pad)
    }

    /// A locally administered address: drivers refuse two pads with one.
    pub(super) fn address(&self) -> [u8; 6] {
        let [_, a, b, c] = self.serial.to_be_bytes();
        [0x02, 0x70, 0x66, a, b, c]
    }
}

/// A device in being; it goes when this is dropped.
pub trait PadDevice: Send {
    /// Programs see this state from now on.
    fn show(&mut self, state: &PadState, now: Instant) -> io::Result<()>;
    /// Answer the kernel and do what is due by now; what programs want that is new.
    fn serve(&mut self, now: Instant) -> io::Result<Wishes>;
    /// When it wants to be served though nobody asks.
    fn due(&self, now: Instant) -> Option<Instant>;
    /// Readable when the kernel asks something.
    fn fd(&self) -> BorrowedFd<'_>;
}

/// Makes pads. The kernel in the service; a double in tests.
pub trait Maker: Send {
    /// Whether this machine lets the service make pads.
    fn check(&self) -> Check;
    /// # Errors
    /// No node, no permission, no room.
    fn make(
        &mut self,
        kind: PadKind,
        arrival: Option<&Arrival>,
        identity: &Identity,
        now: Instant,
    ) -> io::Result<Box<dyn PadDevice>>;
}

/// What can be made: through /dev/uinput (Xbox, Switch) and through /dev/uhid (DualSense).
pub struct Check {
    pub uinput: io::Result<()>,
    pub uhid: io::Result<()>,
}

impl Check {
    pub(super) fn touch_and_motion(&self) -> bool {
        self.uhid.is_ok()
    }

    /// One line for each thing that is missing, with what to do about it.
    pub(super) fn complain(&self) {
        for (path, module, pads, outcome) in [
            (evdev_pad::PATH, "uinput", "gamepads", &self.uinput),
            (
                uhid::PATH,
                "uhid",
                "DualSense pads (touch, motion)",
                &self.uhid,
            ),
        ] {
            let Err(error) = outcome else { continue };
            let remedy = match error.kind() {
                io::ErrorKind::NotFound => format!("load the module: modprobe {module}"),
                _ => "install 72-punktfunk.rules and run: udevadm control --reload; udevadm trigger --subsystem-match=misc".to_owned(),
            };
            tracing::warn!(
                "{path}: {error}: clients get no {pads}. To change that, {remedy}; then restart punktfunk"
            );
        }
    }
}

/// The real thing.
pub struct Kernel;

impl Maker for Kernel {
    fn check(&self) -> Check {
        let open = |path| {
            OpenOptions::new()
                .read(true)
                .write(true)
                .open(path)
                .map(drop)
        };
        Check {
            uinput: open(evdev_pad::PATH),
            uhid: open(uhid::PATH),
        }
    }

    fn make(
        &mut self,
        kind: PadKind,
        arrival: Option<&Arrival>,
        identity: &Identity,
        now: Instant,
    ) -> io::Result<Box<dyn PadDevice>> {
        Ok(match kind {
            PadKind::DualSense => Box::new(DualSense::new(Uhid::open()?, identity, now)?),
            PadKind::Xbox | PadKind::Switch => {
                let layout = evdev_pad::layout(kind, arrival.map_or(0, |arrival| arrival.buttons));
                let node = evdev_pad::KernelNode::new(&layout, identity)?;
                Box::new(EvdevPad::new(layout, node))
            }
        })
    }
}
