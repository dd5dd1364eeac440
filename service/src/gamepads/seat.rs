//! The pads of one client: which there are, what they show, and what its stream may do with them.
use super::{
    PadClient,
    device::{Identity, Maker, PadDevice},
    feedback::{Feedback, Wishes},
    keeper::Attachment,
    kind::{Arrival, Choice, PadKind, capability},
    state::PadState,
};
use crate::ids::{ClientId, StreamId, Uid};
use punktfunk_core::{control::HostMessage, input::InputEvent, input::MotionSensor};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Pads of one stream: what the wire can number.
pub(super) const PADS: usize = 16;
/// Motion reports that a client is asked for, each second and sensor.
const MOTION_HZ: u16 = 100;

/// Makes devices, within the machine's bounds.
pub(super) struct Workshop {
    pub maker: Box<dyn Maker>,
    pub choice: Choice,
    /// Pads that may still be made.
    pub room: usize,
    pub serial: u32,
}

pub(super) struct Seat {
    pub client: ClientId,
    pub owner: Uid,
    /// The running stream; without one the pads wait for the client to come back.
    pub attached: Option<Attachment>,
    paused_at: Option<Instant>,
    /// The client of the latest stream.
    link: Arc<dyn PadClient>,
    /// The stream that the pads are named after.
    named: StreamId,
    pads: [Slot; PADS],
    playing: bool,
}

#[derive(Default)]
struct Slot {
    arrival: Option<Arrival>,
    pad: Option<Pad>,
}

struct Pad {
    kind: PadKind,
    /// `None`: it could not be made. Nobody tries again until the client plugs it in anew.
    device: Option<Box<dyn PadDevice>>,
    state: PadState,
    feedback: Feedback,
}

/// What the client of the running stream is to be told.
pub(super) type Messages = Vec<HostMessage>;

impl Seat {
    pub(super) fn new(attachment: Attachment) -> Self {
        Self {
            client: attachment.client.clone(),
            owner: attachment.owner,
            named: attachment.stream,
            link: Arc::clone(&attachment.link),
            attached: Some(attachment),
            paused_at: None,
            pads: Default::default(),
            playing: false,
        }
    }

    /// The client is back, with a new stream.
    pub(super) fn resume(&mut self, attachment: Attachment, now: Instant) {
        self.pause(now);
        self.link = Arc::clone(&attachment.link);
        (self.attached, self.paused_at) = (Some(attachment), None);
    }

    /// The client is gone for now: programs keep their pads, at rest.
    pub(super) fn pause(&mut self, now: Instant) {
        self.rest(now);
        for pad in self.pads.iter_mut().filter_map(|slot| slot.pad.as_mut()) {
            pad.feedback.forget();
        }
        (self.attached, self.paused_at) = (None, Some(now));
    }

    /// Nobody will come back for these pads: it has been too long, or their session is over.
    pub(super) fn is_forsaken(&self, now: Instant, patience: Duration) -> bool {
        self.paused_at.is_some_and(|since| {
            now.saturating_duration_since(since) >= patience || !self.link.session_lives()
        })
    }

    /// Look at the permission again, take what the client did, and say what it must be told.
    pub(super) fn work(&mut self, workshop: &mut Workshop, now: Instant) -> Messages {
        let Some((may_play, events)) = self.attached.as_ref().map(|stream| {
            let may_play = self.link.may_play();
            (may_play, stream.mailbox.take())
        }) else {
            return Messages::new();
        };
        let mut messages = Messages::new();
        match (std::mem::replace(&mut self.playing, may_play), may_play) {
            (true, false) => {
                messages.extend(self.rest(now));
                messages.extend(self.motion(0));
            }
            (false, true) => messages.extend(self.motion(MOTION_HZ)),
            _ => {}
        }
        for event in events {
            self.take(event, workshop, now, &mut messages);
        }
        messages
    }

