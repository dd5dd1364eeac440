//! Places and bitrate, shared among streams that come and go. A client wants 20 Mbit/s here, which leaves 15404 kbit/s for the
//! video; of 10 Mbit/s that is 7404.
use super::*;
use client::Heard;
use punktfunk_core::control::{HostMessage, termination};
use punktfunk_dbus::channel::ToAgent;

/// Far above what anything here takes.
const LIMIT: Duration = Duration::from_secs(30);

impl Rig {
    /// Start the stream of client `number`, in a further session of the account of client 1, where these accounts have clients.
    fn start_beside(&self, number: u8, accounts: &BTreeSet<Uid>) -> Result<FakeAgent, StartError> {
        let session = format!("further{number}");
        let (handle, opened) = agent::register_as(&self.agents, 1001, &session, |_| {});
        let mut setup = setup(number, handle, |_| {});
        let mut launch = Arc::into_inner(setup.launch).unwrap();
        launch.client.owner = Uid(1001);
        setup.launch = Arc::new(launch);
        self.runtime.block_on(self.streams.start(setup, accounts))?;
        Ok(FakeAgent::new(opened.recv().unwrap()))
    }

    /// End a stream whose client is connected, and wait for that.
    fn ends(&self, number: u8, client: &mut Client) {
        let id = StreamId(number.into());
        self.streams.stop(id, StopReason::Administrator);
        let reason = termination::NORMAL;
        let told = Heard::Message(HostMessage::Termination { reason });
        assert_eq!(client.hear(), told);
        assert_eq!(client.hear(), Heard::Disconnected);
        self.runtime
            .block_on(async { timeout(LIMIT, self.streams.0.gone(&[id])).await })
            .unwrap();
    }

    fn limit_of(&self, number: u8) -> Option<u32> {
        let infos = self.streams.list();
        let of = |info: &&StreamInfo| info.id == StreamId(number.into());
        infos.iter().find(of).unwrap().bitrate_limit_kbps
    }
}

fn told(kbps: u32) -> ToAgent {
    ToAgent::Bitrate { kbps }
}

#[test]
fn the_hosts_total_is_shared_as_streams_come_and_go_without_a_key_frame() {
    let rig = Rig::with(|config| config.max_total_bitrate_mbit = 20);
    let (mut first, _client) = rig.start_connected(1);
    assert_eq!(first.options.bitrate_kbps, 15_404);
    assert_eq!(rig.limit_of(1), None);
    let (mut second, mut other) = rig.start_connected(2);
    // The second is asked for its share from the start; the first gives room at once.
    assert_eq!(second.options.bitrate_kbps, 7404);
    assert_eq!(first.hear_order(), told(7404));
    let infos = rig.streams.list();
    let limits: Vec<_> = infos.iter().map(|info| info.bitrate_limit_kbps).collect();
    assert_eq!(limits, [Some(7404), Some(7404)]);
    assert_eq!(infos[0].last_decision, "host limit");
    assert_eq!(
        infos[0].bitrate_kbps, 15_404,
        "what it would use is remembered"
    );
    assert_eq!(rig.figure(1, "bitrate_target_kbps"), 7404);
    // What one does not want is the others': 2000 kbit/s take 2898 in all.
    assert!(rig.streams.set_bitrate(StreamId(2), 2000));
    assert_eq!(second.hear_order(), told(2000));
    assert_eq!(first.hear_order(), told(13_085));
    assert_eq!((rig.limit_of(1), rig.limit_of(2)), (Some(13_085), None));
    // By hand there may be more wanted than was negotiated, but no more is given.
    assert!(rig.streams.set_bitrate(StreamId(2), 50_000));
    assert_eq!(second.hear_order(), told(7404));
    assert_eq!(first.hear_order(), told(7404));
    rig.ends(2, &mut other);
    assert_eq!(first.hear_order(), told(15_404));
    assert_eq!(rig.limit_of(1), None);
}

#[test]
fn an_account_has_one_share_whatever_the_number_of_its_streams() {
    let rig = Rig::with(|config| config.max_total_bitrate_mbit = 20);
    let (mut alone, _client) = rig.start_connected(2);
    let (mut first, mut its) = rig.start_connected(1);
    assert_eq!(alone.hear_order(), told(7404));
    let _further = rig.start_beside(3, &BTreeSet::new()).ok().unwrap();
    // 5 Mbit/s each, less 20 %, 96 kbit/s and a tenth.
    assert_eq!(first.hear_order(), told(3514));
    assert_eq!(rig.limit_of(3), Some(3514));
    assert_eq!(
        rig.limit_of(2),
        Some(7404),
        "the other account's is as it was"
    );
    rig.ends(1, &mut its);
    assert_eq!(rig.limit_of(3), Some(7404));
}

#[test]
fn a_stream_that_cannot_begin_gives_its_place_and_its_share_back() {
    let rig = Rig::with(|config| {
        config.max_total_bitrate_mbit = 20;
        config.max_streams = 2;
    });
    let (mut first, _client) = rig.start_connected(1);
    for number in 2..5 {
        let (handle, opened) = agent::register(&rig.agents, 2000 + u32::from(number), false);
        drop(opened);
        let broken = setup(number, handle, |_| {});
        let refused = rig
            .runtime
            .block_on(rig.streams.start(broken, &BTreeSet::new()));
        assert!(matches!(refused, Err(StartError::Agent(_))), "{refused:?}");
        assert_eq!(first.hear_order(), told(7404));
        assert_eq!(first.hear_order(), told(15_404));
    }
    let (second, _other) = rig.start_connected(9);
    assert_eq!(second.options.bitrate_kbps, 7404);
    let (handle, _opened) = agent::register(&rig.agents, 3000, false);
    let third = rig.runtime.block_on(
        rig.streams
            .start(setup(10, handle, |_| {}), &BTreeSet::new()),
    );
    let text = third.unwrap_err().to_string();
    assert!(
        text.contains("all 2 streams") && text.contains("max-streams"),
        "{text}"
    );
}

#[test]
fn the_last_places_are_kept_for_accounts_that_have_none() {
    let rig = Rig::with(|config| config.max_streams = 3);
    let accounts = BTreeSet::from([Uid(1001), Uid(1002)]);
    let (_agent, _client) = rig.start(1);
    let _further = rig.start_beside(3, &accounts).ok().unwrap();
    let refused = rig.start_beside(4, &accounts).err().unwrap();
    let refused = refused.to_string();
    assert!(refused.contains("reserve-places"), "{refused}");
    let client = setup(4, rig.agents.for_owner(Uid(1001)).unwrap(), |_| {});
    let mut client = client.launch.client.clone();
    client.owner = Uid(1001);
    assert_eq!(
        rig.streams.refusal(&client, &accounts),
        Some(Refusal::Reserved)
    );
    // The client's own stream is going to be replaced by the new one.
    client.id = ClientId("client3".into());
    assert_eq!(rig.streams.refusal(&client, &accounts), None);
    let (_other, _its) = rig.start(2);
}
