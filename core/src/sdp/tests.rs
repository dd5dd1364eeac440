use super::*;
use proptest::prelude::*;

fn offer() -> Offer {
    Offer {
        hevc: true,
        av1: false,
        invalidates_refs: false,
        chroma_444: [Codec::Hevc].into_iter().collect(),
        ten_bit_444: Codecs::NONE,
        ten_bit: Codecs::NONE,
        hdr: Codecs::NONE,
        feature_flags: 3,
        encryption_supported: 7,
        encryption_required: 0,
    }
}

/// An ANNOUNCE as a client sends it, with some values replaced or (with an empty value) left out.
fn announce(changes: &[(&str, &str)]) -> Vec<u8> {
    let usual = [
        ("x-ml-general.featureFlags", "3"),
        ("x-ss-general.encryptionEnabled", "5"),
        ("x-ss-video[0].chromaSamplingType", "0"),
        ("x-nv-video[0].clientViewportWd", "1280"),
        ("x-nv-video[0].clientViewportHt", "720"),
        ("x-nv-video[0].maxFPS", "60"),
        ("x-nv-video[0].packetSize", "1392"),
        ("x-nv-video[0].rateControlMode", "4"),
        ("x-nv-video[0].initialBitrateKbps", "8000"),
        ("x-nv-vqos[0].bw.maximumBitrateKbps", "8000"),
        ("x-ml-video.configuredBitrateKbps", "10000"),
        ("x-nv-vqos[0].qosTrafficType", "5"),
        ("x-nv-aqos.qosTrafficType", "4"),
        ("x-nv-general.featureFlags", "167"),
        ("x-nv-vqos[0].fec.minRequiredFecPackets", "2"),
        ("x-nv-video[0].videoEncoderSlicesPerFrame", "1"),
        ("x-nv-vqos[0].bitStreamFormat", "0"),
        ("x-nv-video[0].dynamicRangeMode", "0"),
        ("x-nv-video[0].maxNumReferenceFrames", "1"),
        ("x-nv-video[0].clientRefreshRateX100", "5994"),
        ("x-nv-audio.surround.numChannels", "2"),
        ("x-nv-audio.surround.channelMask", "3"),
        ("x-nv-audio.surround.AudioQuality", "0"),
        ("x-nv-aqos.packetDuration", "5"),
        ("x-nv-video[0].encoderCscMode", "2"),
    ];
    let mut text =
        String::from("v=0\r\no=android 0 14 IN IPv4 10.0.0.1\r\ns=NVIDIA Streaming Client\r\n");
    for (name, value) in usual {
        let value = changes
            .iter()
            .find(|(n, _)| *n == name)
            .map_or(value, |(_, v)| v);
        if !value.is_empty() {
            text.push_str(&format!("a={name}:{value} \r\n"));
        }
    }
    text.push_str("t=0 0\r\nm=video 47998\r\n");
    text.into_bytes()
}

fn parse(changes: &[(&str, &str)]) -> Result<StreamParams, AnnounceError> {
    parse_announce(&announce(changes), &offer(), true)
}

fn mode(codec: &str, width: &str, height: &str, fps: &str) -> Result<StreamParams, AnnounceError> {
    parse(&[
        ("x-nv-vqos[0].bitStreamFormat", codec),
        ("x-nv-video[0].clientViewportWd", width),
        ("x-nv-video[0].clientViewportHt", height),
        ("x-nv-video[0].maxFPS", fps),
    ])
}

#[test]
fn a_usual_announce_becomes_parameters() {
    assert_eq!(
        parse(&[]).unwrap(),
        StreamParams {
            width: 1280,
            height: 720,
            fps: 60,
            codec: Codec::H264,
            packet_size: 1392,
            configured_bitrate_kbps: 10_000,
            min_fec_packets: 2,
            slices: 1,
            chroma_444: false,
            hdr: false,
            hdr_asked: false,
            max_reference_frames: 1,
            refresh_rate_x100: 5994,
            csc_mode: 2,
            encryption: 5,
            audio: AudioParams {
                channels: 2,
                channel_mask: 3,
                high_quality: true,
                packet_ms: 5,
                encrypted: true
            },
            sends_fec_status: true,
            uses_ping_payload: true,
            qos_video: 5,
            qos_audio: 4,
        }
    );
}