    fn take(
        &mut self,
        event: InputEvent,
        workshop: &mut Workshop,
        now: Instant,
        messages: &mut Messages,
    ) {
        match event {
            InputEvent::ControllerArrival {
                controller,
                kind,
                capabilities,
                buttons,
            } => {
                let arrival = Arrival {
                    kind,
                    capabilities,
                    buttons,
                };
                if let Some(slot) = self.pads.get_mut(usize::from(controller)) {
                    slot.arrival = Some(arrival);
                    let wanted = workshop.choice.pad_for(Some(&arrival));
                    // A pad of another kind, or one that could not be made, is made anew.
                    if slot
                        .pad
                        .as_ref()
                        .is_some_and(|pad| pad.kind != wanted || pad.device.is_none())
                    {
                        slot.unplug(workshop);
                    }
                }
                if self.playing {
                    self.plug(controller, workshop, now, messages);
                }
            }
            InputEvent::Controller(state) => {
                let number = state.controller;
                // Only its own bit: packets of different pads overtake each other, and so another pad's can be out of date.
                if !state.is_connected() {
                    if let Some(slot) = self.pads.get_mut(usize::from(number)) {
                        slot.unplug(workshop);
                        slot.arrival = None;
                    }
                } else if self.playing {
                    self.plug(number, workshop, now, messages);
                    self.change(number, now, |pad| pad.controls = state);
                }
            }
            InputEvent::ControllerTouch {
                controller,
                event,
                // A second touchpad has no place on a DualSense.
                touchpad: 0,
                pointer,
                x,
                y,
                ..
            } => self.change(controller, now, |pad| pad.touch(event, pointer, x, y)),
            InputEvent::ControllerMotion {
                controller,
                sensor,
                x,
                y,
                z,
            } => self.change(controller, now, |pad| pad.moved(sensor, [x, y, z])),
            InputEvent::ControllerBattery {
                controller,
                state,
                percent,
            } => self.change(controller, now, |pad| pad.charge(state, percent)),
            _ => {}
        }
    }

    /// The pad is there from now on.
    fn plug(&mut self, number: u8, workshop: &mut Workshop, now: Instant, messages: &mut Messages) {
        let identity = Identity {
            owner: self.owner,
            stream: self.named,
            pad: number,
            serial: workshop.serial,
        };
        let Some(slot) = self.pads.get_mut(usize::from(number)) else {
            return;
        };
        if slot.pad.is_some() {
            return;
        }
        slot.pad = Some(workshop.build(slot.arrival.as_ref(), &identity, now));
        messages.extend(slot.motion(number, MOTION_HZ));
    }

    fn change(&mut self, number: u8, now: Instant, change: impl FnOnce(&mut PadState)) {
        if !self.playing {
            return;
        }
        let slot = self.pads.get_mut(usize::from(number));
        if let Some(pad) = slot.and_then(|slot| slot.pad.as_mut()) {
            change(&mut pad.state);
            pad.show(now);
        }
    }

    /// Let go of everything, and still the motors.
    fn rest(&mut self, now: Instant) -> Messages {
        let mut messages = Messages::new();
        for (number, slot) in (0_u16..).zip(&mut self.pads) {
            if let Some(pad) = &mut slot.pad {
                pad.state.release();
                pad.show(now);
                messages.extend(pad.feedback.quiet(number, now));
            }
        }
        self.playing = false;
        messages
    }

    fn motion(&self, rate: u16) -> Messages {
        let slots = (0_u8..).zip(&self.pads);
        slots
            .flat_map(|(number, slot)| slot.motion(number, rate))
            .collect()
    }

    /// Serve the devices; what programs want goes to the client, if it may feel it.
    pub(super) fn serve(&mut self, now: Instant) -> Messages {
        let mut messages = Messages::new();
        for (number, slot) in (0_u16..).zip(&mut self.pads) {
            let Some(pad) = &mut slot.pad else { continue };
            let wishes = pad.serve(now);
            pad.feedback.wish(wishes);
            if self.playing {
                messages.extend(pad.feedback.take(number, now));
            }
        }
        messages
    }

