//! Opening a stream's source in a session: when the stream begins, and again wherever it is handed over to.
use super::{StartError, StreamSetup, media::Feed, plan, recovery::Recovery};
use crate::{agents::AgentHandle, config::Config};
use punktfunk_dbus::{
    applications::DESKTOP,
    channel::{Consumer, Endpoint, Ring, socket},
    open_stream::{OpenStream, OpenedStream},
};
use std::sync::Arc;

/// A session's pictures and sound, ready to be taken over.
pub(super) struct Source {
    pub feed: Feed,
    pub endpoint: Arc<Endpoint>,
    pub opened: OpenedStream,
}

/// Have `agent` produce the stream, with what has changed since it was negotiated.
///
/// # Errors
/// The agent's refusal, or a system that gives no memory or socket.
pub(super) async fn open(
    setup: &StreamSetup,
    config: &Config,
    agent: &AgentHandle,
    changes: impl FnOnce(&mut OpenStream),
) -> Result<Source, StartError> {
    let params = &setup.params;
    let mut request = plan::request(setup, config);
    changes(&mut request);
    let video_kbps = request.bitrate_kbps;
    let ring = Ring::create(plan::geometry(params))?;
    let (ours, theirs) = socket::pair()?;
    let opened = agent.open_stream(request, ring.agent_fd()?, theirs).await?;
    let endpoint = Arc::new(Endpoint::new(ours));
    let culprit = agent.clone();
    let feed = Feed {
        consumer: Consumer::new(Arc::clone(&endpoint), plan::limits(params, ring.geometry())),
        ring,
        recovery: Recovery::new(plan::invalidates(params, &opened)),
        video_kbps,
        on_violation: Box::new(move |violation| culprit.violation(violation)),
    };
    Ok(Source {
        feed,
        endpoint,
        opened,
    })
}

/// As [`open`], for a stream that runs already. An application that does not run there is not started a second time.
///
/// # Errors
/// As [`open`], and an application that has ended.
pub(super) async fn open_again(
    setup: &StreamSetup,
    config: &Config,
    agent: &AgentHandle,
    changes: impl FnOnce(&mut OpenStream),
) -> Result<Source, StartError> {
    let app = setup.launch.app;
    if app != DESKTOP && !agent.running_applications().await?.contains(&app) {
        return Err(StartError::Refused(
            "the application does not run any more".into(),
        ));
    }
    open(setup, config, agent, changes).await
}
