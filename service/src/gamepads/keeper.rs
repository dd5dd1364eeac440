//! The thread that keeps all pads: waits for clients and for programs, and lets each seat do what is due.
use super::{
    PadClient,
    device::Maker,
    kind::Choice,
    mailbox::Mailbox,
    seat::{Messages, Seat, Workshop},
};
use crate::{
    ids::{ClientId, StreamId, Uid},
    net::wake::Wake,
};
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};
use std::{
    io,
    os::fd::AsFd,
    sync::{
        Arc,
        mpsc::{Receiver, TryRecvError},
    },
    time::{Duration, Instant},
};

/// Pads of one machine at one time.
const MACHINE_LIMIT: usize = 64;
/// How long pads wait for a client that left without ending its application.
const PATIENCE: Duration = Duration::from_secs(3600);
/// How often permissions and paused seats are looked at while nothing happens.
const LOOK: Duration = Duration::from_millis(200);

/// One stream and the pads that it will have.
pub(super) struct Attachment {
    pub stream: StreamId,
    pub client: ClientId,
    pub owner: Uid,
    pub link: Arc<dyn PadClient>,
    pub mailbox: Arc<Mailbox>,
}

pub(super) enum Command {
    Attach(Attachment),
    /// Whether its client may find the pads again.
    Detach(StreamId, bool),
    Release(ClientId),
    Stop,
}

pub(super) struct Keeper {
    seats: Vec<Seat>,
    workshop: Workshop,
    commands: Receiver<Command>,
    wake: Arc<Wake>,
    /// What this machine lacks was said.
    complained: bool,
}

impl Keeper {
    pub(super) fn new(
        maker: Box<dyn Maker>,
        choice: Choice,
        commands: Receiver<Command>,
        wake: Arc<Wake>,
    ) -> Self {
        Self {
            seats: Vec::new(),
            workshop: Workshop {
                maker,
                choice,
                room: MACHINE_LIMIT,
                serial: 0,
            },
            commands,
            wake,
            complained: false,
        }
    }

    pub(super) fn run(mut self) {
        while self.obey() {
            self.work();
            if let Err(error) = self.wait() {
                tracing::error!("the gamepads' thread cannot wait: {error}");
                return;
            }
        }
    }

    /// `false`: the end.
    fn obey(&mut self) -> bool {
        loop {
            match self.commands.try_recv() {
                Ok(Command::Attach(attachment)) => self.attach(attachment),
                Ok(Command::Detach(stream, keep)) => self.detach(stream, keep),
                Ok(Command::Release(client)) => {
                    self.remove(|seat| seat.client == client && seat.attached.is_none());
                }
                Ok(Command::Stop) | Err(TryRecvError::Disconnected) => return false,
                Err(TryRecvError::Empty) => return true,
            }
        }
    }

    fn attach(&mut self, attachment: Attachment) {
        if !std::mem::replace(&mut self.complained, true) {
            self.workshop.maker.check().complain();
        }
        // The same person's pads only: a client that changed hands starts anew.
        let (client, owner) = (attachment.client.clone(), attachment.owner);
        self.remove(|seat| seat.client == client && seat.owner != owner);
        match self.seats.iter_mut().find(|seat| seat.client == client) {
            Some(seat) => seat.resume(attachment, Instant::now()),
            None => self.seats.push(Seat::new(attachment)),
        }
    }

    fn detach(&mut self, stream: StreamId, keep: bool) {
        let of_stream = |seat: &Seat| {
            seat.attached
                .as_ref()
                .is_some_and(|attached| attached.stream == stream)
        };
        // What the client did last still counts for which pads it has.
        self.work();
        if !keep {
            self.remove(of_stream);
        } else if let Some(seat) = self.seats.iter_mut().find(|seat| of_stream(seat)) {
            seat.pause(Instant::now());
        }
    }

    fn remove(&mut self, doomed: impl Fn(&Seat) -> bool) {
        let workshop = &mut self.workshop;
        self.seats.retain_mut(|seat| {
            let goes = doomed(seat);
            if goes {
                seat.clear(workshop);
            }
            !goes
        });
    }

    fn work(&mut self) {
        let now = Instant::now();
        for seat in &mut self.seats {
            let mut messages: Messages = seat.work(&mut self.workshop, now);
            messages.extend(seat.serve(now));
            if let Some(attached) = &seat.attached {
                messages
                    .into_iter()
                    .for_each(|message| attached.link.tell(message));
            }
        }
        self.remove(|seat| seat.is_forsaken(now, PATIENCE));
    }

    fn wait(&self) -> io::Result<()> {
        let now = Instant::now();
        let devices = self.seats.iter().flat_map(Seat::devices);
        let mut fds = vec![PollFd::new(self.wake.as_fd(), PollFlags::POLLIN)];
        fds.extend(devices.map(|device| PollFd::new(device.fd(), PollFlags::POLLIN)));
        let due = self.seats.iter().filter_map(|seat| seat.due(now)).min();
        let look = now.checked_add(LOOK).filter(|_| !self.seats.is_empty());
        let timeout = match [due, look].into_iter().flatten().min() {
            None => PollTimeout::NONE,
            // Rounded up: a moment too early would mean to come again at once.
            Some(at) => {
                let wait = at
                    .saturating_duration_since(now)
                    .saturating_add(Duration::from_micros(999));
                PollTimeout::try_from(wait).unwrap_or(PollTimeout::ZERO)
            }
        };
        match poll(&mut fds, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        self.wake.clear();
        Ok(())
    }
}