#[test]
fn missing_attributes_take_the_documented_defaults() {
    let params = parse(&[
        ("x-ml-general.featureFlags", ""),
        ("x-ss-general.encryptionEnabled", ""),
        ("x-nv-general.featureFlags", "135"),
        ("x-nv-vqos[0].bitStreamFormat", ""),
        ("x-nv-audio.surround.numChannels", ""),
        ("x-nv-aqos.packetDuration", ""),
        ("x-ml-video.configuredBitrateKbps", ""),
    ])
    .unwrap();
    assert!(!params.sends_fec_status && !params.uses_ping_payload);
    assert_eq!((params.encryption, params.codec), (0, Codec::H264));
    assert_eq!(
        (
            params.audio.channels,
            params.audio.packet_ms,
            params.audio.encrypted
        ),
        (2, 5, false)
    );
    assert_eq!(params.configured_bitrate_kbps, 8000);
}

#[test]
fn modes_beyond_a_codec_are_refused() {
    for (width, height, fps) in [
        ("0", "720", "60"),
        ("65", "63", "60"),
        ("1280", "720", "0"),
        ("1280", "720", "241"),
        ("4294967295", "4294967295", "240"),
        ("62", "720", "60"),
        ("7680", "4320", "60"),
        ("4098", "2160", "60"),
    ] {
        assert!(
            matches!(
                mode("0", width, height, fps),
                Err(AnnounceError::Mode { .. })
            ),
            "{width}x{height}@{fps}"
        );
    }
    assert!(mode("0", "1280", "720", "240").is_ok());
    assert!(mode("0", "3840", "2160", "60").is_ok());
    assert!(mode("1", "7680", "4320", "60").is_ok());
    assert!(matches!(
        mode("1", "8192", "8192", "60"),
        Err(AnnounceError::Mode { .. })
    ));
    assert!(matches!(
        mode("1", "7680", "4320", "240"),
        Err(AnnounceError::Mode { .. })
    ));
}

#[test]
fn an_odd_side_loses_its_last_row_or_column() {
    for (width, height) in [("2557", "1178"), ("2556", "1179"), ("2557", "1179")] {
        let params = mode("0", width, height, "60").unwrap();
        assert_eq!((params.width, params.height), (2556, 1178));
    }
}

#[test]
fn levels_follow_the_table_of_the_standard() {
    assert_eq!(h264_level(1280, 720, 30), Some(31));
    assert_eq!(h264_level(1280, 720, 60), Some(32));
    assert_eq!(h264_level(1920, 1080, 60), Some(42));
    assert_eq!(h264_level(3840, 2160, 60), Some(52));
    assert_eq!(h264_level(3840, 2160, 120), Some(60));
    assert_eq!(h264_level(u32::MAX, u32::MAX, u32::MAX), None);
}

#[test]
fn what_was_not_offered_is_refused() {
    assert_eq!(
        mode("2", "1280", "720", "60"),
        Err(AnnounceError::CodecNotOffered(Codec::Av1))
    );
    assert!(parse(&[("x-ss-video[0].chromaSamplingType", "1")]).is_err());
    let plain = Offer {
        encryption_supported: 1,
        ..offer()
    };
    assert_eq!(
        parse_announce(&announce(&[]), &plain, true),
        Err(AnnounceError::NotOffered("audio encryption"))
    );
}

#[test]
fn required_encryption_is_not_negotiable() {
    let strict = Offer {
        encryption_required: 7,
        ..offer()
    };
    assert!(matches!(
        parse_announce(&announce(&[]), &strict, true),
        Err(AnnounceError::EncryptionRequired {
            agreed: 5,
            required: 7
        })
    ));
    let sealed = announce(&[
        ("x-ss-general.encryptionEnabled", "7"),
        ("x-nv-video[0].packetSize", "1360"),
    ]);
    assert_eq!(
        parse_announce(&sealed, &strict, true).unwrap().encryption,
        7
    );
}

#[test]
fn packets_must_fit_a_datagram_and_hold_a_frame_header() {
    for (size, fits) in [
        ("255", false),
        ("256", true),
        ("1456", true),
        ("1457", false),
        ("4294967295", false),
    ] {
        assert_eq!(
            parse(&[("x-nv-video[0].packetSize", size)]).is_ok(),
            fits,
            "{size}"
        );
    }
    let sealed = |size| {
        parse(&[
            ("x-ss-general.encryptionEnabled", "7"),
            ("x-nv-video[0].packetSize", size),
        ])
        .is_ok()
    };
    assert!(sealed("1424") && !sealed("1425"));
}

