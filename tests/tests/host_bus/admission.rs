//! Who may register as an agent, and how a registration ends.
use crate::{
    mocks::{Answer, Session},
    rig::{DENIED, HOST, LIMIT, ROOT, Rig, call},
};
use punktfunk_dbus::open_stream::AgentOffer;
use punktfunk_service::ids::SessionId;
use zbus::{
    Connection,
    zvariant::{ObjectPath, OwnedObjectPath},
};

fn offer() -> AgentOffer {
    AgentOffer {
        version: "0.1.0".into(),
        compositor: "none".into(),
        encoders: vec!["openh264".into()],
        codecs: vec!["h264".into()],
        hdr: None,
        hdr_sources: None,
        chroma_444: None,
        hdr_chroma_444: None,
        invalidates_refs: None,
        touch: None,
        replaces: None,
    }
}

pub async fn register(connection: &Connection, session: &str) -> Result<OwnedObjectPath, String> {
    register_with(connection, session, offer()).await
}

async fn register_with(
    connection: &Connection,
    session: &str,
    offer: AgentOffer,
) -> Result<OwnedObjectPath, String> {
    let path = ObjectPath::try_from("/org/punktfunk/Agent1").unwrap();
    match call(
        connection,
        ROOT,
        HOST,
        "RegisterAgent",
        &(path, session, offer),
    )
    .await
    {
        Ok(reply) => Ok(reply.body().deserialize().unwrap()),
        Err(zbus::Error::MethodError(name, ..)) => Err(name.to_string()),
        Err(other) => panic!("{other}"),
    }
}

fn error(name: &str) -> Result<OwnedObjectPath, String> {
    Err(format!("org.punktfunk.Host1.Error.{name}"))
}

async fn rig() -> Rig {
    let rig = Rig::start().await;
    rig.polkit.answer("register-agent", Answer::Yes);
    rig
}

#[tokio::test]
async fn a_second_agent_of_the_same_session_is_refused() {
    let rig = rig().await;
    rig.logind.add("c1", Session::of(rig.own.0)).await;
    let (first, second) = (rig.bus.connect().await, rig.bus.connect().await);
    let path = register(&first, "c1").await.unwrap();
    assert_eq!(path.as_str(), "/org/punktfunk/Host1/agents/c1");
    assert_eq!(register(&second, "c1").await, error("AgentExists"));
    let again = register(&first, "c1").await;
    assert!(
        again.is_ok(),
        "its own agent may make another offer: {again:?}"
    );
    assert_eq!(rig.host.agents.list().len(), 1);
}

#[tokio::test]
async fn an_agent_for_another_users_session_is_refused() {
    let rig = rig().await;
    rig.logind.add("c1", Session::of(rig.own.0 + 1)).await;
    let agent = rig.bus.connect().await;
    assert_eq!(register(&agent, "c1").await, Err(DENIED.into()));
    assert!(rig.host.agents.list().is_empty());
}

#[tokio::test]
async fn only_living_sessions_of_users_and_greeters_are_taken() {
    let rig = rig().await;
    let agent = rig.bus.connect().await;
    let own = Session::of(rig.own.0);
    rig.logind
        .add(
            "closing",
            Session {
                state: "closing",
                ..own.clone()
            },
        )
        .await;
    rig.logind
        .add(
            "background",
            Session {
                class: "background",
                ..own.clone()
            },
        )
        .await;
    rig.logind
        .add(
            "greeter",
            Session {
                class: "greeter",
                ..own.clone()
            },
        )
        .await;
    for session in ["closing", "background", "nowhere"] {
        assert_eq!(
            register(&agent, session).await,
            error("NoSuchSession"),
            "{session}"
        );
    }
    assert!(register(&agent, "greeter").await.is_ok());
    assert_eq!(
        rig.host.agents.for_owner(rig.own),
        None,
        "a greeter is nobody's session"
    );
}

