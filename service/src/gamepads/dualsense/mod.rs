//! A DualSense, report for report, so that the kernel's own driver and programs that talk to the device both know it.
mod descriptor;
mod features;
mod input;
mod output;
#[cfg(test)]
mod tests;

use super::{
    device::{Identity, PadDevice},
    feedback::Wishes,
    state::PadState,
    uhid::{Asked, Description, REFUSED, Uhid},
};
use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
    time::{Duration, Instant},
};

const VENDOR: u32 = 0x054C;
const PRODUCT: u32 = 0x0CE6;
const VERSION: u32 = 0x0100;
/// The driver takes no report before it is through with its start; until then the state is told again and again.
const SETTLING: Duration = Duration::from_secs(5);
const SETTLING_STEP: Duration = Duration::from_millis(100);
/// Requests answered before others get their turn.
const TURN: usize = 64;

pub(super) struct DualSense {
    uhid: Uhid,
    address: [u8; 6],
    made: Instant,
    shown: PadState,
    again: Option<Instant>,
    sequence: u8,
}

impl DualSense {
    /// Bring one into being on an opened device.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub(super) fn new(mut uhid: Uhid, identity: &Identity, now: Instant) -> io::Result<Self> {
        let phys = identity.phys();
        let [a, b, c, d, e, f] = identity.address();
        let uniq = format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}");
        uhid.create(&Description {
            name: "Sony Interactive Entertainment DualSense Wireless Controller",
            phys: &phys,
            // As the kernel's driver writes it there itself, a moment later.
            uniq: &uniq,
            vendor: VENDOR,
            product: PRODUCT,
            version: VERSION,
            descriptor: descriptor::DESCRIPTOR,
        })?;
        Ok(Self {
            uhid,
            address: identity.address(),
            made: now,
            shown: PadState::default(),
            again: Some(now),
            sequence: 0,
        })
    }

    fn report(&mut self, now: Instant) -> io::Result<()> {
        let elapsed = now.saturating_duration_since(self.made);
        // Three counts a microsecond; it wraps, as the device's own clock does.
        let counts = elapsed.as_micros().wrapping_mul(3) & u128::from(u32::MAX);
        let clock = u32::try_from(counts).unwrap_or(0);
        let report = input::report(&self.shown, self.sequence, clock);
        self.sequence = self.sequence.wrapping_add(1);
        self.uhid.input(&report)
    }

    fn answer(&mut self, asked: Asked, wishes: &mut Wishes) -> io::Result<()> {
        match asked {
            Asked::Output(report) => {
                wishes.merge(output::wishes(&report));
                Ok(())
            }
            Asked::Get { id, number } => {
                let report = features::feature(number, self.address);
                self.uhid.reply(id, report.as_deref())
            }
            Asked::Set { id, report } => {
                let found = output::wishes(&report);
                let error = if found == Wishes::default() {
                    REFUSED
                } else {
                    0
                };
                wishes.merge(found);
                self.uhid.acknowledge(id, error)
            }
            Asked::Nothing => Ok(()),
        }
    }
}

impl PadDevice for DualSense {
    fn show(&mut self, state: &PadState, now: Instant) -> io::Result<()> {
        self.shown = *state;
        self.report(now)
    }

    fn serve(&mut self, now: Instant) -> io::Result<Wishes> {
        let mut wishes = Wishes::default();
        for _ in 0..TURN {
            match self.uhid.next()? {
                Some(asked) => self.answer(asked, &mut wishes)?,
                None => break,
            }
        }
        if self.again.is_some_and(|at| now >= at) {
            self.report(now)?;
            let settled = now.saturating_duration_since(self.made) >= SETTLING;
            self.again = now.checked_add(SETTLING_STEP).filter(|_| !settled);
        }
        Ok(wishes)
    }

    fn due(&self, _now: Instant) -> Option<Instant> {
        self.again
    }

    fn fd(&self) -> BorrowedFd<'_> {
        self.uhid.as_fd()
    }
}
