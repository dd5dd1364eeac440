use crate::{
    agents::{AgentError, AgentInfo, ApplicationEnd, Asked, Opening, StreamSource},
    ids::{SessionId, Uid},
    net::harness::{OWNER, TestHost},
    store::{PERMISSION_POINTER, PERMISSION_VIEW},
};
use punktfunk_dbus::{
    applications::{ApplicationEntry, DESKTOP},
    open_stream::OpenStream,
};
use std::{
    collections::HashMap,
    os::fd::OwnedFd,
    sync::{Arc, Mutex},
};

const CHESS: u32 = 77;
const LAUNCH: &str = "mode=1280x720x60&rikey=000102030405060708090a0b0c0d0e0f&rikeyid=1&surroundAudioInfo=196610&corever=1";

/// Publishes one application, and answers pictures with what it was given.
#[derive(Default)]
struct Publisher {
    title: &'static str,
    picture: Vec<u8>,
    running: Vec<u32>,
    stopped: Arc<Mutex<Vec<u32>>>,
}

impl StreamSource for Publisher {
    fn open_stream(&self, _: OpenStream, _: OwnedFd, _: OwnedFd) -> Opening<'_> {
        Box::pin(async { Err(AgentError::Refused("this is a test".into())) })
    }
    fn applications(&self) -> Asked<'_, Vec<ApplicationEntry>> {
        Box::pin(async { Ok(vec![(CHESS, self.title.to_owned(), HashMap::new())]) })
    }
    fn application_picture(&self, _: u32) -> Asked<'_, Vec<u8>> {
        Box::pin(async { Ok(self.picture.clone()) })
    }
    fn running_applications(&self) -> Asked<'_, Vec<u32>> {
        Box::pin(async { Ok(self.running.clone()) })
    }
    fn stop_application(&self, app: u32) -> Asked<'_, ()> {
        self.stopped.lock().unwrap().push(app);
        Box::pin(async { Ok(()) })
    }
}

fn register(
    host: &TestHost,
    session: &str,
    uid: Uid,
    source: Publisher,
) -> crate::agents::AgentHandle {
    let info = AgentInfo {
        touch: false,
        hdr: punktfunk_core::sdp::Codecs::NONE,
        hdr_sources: Vec::new(),
        chroma_444: punktfunk_core::sdp::Codecs::NONE,
        hdr_chroma_444: punktfunk_core::sdp::Codecs::NONE,
        session: SessionId(session.into()),
        uid,
        seat: String::new(),
        compositor: "none".into(),
        encoders: Vec::new(),
        codecs: vec!["h264".into()],
        invalidates_refs: false,
        active: true,
        locked: false,
        greeter: false,
        version: "1".into(),
    };
    host.host.agents.admit(info, Arc::new(source)).unwrap()
}

fn publisher(title: &'static str) -> Publisher {
    Publisher {
        title,
        ..Publisher::default()
    }
}

async fn is_running(host: &TestHost, app: u32) -> bool {
    let info = host.get_tls("/serverinfo").await;
    let state = if app == 0 { "FREE" } else { "BUSY" };
    let busy = info.contains(&format!("_SERVER_{state}"));
    let same = info.contains(&format!("<currentgame>{app}<"));
    assert_eq!(busy, same, "state and currentgame disagree: {info}");
    same
}

#[tokio::test]
async fn each_client_sees_the_catalogue_of_its_owner_alone() {
    let host = TestHost::new().await;
    let client = host.paired();
    let other = Uid(OWNER.0 + 1);
    register(&host, "c1", OWNER, publisher("Anna's <Chess>"));
    register(&host, "c2", other, publisher("Bert's Chess"));
    let list = host.get_tls("/applist").await;
    let (first, _) = list.split_once("</App>").unwrap();
    assert!(first.contains(&format!("<ID>{DESKTOP}</ID>")), "{list}");
    assert!(
        list.contains("Anna&apos;s &lt;Chess&gt;") && !list.contains("Bert"),
        "{list}"
    );
    host.host.clients.set_owner(&client.id, other).unwrap();
    let list = host.get_tls("/applist").await;
    assert!(list.contains("Bert") && !list.contains("Anna"), "{list}");
}

#[tokio::test]
async fn a_list_outlives_the_agent_that_told_it() {
    let host = TestHost::new().await;
    host.paired();
    let agent = register(&host, "c1", OWNER, publisher("Chess"));
    let before = host.get_tls("/applist").await;
    agent.end();
    assert_eq!(host.get_tls("/applist").await, before);
}

