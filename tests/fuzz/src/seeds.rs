//! The first corpus: what a real session sends, made by the encoders of this tree.
use punktfunk_core::{
    Role,
    audio::AudioPacketizer,
    control::{ClientMessage, FecStatus, HdrMetadata, HostMessage, Iv, Sealer},
    crypto::Key,
    enet::framing::{Body, Command, Fragment},
    input::{ControllerKind, ControllerState, InputEvent, MotionSensor, Pen, Touch},
    rtsp::{Direction, seal},
    video::{AccessUnit, FrameKind, Packetizer, PacketizerConfig},
};
use punktfunk_dbus::channel::{
    FrameReady, ToAgent, ToService,
    message::{AgentStats, SourceState},
};

/// Inputs of one target.
pub type Seeds = Vec<Vec<u8>>;

/// The seeds of each target.
pub fn all() -> [(&'static str, Seeds); 11] {
    [
        ("access_unit", access_unit()),
        ("announce", announce()),
        ("audio", audio()),
        ("channel", channel()),
        ("control", control()),
        ("enet", enet()),
        ("http", http()),
        ("input", input()),
        ("pairing", pairing()),
        ("rtsp", rtsp()),
        ("video", video()),
    ]
}

/// Key frames and others of each codec, as small as they come; codec, key flag and room in front.
fn access_unit() -> Seeds {
    let nal = |header: &[u8], body: usize| [&[0, 0, 0, 1], header, &vec![0x55; body]].concat();
    let h264 = [nal(&[0x67, 0x42], 3), nal(&[0x68], 2), nal(&[0x65], 12)].concat();
    let told = [nal(&[6, 5, 16], 24), h264.clone()].concat();
    let hevc = [
        nal(&[0x40, 1], 2),
        nal(&[0x42, 1], 2),
        nal(&[0x44, 1], 2),
        nal(&[0x26, 1], 12),
    ]
    .concat();
    let av1 = [
        &[0x12, 0, 0x0a, 11][..],
        &[0; 11],
        &[0x32, 4, 0x10, 1, 2, 3],
    ]
    .concat();
    let input = |how: u8, room: u16, unit: &[u8]| {
        let [low, high] = room.to_le_bytes();
        [&[how, low, high], unit].concat()
    };
    vec![
        input(4, 1368, &h264),
        input(4, 60, &told),
        input(0, 1368, &nal(&[0x41], 12)),
        input(5, 1368, &hevc),
        input(1, 1368, &nal(&[2, 1], 9)),
        input(6, 1368, &av1),
    ]
}

/// An offer for a LAN and one for a poor link, HDR, 4:4:4 and surround.
fn announce() -> Seeds {
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

/// Datagrams behind one another, each with its length, as the targets take them.
fn joined<'a>(datagrams: impl IntoIterator<Item = &'a [u8]>, length: fn(usize) -> u8) -> Vec<u8> {
    let mut all = Vec::new();
    for datagram in datagrams {
        all.push(length(datagram.len()));
        all.extend_from_slice(datagram);
    }
    all
}

/// Two blocks of sound: whole; two packets short; one that cannot be repaired.
fn audio() -> Seeds {
    let mut packetizer = AudioPacketizer::new(5, None);
    let mut sent: Vec<Vec<u8>> = Vec::new();
    for packet in 0..8u8 {
        sent.extend_from_slice(packetizer.packetize(&[packet; 20]).expect("fits"));
    }
    let without = |lost: &[usize]| {
        let kept = sent.iter().enumerate().filter(|(at, _)| !lost.contains(at));
        joined(kept.map(|(_, d)| d.as_slice()), |len| len as u8)
    };
    vec![without(&[]), without(&[0, 3]), without(&[1, 2, 3, 8])]
}

/// Frames of one and of several packets: whole; with repairable losses; one frame gone.
fn video() -> Seeds {
    let mut packetizer = Packetizer::new(PacketizerConfig {
        packet_size: 64,
        fec_percent: 50,
        min_parity: 2,
        max_data_per_block: 4,
        seal: None,
    })
    .expect("a valid configuration");
    let mut sent: Vec<Vec<u8>> = Vec::new();
    for (len, kind) in [
        (30, FrameKind::Idr),
        (300, FrameKind::Predicted),
        (90, FrameKind::Predicted),
    ] {
        let data: Vec<u8> = (0..len).map(|at| at as u8).collect();
        let datagrams = packetizer
            .packetize(&AccessUnit {
                data: (&data).into(),
                kind,
                timestamp_90k: 1500 * len as u32,
                latency_100us: 12,
            })
            .expect("a frame");
        sent.extend(datagrams.iter().map(<[u8]>::to_vec));
    }
    let without = |lost: &[usize]| {
        let kept = sent.iter().enumerate().filter(|(at, _)| !lost.contains(at));
        joined(kept.map(|(_, d)| d.as_slice()), |_| 80)
    };
    vec![without(&[]), without(&[0, 4, 10]), without(&[3, 4, 5, 6])]
}

/// Type and payload of every message of both directions, and one sealed.
fn control() -> Seeds {
    let rumble = HostMessage::Rumble {
        controller: 1,
        low: 0x1234,
        high: 0x5678,
    };
    let from_client = [
        ClientMessage::RequestIdr,
        ClientMessage::StartB,
        ClientMessage::Ping,
        ClientMessage::InvalidateReferences { first: 7, last: 9 },
        ClientMessage::LtrAck { frame: 5 },
        ClientMessage::FecStatus(FecStatus {
            frame: 3,
            data: 10,
            parity: 2,
            ..FecStatus::default()
        }),
        ClientMessage::Input(&[0, 0, 0, 8, 7, 0, 0, 0, 0, 10, 0xff, 0xfd]),
    ];
    let from_host = [
        rumble,
        HostMessage::TriggerRumble {
            controller: 0,
            left: 1,
            right: 2,
        },
        HostMessage::MotionEvents {
            controller: 0,
            rate_hz: 100,
            kind: 2,
        },
        HostMessage::RgbLed {
            controller: 0,
            red: 1,
            green: 2,
            blue: 3,
        },
        HostMessage::AdaptiveTriggers {
            controller: 0,
            flags: 0x0c,
            left_kind: 1,
            right_kind: 2,
            left: [3; 10],
            right: [4; 10],
        },
        HostMessage::Hdr {
            enabled: true,
            metadata: HdrMetadata {
                max_display: 1000,
                ..HdrMetadata::default()
            },
        },
        HostMessage::Termination {
            reason: 0x8003_0023,
        },
    ];
    let plain = |(kind, payload): (u16, Vec<u8>)| [&kind.to_le_bytes()[..], &payload].concat();
    let mut seeds: Seeds = from_client.iter().map(|m| plain(m.encode())).collect();
    seeds.extend(from_host.iter().map(|m| plain(m.encode())));
    let mut sealer = Sealer::new(&Key([7; 16]), Iv::V2, Role::Host).expect("a key");
    seeds.push(sealer.seal(0x0302, &[0, 0]).expect("short").to_vec());
    seeds
}

/// A request for each endpoint as it is sent, and a query alone.
fn http() -> Seeds {
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

/// A conversation with every command, one out of order, and a datagram alone.
fn enet() -> Seeds {
    let part = |number, offset| {
        Body::Fragment(Fragment {
            start: 3,
            count: 2,
            number,
            total: 8,
            offset,
            payload: &[1, 2, 3, 4],
        })
    };
    let said = [
        (0, 1, Body::Reliable(&[1; 20])),
        (1, 2, Body::Reliable(&[3; 8])),
        (1, 1, Body::Reliable(&[2; 8])),
        (
            0x10,
            0,
            Body::Unreliable {
                sequence: 1,
                payload: &[4; 12],
            },
        ),
        (
            0,
            0,
            Body::Unsequenced {
                group: 1,
                payload: &[5; 21],
            },
        ),
        (2, 3, part(1, 4)),
        (2, 3, part(0, 0)),
        (0xff, 2, Body::Ping),
        (
            0xff,
            0,
            Body::Acknowledge {
                sequence: 1,
                sent_time: 40,
            },
        ),
        (0xff, 3, Body::Disconnect { data: 0 }),
    ];
    let mut conversation = Vec::new();
    let mut seeds = Seeds::new();
    for (channel, sequence, body) in said {
        let mut bytes = Vec::new();
        let command = Command {
            acknowledge: sequence != 0,
            channel,
            sequence,
            body,
        };
        command.write(&mut bytes);
        let turn = [&[0x18, bytes.len() as u8, 0], &bytes[..]].concat();
        conversation.extend_from_slice(&turn);
        seeds.push(turn);
    }
    seeds.push(conversation);
    seeds
}

/// One packet of each kind.
fn input() -> Seeds {
    let events = [
        InputEvent::Key {
            down: true,
            code: 0x41,
            modifiers: 1,
            flags: 0,
        },
        InputEvent::MouseAbsolute {
            x: 1,
            y: 2,
            ref_width: 1279,
            ref_height: 719,
        },
        InputEvent::MouseRelative { dx: 10, dy: -3 },
        InputEvent::MouseButton {
            down: true,
            button: 1,
        },
        InputEvent::Scroll { amount: -120 },
        InputEvent::HorizontalScroll { amount: 120 },
        InputEvent::Text('\u{20ac}'),
        InputEvent::Controller(ControllerState {
            active_mask: 1,
            buttons: 0x20_1000,
            left_stick: (1, -1),
            ..ControllerState::default()
        }),
        InputEvent::ControllerArrival {
            controller: 0,
            kind: ControllerKind::PlayStation,
            capabilities: 0xff,
            buttons: 0x10_ffff,
        },
        InputEvent::ControllerTouch {
            controller: 0,
            event: 1,
            touchpad: 0,
            pointer: 3,
            x: 0.5,
            y: 0.25,
            pressure: 1.0,
        },
        InputEvent::ControllerMotion {
            controller: 0,
            sensor: MotionSensor::Gyroscope,
            x: 1.0,
            y: -2.0,
            z: 3.5,
        },
        InputEvent::ControllerBattery {
            controller: 0,
            state: 3,
            percent: 80,
        },
        InputEvent::Touch(Touch {
            event: 1,
            pointer: 1,
            x: 0.5,
            y: 0.5,
            pressure_or_distance: 1.0,
            contact_major: 0.0,
            contact_minor: 0.0,
            rotation: 0xffff,
        }),
        InputEvent::Pen(Pen {
            event: 3,
            tool: 1,
            buttons: 1,
            x: 0.1,
            y: 0.9,
            pressure_or_distance: 0.3,
            rotation: 90,
            tilt: 45,
            contact_major: 0.0,
            contact_minor: 0.0,
        }),
        InputEvent::EnableHaptics { enabled: true },
    ];
    events.iter().map(|event| event.encode().to_vec()).collect()
}

/// Certificates as clients show them (the third is X.509 v1 with serial 0), and the texts of the stages.
fn pairing() -> Seeds {
    let certificates = [
        include_str!("../../../core/src/pairing/fixtures/client.pem"),
        include_str!("../../../core/src/pairing/fixtures/client_ec.pem"),
        include_str!("../../../core/src/pairing/fixtures/client_v1_serial0.pem"),
    ];
    certificates
        .iter()
        .map(|pem| pem.as_bytes().to_vec())
        .chain([vec![b'0'; 80]])
        .collect()
}

/// Every method as it is sent in the clear, and one sealed under the target's key.
fn rtsp() -> Seeds {
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

/// Single messages of both sides, and a conversation with its lengths.
fn channel() -> Seeds {
    let frame = |slot, seq| {
        ToService::FrameReady(FrameReady {
            slot,
            seq,
            len: 900,
            flags: u32::from(seq == 0),
            pts_ns: 1_000_000 * seq,
            capture_ns: 999_000_000,
            encoded_ns: 999_500_000,
        })
    };
    let from_agent = [
        ToService::State {
            state: SourceState::NoOutput,
            reason: "the compositor is gone".into(),
        },
        frame(0, 0),
        frame(1, 1),
        ToService::Audio {
            seq: 0,
            opus: vec![9; 20],
        },
        ToService::Stats(AgentStats::default()),
        ToService::Failed {
            reason: "no picture".into(),
        },
    ];
    let to_agent = [
        ToAgent::SlotFree { slot: 1 },
        ToAgent::Idr,
        ToAgent::InvalidateRefs { first: 3, last: 4 },
        ToAgent::Bitrate { kbps: 9000 },
        ToAgent::Input(InputEvent::MouseRelative { dx: 1, dy: 1 }),
        ToAgent::LockScreen { visible: true },
        ToAgent::ReleaseAll,
        ToAgent::Stop,
    ];
    let mut conversation = Vec::new();
    let mut seeds = Seeds::new();
    for message in &from_agent {
        let datagram = message.encode().expect("fits");
        conversation.extend((datagram.as_bytes().len() as u16).to_le_bytes());
        conversation.extend_from_slice(datagram.as_bytes());
        seeds.push(datagram.as_bytes().to_vec());
    }
    for message in &to_agent {
        seeds.push(message.encode().expect("fits").as_bytes().to_vec());
    }
    seeds.push(conversation);
    seeds
}