#[test]
fn numbers_that_are_none_and_required_ones_that_are_missing_are_named() {
    assert!(matches!(
        parse(&[("x-nv-video[0].maxFPS", "sixty")]),
        Err(AnnounceError::NotANumber {
            name: "x-nv-video[0].maxFPS",
            ..
        })
    ));
    assert_eq!(
        parse(&[("x-nv-video[0].clientViewportWd", "")]),
        Err(AnnounceError::Missing("x-nv-video[0].clientViewportWd"))
    );
    assert_eq!(
        parse(&[("x-nv-audio.surround.numChannels", "3")]),
        Err(AnnounceError::Channels(3))
    );
    assert!(parse(&[("x-nv-aqos.packetDuration", "7")]).is_err());
}

/// Clients set the old bit whatever was offered, and then decrypt: taking it for nothing makes noise.
#[test]
fn sound_is_sealed_when_either_bit_asks_for_it() {
    for (features, encryption, sealed) in [
        ("135", "1", false),
        ("135", "5", true),
        ("167", "1", true),
        ("167", "0", true),
        ("32", "0", true),
    ] {
        let params = parse(&[
            ("x-nv-general.featureFlags", features),
            ("x-ss-general.encryptionEnabled", encryption),
        ])
        .unwrap();
        assert_eq!(params.audio.encrypted, sealed, "{features}, {encryption}");
    }
}

#[test]
fn quality_of_stereo_comes_from_the_host_header_and_of_surround_from_the_attribute() {
    let low = parse_announce(&announce(&[]), &offer(), false).unwrap();
    assert!(!low.audio.high_quality);
    let surround = [
        ("x-nv-audio.surround.numChannels", "6"),
        ("x-nv-audio.surround.AudioQuality", "1"),
    ];
    let high = parse_announce(&announce(&surround), &offer(), false).unwrap();
    assert!(high.audio.high_quality);
    assert_eq!(high.opus_layout(), (6, 0));
    // Neither looks at what is meant for the other.
    let high = parse_announce(&announce(&[]), &offer(), true).unwrap();
    assert!(high.audio.high_quality);
    let low = parse_announce(
        &announce(&[("x-nv-audio.surround.AudioQuality", "1")]),
        &offer(),
        false,
    );
    assert!(!low.unwrap().audio.high_quality);
    let low = parse_announce(&announce(&surround[..1]), &offer(), true).unwrap();
    assert!(!low.audio.high_quality);
}

#[test]
fn the_description_holds_what_the_client_searches_for() {
    let text = describe(&offer());
    assert!(text.contains("sprop-parameter-sets=AAAAAU"));
    assert!(!text.contains("AV1/90000") && !text.contains("refPicInvalidation"));
    assert!(text.contains("x-ss-general.featureFlags:3\n"));
    assert!(text.contains("x-ss-general.encryptionSupported:7\n"));
    assert!(text.contains("x-ss-general.encryptionRequested:1\n"));
    // First the normal and then the high-quality line of each channel count.
    let at = |line: &str| text.find(&format!("surround-params={line}")).unwrap();
    assert!(at("642012453") < at("660012345") && at("85301245673") < at("88001234567"));
    let all = describe(&Offer {
        av1: true,
        invalidates_refs: true,
        ..offer()
    });
    assert!(all.contains("a=rtpmap:98 AV1/90000\n"));
    assert!(all.contains("x-nv-video[0].refPicInvalidation"));
    let h264 = describe(&Offer {
        hevc: false,
        encryption_required: 7,
        ..offer()
    });
    assert!(!h264.contains("AAAAAU") && h264.contains("encryptionRequested:7\n"));
}

proptest! {
    #[test]
    fn any_bytes_are_parsed_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let _ = parse_announce(&bytes, &offer(), true);
    }

    #[test]
    fn accepted_modes_are_within_bounds(
        codec in 0_u32..3, width: u32, height: u32, fps in 0_u32..300, small_w in 0_u32..9000, small_h in 0_u32..9000,
    ) {
        for (w, h) in [(width, height), (small_w, small_h)] {
            if let Ok(p) = mode(&codec.to_string(), &w.to_string(), &h.to_string(), &fps.to_string()) {
                prop_assert!(p.width <= 8192 && p.height <= 8192 && p.fps <= 240 && p.fps > 0);
                prop_assert!(p.width % 2 == 0 && p.height % 2 == 0);
            }
        }
    }
}

