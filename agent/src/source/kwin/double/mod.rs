//! A KWin for tests: its outputs, how they are described and changed, and the virtual ones that it makes. It paints nothing.
//!
//! It serves a thread of its own, over real Wayland connections. What it refuses, and in which order it says things, is what
//! the sources of KWin 6.3 to 6.7 do, by the strictest of them: a list of modes is announced anew as a whole; a change is void
//! once an output came or went since it was begun; an order has to name every output, and to number those that are lit without
//! a gap (newer ones take others as well); an arrangement is remembered for each set of outputs and taken up again with the set.

mod outputs;
mod protocol;
mod serve;

use std::{
    os::unix::net::UnixStream,
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::{
    io::{Read, Write},
    os::fd::AsFd,
};
use wayland_server::Display;

pub use outputs::{Answer, Asked, Session};

use crate::wayland::DOUBLE;

/// Longest wait of a test for something that has to come.
const HANG: Duration = Duration::from_secs(60);

/// Which KWin it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edition {
    /// From before virtual outputs.
    Plasma520,
    /// No modes of a client's own; each output is a global.
    Plasma63,
    /// With them.
    Plasma66,
    /// The outputs come from a registry.
    Plasma67,
}

type Order = Box<dyn FnOnce(&mut Session) + Send>;

/// It ends with this, and is what this thread connects to until then.
pub struct Kwin {
    orders: mpsc::Sender<Order>,
    bell: UnixStream,
    thread: Option<JoinHandle<()>>,
}

impl Kwin {
    /// With these monitors, each of 1920x1080, lit, first to last.
    pub fn start(edition: Edition, monitors: &[&str]) -> Self {
        let (orders, inbox) = mpsc::channel::<Order>();
        let (bell, rung) = UnixStream::pair().unwrap();
        rung.set_nonblocking(true).unwrap();
        let monitors: Vec<String> = monitors.iter().map(|name| (*name).to_owned()).collect();
        let thread = thread::spawn(move || run(edition, &monitors, &inbox, rung));
        let (doors, knock) = (orders.clone(), bell.try_clone().unwrap());
        DOUBLE.set(Some(Box::new(move || {
            let (ours, theirs) = UnixStream::pair().unwrap();
            let enter: Order = Box::new(move |session| {
                let _ = session.handle.insert_client(theirs, Arc::new(()));
            });
            let _ = doors.send(enter);
            let _ = (&knock).write(&[0]);
            ours
        })));
        Self {
            orders,
            bell,
            thread: Some(thread),
        }
    }

    /// Have something done there, and what comes of it.
    pub fn tell<T: Send + 'static>(
        &self,
        what: impl FnOnce(&mut Session) -> T + Send + 'static,
    ) -> T {
        let (answer, answered) = mpsc::channel();
        let order: Order = Box::new(move |session| {
            let _ = answer.send(what(session));
        });
        self.orders.send(order).unwrap();
        (&self.bell).write_all(&[0]).unwrap();
        answered.recv_timeout(HANG).unwrap()
    }

    /// Wait until it is so.
    pub fn until(&self, what: &str, done: impl Fn(&Session) -> bool + Send + Clone + 'static) {
        let end = Instant::now() + HANG;
        loop {
            let done = done.clone();
            if self.tell(move |session| done(session)) {
                return;
            }
            assert!(Instant::now() < end, "{what}: {:?}", self.lit());
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// The outputs that are lit, first to last.
    pub fn lit(&self) -> Vec<String> {
        self.tell(|session| session.order.clone())
    }

    /// The changes that it was asked for since the last time, whatever came of them.
    pub fn asked(&self) -> Vec<Asked> {
        self.tell(|session| std::mem::take(&mut session.asked))
    }

    /// What it does about the next changes, one after the other; those that follow are done.
    pub fn will(&self, answers: &[Answer]) {
        let answers = answers.to_vec();
        self.tell(move |session| session.answers.extend(answers));
    }

    /// It does not make the next virtual output.
    pub fn will_not_make(&self, why: &'static str) {
        self.tell(move |session| session.failures.push_back(why));
    }
}

impl Drop for Kwin {
    fn drop(&mut self) {
        DOUBLE.set(None);
        let _ = self.orders.send(Box::new(|session| session.over = true));
        let _ = (&self.bell).write(&[0]);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(edition: Edition, monitors: &[String], inbox: &mpsc::Receiver<Order>, mut rung: UnixStream) {
    let mut display = Display::<Session>::new().unwrap();
    let mut session = Session::new(display.handle(), edition);
    for name in monitors {
        session.plug(name);
    }
    while !session.over {
        {
            let mut fds = [
                PollFd::new(display.as_fd(), PollFlags::POLLIN),
                PollFd::new(rung.as_fd(), PollFlags::POLLIN),
            ];
            let _ = poll(&mut fds, PollTimeout::NONE);
        }
        let _ = rung.read(&mut [0; 64]);
        for order in inbox.try_iter() {
            order(&mut session);
        }
        display.dispatch_clients(&mut session).unwrap();
        let _ = display.flush_clients();
    }
}