#[tokio::test]
async fn an_offer_beyond_measure_is_refused() {
    let rig = rig().await;
    rig.logind.add("c1", Session::of(rig.own.0)).await;
    let agent = rig.bus.connect().await;
    for bad in [
        AgentOffer {
            compositor: "x".repeat(65),
            ..offer()
        },
        AgentOffer {
            encoders: vec!["x".into(); 17],
            ..offer()
        },
        AgentOffer {
            codecs: vec!["x".repeat(100)],
            ..offer()
        },
        AgentOffer {
            hdr_sources: Some(vec!["x".into(); 17]),
            ..offer()
        },
        AgentOffer {
            version: "\n".into(),
            ..offer()
        },
    ] {
        let refused = register_with(&agent, "c1", bad).await;
        assert_eq!(
            refused,
            Err("org.freedesktop.DBus.Error.InvalidArgs".into())
        );
    }
}

#[tokio::test]
async fn a_registration_ends_with_the_agents_connection() {
    let rig = rig().await;
    rig.logind.add("c1", Session::of(rig.own.0)).await;
    let agent = rig.bus.connect().await;
    register(&agent, "c1").await.unwrap();
    let handle = rig.host.agents.of_session(&SessionId("c1".into())).unwrap();
    agent.close().await.unwrap();
    tokio::time::timeout(LIMIT, handle.gone()).await.unwrap();
    let next = rig.bus.connect().await;
    assert!(register(&next, "c1").await.is_ok());
}

#[tokio::test]
async fn a_registration_ends_with_the_session() {
    let rig = rig().await;
    rig.logind.add("c1", Session::of(rig.own.0)).await;
    rig.logind.add("c2", Session::of(rig.own.0)).await;
    let agent = rig.bus.connect().await;
    register(&agent, "c1").await.unwrap();
    register(&agent, "c2").await.unwrap();
    let handle = rig.host.agents.of_session(&SessionId("c1".into())).unwrap();
    rig.logind.remove("c1").await;
    tokio::time::timeout(LIMIT, handle.gone()).await.unwrap();
    assert_eq!(
        rig.host.agents.list().len(),
        1,
        "the other session's agent stays"
    );
}

#[tokio::test]
async fn an_agent_that_says_what_it_leaves_has_moved() {
    let rig = rig().await;
    for session in ["c1", "c2", "c3"] {
        rig.logind.add(session, Session::of(rig.own.0)).await;
    }
    let (agent, other) = (rig.bus.connect().await, rig.bus.connect().await);
    register(&agent, "c1").await.unwrap();
    register(&other, "c3").await.unwrap();
    let leaving = |session: &str| AgentOffer {
        replaces: Some(session.into()),
        ..offer()
    };
    let handle = rig.host.agents.of_session(&SessionId("c1".into())).unwrap();
    register_with(&agent, "c2", leaving("c1")).await.unwrap();
    tokio::time::timeout(LIMIT, handle.gone()).await.unwrap();
    // Not another agent's session.
    register_with(&agent, "c2", leaving("c3")).await.unwrap();
    let served: Vec<_> = rig
        .host
        .agents
        .list()
        .into_iter()
        .map(|info| info.session.0)
        .collect();
    assert_eq!(served, ["c2", "c3"]);
}

#[tokio::test]
async fn a_session_that_is_switched_away_is_noticed() {
    let rig = rig().await;
    rig.logind.add("c1", Session::of(rig.own.0)).await;
    let agent = rig.bus.connect().await;
    register(&agent, "c1").await.unwrap();
    let handle = rig.host.agents.of_session(&SessionId("c1".into())).unwrap();
    assert!(handle.info().active);
    let mut changes = rig.host.agents.changes();
    rig.logind.set_active("c1", false).await;
    let noticed = tokio::time::timeout(LIMIT, async {
        while handle.info().active {
            changes.changed().await.unwrap();
        }
    });
    noticed.await.expect("not noticed");
}

#[tokio::test]
async fn at_most_four_agents_of_an_account_are_taken() {
    let rig = rig().await;
    let agent = rig.bus.connect().await;
    for number in 1..=5 {
        rig.logind
            .add(&format!("c{number}"), Session::of(rig.own.0))
            .await;
    }
    for number in 1..=4 {
        register(&agent, &format!("c{number}")).await.unwrap();
    }
    assert_eq!(register(&agent, "c5").await, error("LimitReached"));
}
