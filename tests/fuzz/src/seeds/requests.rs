//! Seeds of what comes before a stream: requests, pairing and offers.
use super::Seeds;
use punktfunk_core::{
    crypto::Key,
    rtsp::{Direction, seal},
};

/// An offer for a LAN and one for a poor link, HDR, 4:4:4 and surround.
pub(super) fn announce() -> Seeds {
    let usual = [
        ("x-ml-general.featureFlags", "3", "3"),
        ("x-ss-general.encryptionEnabled", "1", "7"),
        ("x-ss-video[0].chromaSamplingType", "0", "1"),
        ("x-nv-video[0].clientViewportWd", "1280", "3840"),
        ("x-nv-video[0].clientViewportHt", "720", "2160"),
        ("x-nv-video[0].maxFPS", "60", "120"),
        ("x-nv-video[0].packetSize", "1392", "992"),
        ("x-nv-video[0].rateControlMode", "4", "4"),
        ("x-nv-vqos[0].bw.maximumBitrateKbps", "8000", "100000"),
        ("x-ml-video.configuredBitrateKbps", "10000", "150000"),
        ("x-nv-vqos[0].qosTrafficType", "5", "0"),
        ("x-nv-aqos.qosTrafficType", "4", "0"),
        ("x-nv-general.featureFlags", "135", "167"),
        ("x-nv-vqos[0].fec.minRequiredFecPackets", "2", "0"),
        ("x-nv-video[0].videoEncoderSlicesPerFrame", "1", "4"),
        ("x-nv-clientSupportHevc", "0", "1"),
        ("x-nv-vqos[0].bitStreamFormat", "0", "1"),
        ("x-nv-video[0].dynamicRangeMode", "0", "1"),
        ("x-nv-video[0].maxNumReferenceFrames", "1", "0"),
        ("x-nv-video[0].clientRefreshRateX100", "5994", "12000"),
        ("x-nv-audio.surround.numChannels", "2", "8"),
        ("x-nv-audio.surround.channelMask", "3", "1599"),
        ("x-nv-audio.surround.AudioQuality", "0", "1"),
        ("x-nv-aqos.packetDuration", "5", "10"),
        ("x-nv-video[0].encoderCscMode", "2", "5"),
    ];
    let text = |pick: fn(&(&str, &str, &str)) -> String| {
        let lines: String = usual
            .iter()
            .map(|a| format!("a={} \r\n", pick(a)))
            .collect();
        format!(
            "v=0\r\no=android 0 14 IN IPv4 10.0.0.1\r\ns=NVIDIA Streaming Client\r\n{lines}t=0 0\r\nm=video 47998\r\n"
        )
        .into_bytes()
    };
    vec![
        text(|(name, lan, _)| format!("{name}:{lan}")),
        text(|(name, _, far)| format!("{name}:{far}")),
    ]
}

/// A request for each endpoint as it is sent, and a query alone.
pub(super) fn http() -> Seeds {
    let who = "uniqueid=0123456789ABCDEF&uuid=5a0f";
    let launch = "appid=881448767&mode=1920x1080x60&additionalStates=1&sops=0&rikey=000102030405060708090a0b0c0d0e0f\
                  &rikeyid=-1234567&localAudioPlayMode=0&surroundAudioInfo=196610&remoteControllersBitmap=1&gcmap=1\
                  &gcpersist=0&corever=1";
    let mut seeds: Seeds = [
        format!("serverinfo?{who}"),
        format!("applist?{who}"),
        format!("appasset?{who}&appid=1&AssetType=2&AssetIdx=0"),
        format!("launch?{who}&{launch}"),
        format!("resume?{who}&{launch}"),
        format!("cancel?{who}"),
        format!("unpair?{who}"),
        format!(
            "pair?{who}&devicename=roth&updateState=1&phrase=getservercert&salt={}&clientcert=2d2d2d2d",
            "5a".repeat(16)
        ),
        format!("pair?{who}&devicename=roth&updateState=1&clientchallenge={}", "a5".repeat(16)),
    ]
    .iter()
    .map(|path| format!("GET /{path} HTTP/1.1\r\nHost: 10.0.0.1:47989\r\nUser-Agent: Mozilla/5.0\r\n\r\n"))
    .map(String::into_bytes)
    .collect();
    seeds.push(launch.as_bytes().to_vec());
    seeds
}

/// Certificates as clients show them (the third is X.509 v1 with serial 0), and the texts of the stages.
pub(super) fn pairing() -> Seeds {
    let certificates = [
        include_str!("../../../../core/src/pairing/fixtures/client.pem"),
        include_str!("../../../../core/src/pairing/fixtures/client_ec.pem"),
        include_str!("../../../../core/src/pairing/fixtures/client_v1_serial0.pem"),
    ];
    certificates
        .iter()
        .map(|pem| pem.as_bytes().to_vec())
        .chain([vec![b'0'; 80]])
        .collect()
}

/// Every method as it is sent in the clear, and one sealed under the target's key.
pub(super) fn rtsp() -> Seeds {
    let head = "CSeq: 3\r\nX-GS-ClientVersion: 14\r\nHost: 10.0.0.1\r\n";
    let setup = "Transport: unicast;X-GS-ClientPort=50000-50001\r\nSession: DEADBEEFCAFE\r\n";
    let mut seeds: Seeds = [
        format!("OPTIONS rtspenc://10.0.0.1:48010 RTSP/1.0\r\n{head}\r\n"),
        format!("DESCRIBE rtsp://0.0.0.0:48010 RTSP/1.0\r\n{head}Accept: application/sdp\r\n\r\n"),
        format!("SETUP streamid=audio/0/0 RTSP/1.0\r\n{head}{setup}\r\n"),
        format!("SETUP streamid=control/13/0 RTSP/1.0\r\n{head}{setup}\r\n"),
        format!(
            "ANNOUNCE streamid=control/13/0 RTSP/1.0\r\n{head}Content-length: 5\r\n\r\nv=0\r\n"
        ),
        format!("PLAY / RTSP/1.0\r\n{head}\r\n"),
    ]
    .into_iter()
    .map(String::into_bytes)
    .collect();
    let block = seal(&Key([1; 16]), Direction::ClientToHost, 1, &seeds[0]).expect("short");
    seeds.push(block);
    seeds
}
