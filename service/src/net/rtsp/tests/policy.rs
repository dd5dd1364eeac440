//! The encryption policy, from DESCRIBE to ANNOUNCE, on each network.
use super::*;

/// Off, offered, required.
const POLICIES: [Encryption; 3] = [Encryption::Off, Encryption::Offered, Encryption::Required];

/// Far from any interface of ours.
const FAR: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 9));

fn number(sdp: &str, name: &str) -> u32 {
    let line = sdp.lines().find_map(|line| line.split_once(name));
    line.and_then(|(_, value)| value.strip_prefix(':')?.parse().ok())
        .unwrap_or_else(|| panic!("no {name} in {sdp}"))
}

/// What DESCRIBE offers and asks for, then the status of ANNOUNCE with each of these bits; over sealed RTSP.
async fn negotiate(host: &TestHost, peer: IpAddr, bits: &[u32]) -> ((u32, u32), Vec<String>) {
    launch_from(host, "a", KEY, true, peer);
    let describe = "DESCRIBE rtspenc://x RTSP/1.0\r\nCSeq: 1\r\n\r\n";
    let (_, sdp) = sealed(host, &KEY, 1, describe).await.unwrap();
    let offer = (
        number(&sdp, "x-ss-general.encryptionSupported"),
        number(&sdp, "x-ss-general.encryptionRequested"),
    );
    let mut answers = Vec::new();
    for (sequence, bits) in (2..).zip(bits) {
        let request = announce_sealed("1280x720@60", 0, *bits);
        let (_, reply) = sealed(host, &KEY, sequence, &request).await.unwrap();
        answers.push(reply.split(' ').nth(1).unwrap().to_owned());
    }
    (offer, answers)
}

/// 503: the agent of these tests was asked, so the negotiation was through.
const AGREED: &str = "503";

#[tokio::test]
async fn each_policy_offers_asks_and_insists_as_it_says() {
    let bits = [0, 1, 3, 5, 7];
    for (policy, offer, answers) in [
        (
            Encryption::Off,
            (1, 1),
            ["403", AGREED, "415", "415", "415"],
        ),
        (
            Encryption::Offered,
            (7, 1),
            ["403", AGREED, AGREED, AGREED, AGREED],
        ),
        (
            Encryption::Required,
            (7, 7),
            ["403", "403", "403", "403", AGREED],
        ),
    ] {
        let host =
            TestHost::with(|config| config.encryption = EncryptionPolicy::everywhere(policy)).await;
        let got = negotiate(&host, IpAddr::from([127, 0, 0, 1]), &bits).await;
        assert_eq!(got.0, offer, "{policy:?}");
        assert_eq!(got.1, answers, "{policy:?}");
    }
}

#[tokio::test]
async fn the_old_control_encryption_is_taken_only_where_the_configuration_says_so() {
    for (policy, allowed, answer) in [
        (Encryption::Off, false, "403"),
        (Encryption::Offered, false, "403"),
        (Encryption::Off, true, AGREED),
        (Encryption::Offered, true, AGREED),
        (Encryption::Required, true, "403"),
    ] {
        let host = TestHost::with(|config| {
            config.encryption = EncryptionPolicy::everywhere(policy);
            config.legacy_control = allowed;
        })
        .await;
        let (_, answers) = negotiate(&host, IpAddr::from([127, 0, 0, 1]), &[0]).await;
        assert_eq!(answers, [answer], "{policy:?}, allowed: {allowed}");
    }
}

#[tokio::test]
async fn lan_and_wan_have_policies_of_their_own() {
    for lan in POLICIES {
        for wan in POLICIES {
            let host =
                TestHost::with(|config| config.encryption = EncryptionPolicy { lan, wan }).await;
            let supported = |policy| if policy == Encryption::Off { 1 } else { 7 };
            let (offer, _) = negotiate(&host, IpAddr::from([192, 168, 7, 7]), &[]).await;
            assert_eq!(offer.0, supported(lan), "lan {lan:?}, wan {wan:?}");
            // The RTSP connection of this test comes from near: the stricter word counts.
            let (offer, answers) = negotiate(&host, FAR, &[1]).await;
            assert_eq!(offer.0, supported(lan.max(wan)), "lan {lan:?}, wan {wan:?}");
            let refused = lan.max(wan) == Encryption::Required;
            let expected = if refused { "403" } else { AGREED };
            assert_eq!(answers, [expected], "lan {lan:?}, wan {wan:?}");
        }
    }
}

#[tokio::test]
async fn plain_rtsp_is_refused_only_on_the_network_that_demands_encryption() {
    let options = "OPTIONS rtsp://x RTSP/1.0\r\nCSeq: 1\r\n\r\n";
    for (lan, wan, status) in [
        (Encryption::Offered, Encryption::Required, "200"),
        (Encryption::Required, Encryption::Off, "403"),
    ] {
        let host = TestHost::with(|config| config.encryption = EncryptionPolicy { lan, wan }).await;
        launch(&host, "a", KEY, false);
        let reply = plain(&host, options).await;
        assert!(reply.starts_with(&format!("RTSP/1.0 {status} ")), "{reply}");
    }
}