#[test]
fn depth_and_chroma_are_granted_in_the_codecs_that_have_them() {
    let wish = |codec, name| parse(&[("x-nv-vqos[0].bitStreamFormat", codec), (name, "1")]);
    const CHROMA: &str = "x-ss-video[0].chromaSamplingType";
    const RANGE: &str = "x-nv-video[0].dynamicRangeMode";
    assert!(wish("1", CHROMA).unwrap().chroma_444);
    let refused = wish("0", CHROMA);
    assert!(
        matches!(refused, Err(AnnounceError::NotOffered(_))),
        "{refused:?}"
    );
    // HDR that cannot be had is SDR, and the client hears of it.
    for codec in ["0", "1"] {
        let params = wish(codec, RANGE).unwrap();
        assert_eq!((params.hdr, params.hdr_asked), (false, true), "{codec}");
    }
    let ten_bit: Codecs = [Codec::Hevc, Codec::Av1].into_iter().collect();
    let wide = Offer {
        av1: true,
        // the source has none: SDR, but with the bits that the client's decoder was set up for
        hdr: Codecs::NONE,
        ten_bit,
        ..offer()
    };
    let granted = |codec, wish| {
        let body = announce(&[("x-nv-vqos[0].bitStreamFormat", codec), (RANGE, wish)]);
        let params = parse_announce(&body, &wide, true).unwrap();
        assert_eq!(params.hdr_asked, wish == "1");
        params.hdr
    };
    assert!(granted("1", "1") && granted("2", "1"));
    assert!(!granted("0", "1") && !granted("1", "0"));
    // both at once only where the card has both at once
    let both = |ten_bit_444| {
        let hevc = ("x-nv-vqos[0].bitStreamFormat", "1");
        let body = announce(&[hevc, (RANGE, "1"), (CHROMA, "1")]);
        let offer = Offer {
            ten_bit_444,
            ..wide.clone()
        };
        let params = parse_announce(&body, &offer, true).unwrap();
        (params.hdr, params.chroma_444)
    };
    assert_eq!(both(ten_bit), (true, true));
    assert_eq!(both(Codecs::NONE), (false, true));
}

#[test]
fn the_displays_own_rate_counts_where_the_frame_rate_rounds_it() {
    let rate = |fps, refresh| {
        let params = parse(&[
            ("x-nv-video[0].maxFPS", fps),
            ("x-nv-video[0].clientRefreshRateX100", refresh),
        ]);
        params.unwrap().fps_x100()
    };
    assert_eq!(rate("60", "5994"), 5994);
    assert_eq!(rate("60", "6005"), 6005);
    assert_eq!(rate("30", "2997"), 2997);
    // Unrelated, or not told.
    assert_eq!(rate("60", "14400"), 6000);
    assert_eq!(rate("30", "5994"), 3000);
    assert_eq!(rate("60", "0"), 6000);
    assert_eq!(rate("60", ""), 6000);
}

#[test]
fn wishes_beyond_their_range_are_refused_by_name() {
    for (name, value) in [
        ("x-nv-video[0].encoderCscMode", "6"),
        ("x-nv-video[0].videoEncoderSlicesPerFrame", "33"),
        ("x-nv-video[0].maxNumReferenceFrames", "17"),
        ("x-nv-vqos[0].bitStreamFormat", "3"),
        ("x-nv-vqos[0].fec.minRequiredFecPackets", "17"),
    ] {
        let refused = parse(&[(name, value)]).unwrap_err();
        assert!(refused.to_string().contains(name), "{refused}");
    }
    for size in ["255", "1457"] {
        let refused = parse(&[("x-nv-video[0].packetSize", size)]);
        assert!(
            matches!(refused, Err(AnnounceError::PacketSize { .. })),
            "{refused:?}"
        );
    }
    // Sealed packets are 32 bytes longer.
    let sealed = |size| {
        parse(&[
            ("x-nv-video[0].packetSize", size),
            ("x-ss-general.encryptionEnabled", "7"),
        ])
    };
    assert!(sealed("1424").is_ok() && sealed("1425").is_err());
}
