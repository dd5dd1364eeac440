//! How whoever holds a compositor's session is asked for another socket of its emulated input.

use std::{os::fd::OwnedFd, sync::mpsc, time::Duration};

use tokio::{sync::mpsc as requests, time::timeout};

/// How long a compositor may take to hand out a socket. Nobody waits for it but the thread that asks.
const HANDOUT_LIMIT: Duration = Duration::from_secs(20);

/// The answer: a socket, or why there is none.
type Answer = Result<OwnedFd, String>;

/// The asking side, for plain threads.
#[derive(Debug, Clone)]
pub struct Reconnect(requests::UnboundedSender<mpsc::Sender<Answer>>);

/// The answering side, which lives where the session does.
#[derive(Debug)]
pub struct ReconnectRequests(requests::UnboundedReceiver<mpsc::Sender<Answer>>);

/// The two sides.
pub fn reconnect() -> (Reconnect, ReconnectRequests) {
    let (asking, answering) = requests::unbounded_channel();
    (Reconnect(asking), ReconnectRequests(answering))
}

impl Reconnect {
    /// Ask, and wait for the answer.
    pub fn socket(&self) -> Answer {
        let closed = || "the session is closed".to_owned();
        let (answer, answers) = mpsc::channel();
        self.0.send(answer).map_err(|_| closed())?;
        // ends with the session at the latest
        answers.recv().map_err(|_| closed())?
    }
}

impl ReconnectRequests {
    /// Answer with what `hand_out` gives, for as long as this is polled.
    pub async fn serve(mut self, hand_out: impl AsyncFn() -> Answer) {
        while let Some(asker) = self.0.recv().await {
            let answer = timeout(HANDOUT_LIMIT, hand_out()).await;
            let _ = asker.send(answer.unwrap_or_else(|_| {
                Err(format!(
                    "the compositor handed out no socket for emulated input within {} s",
                    HANDOUT_LIMIT.as_secs()
                ))
            }));
        }
        std::future::pending().await
    }
}
