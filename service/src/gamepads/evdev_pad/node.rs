//! One device of /dev/uinput.
use super::{Asked, Layout, Node};
use crate::gamepads::{
    device::Identity,
    effects::{self, Effect},
};
use evdev::{
    AbsInfo, AttributeSet, BusType, EventSummary, FFEffectCode, FFEffectData, FFEffectKind,
    InputEvent, InputId, KeyCode, UInputCode, UinputAbsSetup, uinput::VirtualDevice,
};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
    time::Duration,
};

pub(in super::super) const PATH: &str = "/dev/uinput";

/// Bytes of a name that the kernel takes.
const NAME_MAX: usize = 78;
/// Told to the kernel, which accepts no other effect: the reader of effects relies on it.
const EFFECTS: [FFEffectCode; 6] = [
    FFEffectCode::FF_RUMBLE,
    FFEffectCode::FF_PERIODIC,
    FFEffectCode::FF_SQUARE,
    FFEffectCode::FF_TRIANGLE,
    FFEffectCode::FF_SINE,
    FFEffectCode::FF_GAIN,
];

pub(in super::super) struct KernelNode(VirtualDevice);

impl KernelNode {
    /// # Errors
    /// No such node, no permission, or the kernel's refusal.
    pub(in super::super) fn new(layout: &Layout, identity: &Identity) -> io::Result<Self> {
        let (vendor, product, version) = layout.id;
        // The crate's way to set `phys` is refused by every kernel (it asks with a wrong size), so the name says whose it is.
        let name = format!("{} ({})", layout.name, identity.phys());
        if name.len() > NAME_MAX {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let keys: AttributeSet<KeyCode> = layout.buttons.iter().map(|(key, _)| *key).collect();
        let feedback: AttributeSet<FFEffectCode> = EFFECTS.into_iter().collect();
        let mut builder = VirtualDevice::builder()?
            .name(&name)
            .input_id(InputId::new(BusType::BUS_USB, vendor, product, version))
            .with_keys(&keys)?
            .with_ff(&feedback)?
            .with_ff_effects_max(effects::SLOTS);
        for axis in &layout.axes {
            let info = AbsInfo::new(0, axis.range.0, axis.range.1, axis.fuzz, axis.flat, 0);
            builder = builder.with_absolute_axis(&UinputAbsSetup::new(axis.code, info))?;
        }
        let device = builder.build()?;
        fcntl(device.as_fd(), FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        Ok(Self(device))
    }
}

impl Node for KernelNode {
    fn emit(&mut self, events: &[InputEvent]) -> io::Result<()> {
        self.0.emit(events)
    }

    fn asked(&mut self) -> io::Result<Vec<Asked>> {
        let events: Vec<InputEvent> = match self.0.fetch_events() {
            Ok(events) => events.collect(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut asked = Vec::new();
        for event in events {
            match event.destructure() {
                EventSummary::UInput(event, UInputCode::UI_FF_UPLOAD, _) => {
                    // A program that is gone again has taken its request along.
                    let Ok(mut upload) = self.0.process_ff_upload(event) else {
                        continue;
                    };
                    upload.set_retval(0);
                    asked.push(Asked::Upload {
                        id: upload.effect_id(),
                        effect: effect(&upload.effect()),
                    });
                }
                EventSummary::UInput(event, UInputCode::UI_FF_ERASE, _) => {
                    let Ok(mut erase) = self.0.process_ff_erase(event) else {
                        continue;
                    };
                    erase.set_retval(0);
                    if let Ok(id) = i16::try_from(erase.effect_id()) {
                        asked.push(Asked::Erase { id });
                    }
                }
                EventSummary::ForceFeedback(_, FFEffectCode::FF_GAIN, gain) => {
                    asked.push(Asked::Gain(gain));
                }
                EventSummary::ForceFeedback(_, FFEffectCode(id), count) => {
                    if let Ok(id) = i16::try_from(id) {
                        asked.push(Asked::Play { id, count });
                    }
                }
                _ => {}
            }
        }
        Ok(asked)
    }

    fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Both motors' strengths; a periodic effect shakes both by its peak, as the kernel has it for pads with two motors.
fn effect(data: &FFEffectData) -> Effect {
    let (strong, weak) = match data.kind {
        FFEffectKind::Rumble {
            strong_magnitude,
            weak_magnitude,
        } => (strong_magnitude, weak_magnitude),
        FFEffectKind::Periodic { magnitude, .. } => {
            let peak = magnitude.unsigned_abs().saturating_mul(2);
            (peak, peak)
        }
        _ => (0, 0),
    };
    Effect {
        strong,
        weak,
        length: Duration::from_millis(data.replay.length.into()),
        delay: Duration::from_millis(data.replay.delay.into()),
    }
}