    pub(super) fn due(&self, now: Instant) -> Option<Instant> {
        let pads = self.pads.iter().filter_map(|slot| slot.pad.as_ref());
        pads.flat_map(|pad| {
            let feedback = pad.feedback.due().filter(|_| self.playing);
            [
                pad.device.as_ref().and_then(|device| device.due(now)),
                feedback,
            ]
        })
        .flatten()
        .min()
    }

    pub(super) fn devices(&self) -> impl Iterator<Item = &dyn PadDevice> {
        let pads = self.pads.iter().filter_map(|slot| slot.pad.as_ref());
        pads.filter_map(|pad| pad.device.as_deref())
    }

    /// Take everything away.
    pub(super) fn clear(&mut self, workshop: &mut Workshop) {
        for slot in &mut self.pads {
            slot.unplug(workshop);
            slot.arrival = None;
        }
    }
}

impl Slot {
    fn unplug(&mut self, workshop: &mut Workshop) {
        if self.pad.take().is_some_and(|pad| pad.device.is_some()) {
            workshop.room = workshop.room.saturating_add(1);
        }
    }

    /// Ask the client for motion (rate 0: no longer), where the pad has a place for it.
    fn motion(&self, number: u8, rate_hz: u16) -> Messages {
        let takes = self
            .pad
            .as_ref()
            .is_some_and(|pad| pad.kind == PadKind::DualSense && pad.device.is_some());
        let Some(arrival) = self.arrival.filter(|_| takes) else {
            return Messages::new();
        };
        [
            (MotionSensor::Accelerometer, capability::ACCELEROMETER),
            (MotionSensor::Gyroscope, capability::GYROSCOPE),
        ]
        .into_iter()
        .filter(|(_, capability)| arrival.can(*capability))
        .map(|(sensor, _)| HostMessage::MotionEvents {
            controller: number.into(),
            rate_hz,
            kind: match sensor {
                MotionSensor::Accelerometer => 1,
                MotionSensor::Gyroscope => 2,
            },
        })
        .collect()
    }
}

impl Workshop {
    fn build(&mut self, arrival: Option<&Arrival>, identity: &Identity, now: Instant) -> Pad {
        let kind = self.choice.pad_for(arrival);
        let (owner, pad) = (identity.owner, identity.pad);
        let mut made = None;
        if self.room == 0 {
            tracing::warn!(%owner, pad, "this machine has as many gamepads as punktfunk makes at one time; no further one");
        } else {
            let mut result = self
                .maker
                .make(kind, arrival, identity, now)
                .map(|device| (kind, device));
            if let (Err(error), PadKind::DualSense) = (&result, kind) {
                tracing::debug!(%owner, pad, "no DualSense ({error}); an Xbox pad instead");
                let other = self.maker.make(PadKind::Xbox, arrival, identity, now);
                result = other.map(|device| (PadKind::Xbox, device));
            }
            match result {
                Ok((made_as, device)) => {
                    tracing::info!(%owner, pad, kind = made_as.name(), "a gamepad was plugged in");
                    self.room = self.room.saturating_sub(1);
                    self.serial = self.serial.wrapping_add(1);
                    made = Some((made_as, device));
                }
                Err(error) => {
                    tracing::warn!(%owner, pad, "the gamepad could not be made: {error}; see: punktfunkctl doctor")
                }
            }
        }
        let (kind, device) = made.map_or((kind, None), |(kind, device)| (kind, Some(device)));
        Pad {
            kind,
            device,
            state: PadState::default(),
            feedback: Feedback::default(),
        }
    }
}

impl Pad {
    fn show(&mut self, now: Instant) {
        if let Some(device) = &mut self.device
            && let Err(error) = device.show(&self.state, now)
        {
            self.lost(&error);
        }
    }

    fn serve(&mut self, now: Instant) -> Wishes {
        let Some(device) = &mut self.device else {
            return Wishes::default();
        };
        match device.serve(now) {
            Ok(wishes) => wishes,
            Err(error) => {
                self.lost(&error);
                Wishes::default()
            }
        }
    }

    fn lost(&mut self, error: &std::io::Error) {
        tracing::warn!("a gamepad was lost: {error}");
        self.device = None;
    }
}