#[tokio::test]
async fn pictures_are_an_agents_own_where_they_are_pngs() {
    let host = TestHost::new().await;
    host.paired();
    let stranger = host.get("/appasset?appid=77").await;
    assert!(stranger.contains("401"), "{stranger}");
    register(
        &host,
        "c1",
        OWNER,
        Publisher {
            picture: b"<script>no picture</script>".to_vec(),
            ..publisher("Chess")
        },
    );
    for (path, expected) in [
        (
            "/appasset?appid=78&AssetType=2&AssetIdx=0",
            "status_code=\"404\"",
        ),
        ("/appasset?AssetType=2", "status_code=\"400\""),
    ] {
        let reply = host.get_tls(path).await;
        assert!(reply.contains(expected), "{reply}");
    }
    let list = host
        .host
        .applications
        .picture(&host.host.agents, &host.host.clients.list()[0], CHESS)
        .await;
    assert!(
        list.unwrap().starts_with(b"\x89PNG"),
        "a placeholder in its place"
    );
}

#[tokio::test]
async fn starting_apps_takes_a_permission_and_the_desktop_does_not() {
    let host = TestHost::new().await;
    let client = host.paired();
    register(&host, "c1", OWNER, publisher("Chess"));
    let words = [PERMISSION_VIEW.to_owned(), PERMISSION_POINTER.to_owned()];
    host.host
        .clients
        .set_permissions(&client.id, &words)
        .unwrap();
    assert!(!host.get_tls("/applist").await.contains("Chess"));
    let refused = host
        .get_tls(&format!("/launch?appid={CHESS}&{LAUNCH}"))
        .await;
    assert!(refused.contains("status_code=\"403\""), "{refused}");
    assert!(is_running(&host, 0).await);
    let taken = host
        .get_tls(&format!("/launch?appid={DESKTOP}&{LAUNCH}"))
        .await;
    assert!(taken.contains("<gamesession>1<"), "{taken}");
}

#[tokio::test]
async fn the_end_of_an_app_is_the_end_of_what_its_clients_have_running() {
    let host = TestHost::new().await;
    host.paired();
    let agent = register(&host, "c1", OWNER, publisher("Chess"));
    let watching = tokio::spawn(crate::applications::watch(Arc::clone(&host.host)));
    let unknown = host.get_tls(&format!("/launch?appid=78&{LAUNCH}")).await;
    assert!(unknown.contains("status_code=\"404\""), "{unknown}");
    host.get_tls(&format!("/launch?appid={CHESS}&{LAUNCH}"))
        .await;
    assert!(is_running(&host, CHESS).await);
    let other = host
        .get_tls(&format!("/launch?appid={DESKTOP}&{LAUNCH}"))
        .await;
    assert!(
        other.contains("400") && other.contains("already running"),
        "{other}"
    );
    let end = ApplicationEnd {
        status: 0,
        reason: String::new(),
    };
    agent.application_ended(78, end.clone());
    agent.application_ended(CHESS, end);
    while !is_running(&host, 0).await {
        tokio::task::yield_now().await;
    }
    let resumed = host.get_tls(&format!("/resume?{LAUNCH}")).await;
    assert!(
        resumed.contains("503") && resumed.contains("has ended"),
        "{resumed}"
    );
    watching.abort();
}

#[tokio::test]
async fn a_new_agent_says_what_still_runs() {
    for running in [true, false] {
        let host = TestHost::new().await;
        host.paired();
        let agent = register(&host, "c1", OWNER, publisher("Chess"));
        let watching = tokio::spawn(crate::applications::watch(Arc::clone(&host.host)));
        host.get_tls(&format!("/launch?appid={CHESS}&{LAUNCH}"))
            .await;
        agent.end();
        let stopped = Arc::default();
        let successor = Publisher {
            running: if running { vec![CHESS] } else { Vec::new() },
            stopped: Arc::clone(&stopped),
            ..publisher("Chess")
        };
        let successor = register(&host, "c1", OWNER, successor);
        if !running {
            while !is_running(&host, 0).await {
                tokio::task::yield_now().await;
            }
        }
        assert!(is_running(&host, if running { CHESS } else { 0 }).await);
        // The new agent is the one that ends it.
        host.get_tls("/cancel").await;
        let expected = if running { vec![CHESS] } else { Vec::new() };
        assert_eq!(*stopped.lock().unwrap(), expected);
        drop(successor);
        watching.abort();
    }
}
