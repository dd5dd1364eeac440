use super::*;
use proptest::prelude::*;

const ROOM: usize = 1368;

fn nal(header: &[u8], body: usize) -> Vec<u8> {
    [&[0, 0, 0, 1], header, &vec![0x55; body]].concat()
}

/// An SEI message of H.264 with this payload type.
fn sei(kind: u8, body: usize) -> Vec<u8> {
    nal(&[6, kind], body)
}

fn hevc(kind: u8, body: usize) -> Vec<u8> {
    nal(&[kind << 1, 1], body)
}

fn joined(arranged: &Arranged<'_>) -> Vec<u8> {
    arranged.pieces.as_slice().concat()
}

fn order(codec: Codec, unit: &[u8]) -> Vec<u8> {
    let headers = unit.windows(4).filter(|w| w[..3] == [0, 0, 1]);
    headers
        .map(|w| match codec {
            Codec::Hevc => w[3] >> 1 & 0x3f,
            _ => w[3] & 0x1f,
        })
        .collect()
}

#[test]
fn a_good_unit_is_sent_as_it_is() {
    let key = [
        nal(&[9], 1),
        nal(&[0x67], 12),
        nal(&[0x68], 4),
        sei(1, 30),
        nal(&[0x65], 5000),
    ]
    .concat();
    let arranged = arrange(Codec::H264, &key, true, ROOM).unwrap();
    assert!(arranged.key && !arranged.changed);
    assert_eq!(arranged.pieces.as_slice(), [&key[..]]);
    assert_eq!(
        arranged.pieces.as_slice()[0].as_ptr(),
        key.as_ptr(),
        "nothing is copied"
    );
    let predicted = [nal(&[9], 1), sei(1, 5000), nal(&[0x41], 5000)].concat();
    let arranged = arrange(Codec::H264, &predicted, false, ROOM).unwrap();
    assert!(!arranged.key && !arranged.changed);
    assert_eq!(
        arranged.kind(FrameKind::AfterInvalidation),
        FrameKind::AfterInvalidation
    );
}

#[test]
fn what_an_encoder_says_of_itself_does_not_push_the_slice_out_of_the_first_packet() {
    for codec in [Codec::H264, Codec::Hevc] {
        let (sets, talk, hdr, slice) = match codec {
            Codec::H264 => (
                vec![nal(&[0x67], 20), nal(&[0x68], 4)],
                sei(5, 1300),
                sei(137, 24),
                nal(&[0x65], 9000),
            ),
            _ => (
                vec![hevc(32, 20), hevc(33, 40), hevc(34, 8)],
                nal(&[39 << 1, 1, 5], 1300),
                nal(&[39 << 1, 1, 137], 24),
                hevc(20, 9000),
            ),
        };
        let unit = [sets.concat(), talk.clone(), hdr.clone(), slice.clone()].concat();
        let arranged = arrange(codec, &unit, true, ROOM).unwrap();
        assert!(arranged.key && arranged.changed);
        assert_eq!(
            joined(&arranged),
            [sets.concat(), hdr, slice].concat(),
            "{codec:?}"
        );
        // With room enough it stays.
        assert!(!arrange(codec, &unit, true, 3000).unwrap().changed);
    }
}

#[test]
fn the_slice_begins_in_the_first_packet_to_the_byte() {
    let before = [nal(&[0x67], 20), nal(&[0x68], 4), sei(5, 100)].concat();
    let unit = [before.clone(), nal(&[0x65], 50)].concat();
    assert!(
        !arrange(Codec::H264, &unit, true, before.len() + 5)
            .unwrap()
            .changed
    );
    assert!(
        arrange(Codec::H264, &unit, true, before.len() + 4)
            .unwrap()
            .changed
    );
    let sets = before.len() - sei(5, 100).len();
    assert!(arrange(Codec::H264, &unit, true, sets + 5).is_ok());
    assert_eq!(
        arrange(Codec::H264, &unit, true, sets + 4),
        Err(AccessUnitError::FirstPacketTooSmall { room: sets + 4 })
    );
}

#[test]
fn parameter_sets_come_first_and_in_order() {
    let unit = [
        hevc(35, 1),
        hevc(34, 8),
        hevc(33, 40),
        hevc(32, 20),
        hevc(19, 900),
    ]
    .concat();
    let arranged = arrange(Codec::Hevc, &unit, true, ROOM).unwrap();
    assert_eq!(order(Codec::Hevc, &joined(&arranged)), [35, 32, 33, 34, 19]);
}

#[test]
fn predicted_frames_go_without_parameter_sets() {
    let unit = [
        nal(&[9], 1),
        nal(&[0x67], 20),
        nal(&[0x68], 4),
        sei(1, 9),
        nal(&[0x41], 900),
    ]
    .concat();
    let arranged = arrange(Codec::H264, &unit, false, ROOM).unwrap();
    assert_eq!(order(Codec::H264, &joined(&arranged)), [9, 6, 1]);
    assert!(!arranged.key);
}

#[test]
fn a_key_frame_that_nobody_announced_is_one_all_the_same() {
    let unit = [nal(&[0x67], 20), nal(&[0x68], 4), nal(&[0x65], 900)].concat();
    let arranged = arrange(Codec::H264, &unit, false, ROOM).unwrap();
    assert_eq!(arranged.kind(FrameKind::Predicted), FrameKind::Idr);
}

#[test]
fn units_that_no_client_can_use_are_refused() {
    let sets = [nal(&[0x67], 20), nal(&[0x68], 4)].concat();
    let refused = |unit: &[u8], key| arrange(Codec::H264, unit, key, ROOM).unwrap_err();
    assert_eq!(refused(b"picture", false), AccessUnitError::NoStartCode);
    assert_eq!(refused(&[], true), AccessUnitError::NoStartCode);
    assert_eq!(refused(&[0, 0, 1], true), AccessUnitError::NoPicture);
    assert_eq!(refused(&sets, true), AccessUnitError::NoPicture);
    assert_eq!(
        refused(&[sets.clone(), nal(&[0x41], 9)].concat(), true),
        AccessUnitError::NotAKeyFrame
    );
    assert_eq!(
        refused(&nal(&[0x65], 9), true),
        AccessUnitError::NoParameterSets
    );
    assert_eq!(
        refused(&[nal(&[0x67], 9), nal(&[0x65], 9)].concat(), true),
        AccessUnitError::NoParameterSets
    );
    let many = [sei(1, 3).repeat(30), nal(&[0x41], 9)].concat();
    assert_eq!(refused(&many, false), AccessUnitError::TooManyElements);
    let no_vps = [hevc(33, 9), hevc(34, 9), hevc(19, 9)].concat();
    assert_eq!(
        arrange(Codec::Hevc, &no_vps, true, ROOM),
        Err(AccessUnitError::NoParameterSets)
    );
}

/// An OBU of this type.
fn obu(kind: u8, payload: &[u8]) -> Vec<u8> {
    assert!(payload.len() < 128);
    [&[kind << 3 | 2, payload.len() as u8][..], payload].concat()
}

#[test]
fn a_temporal_unit_of_av1_is_taken_whole_and_its_type_is_read_from_its_frame() {
    let (delimiter, sequence) = (obu(2, &[]), obu(1, &[0; 10]));
    let (key, inter) = (obu(6, &[0x10, 1, 2]), obu(6, &[0x30, 1, 2]));
    let start = [delimiter.clone(), sequence.clone(), key.clone()].concat();
    let arranged = arrange(Codec::Av1, &start, true, ROOM).unwrap();
    assert!(arranged.key && !arranged.changed);
    assert_eq!(joined(&arranged), start);
    // Whatever the encoder calls it.
    assert!(arrange(Codec::Av1, &start, false, ROOM).unwrap().key);
    let next = [delimiter.clone(), inter.clone()].concat();
    assert!(!arrange(Codec::Av1, &next, false, ROOM).unwrap().key);
    // Encoders may repeat the sequence header wherever they like.
    let repeated = [sequence.clone(), inter.clone()].concat();
    assert!(!arrange(Codec::Av1, &repeated, false, ROOM).unwrap().key);

    let refused = |unit: &[u8], key| arrange(Codec::Av1, unit, key, ROOM).unwrap_err();
    assert_eq!(refused(&next, true), AccessUnitError::NotAKeyFrame);
    assert_eq!(refused(&key, true), AccessUnitError::NoParameterSets);
    assert_eq!(
        refused(&[start.clone(), next.clone()].concat(), true),
        AccessUnitError::SeveralUnits
    );
    assert_eq!(refused(&delimiter, false), AccessUnitError::NoPicture);
    assert_eq!(
        refused(&[key.clone(), vec![0x32, 9, 1]].concat(), false),
        AccessUnitError::BrokenObu
    );
    assert_eq!(
        refused(&[0x30, 1, 2], false),
        AccessUnitError::ObuWithoutSize
    );
    assert_eq!(
        refused(&obu(15, &[]).repeat(300), false),
        AccessUnitError::TooManyElements
    );
}

/// What must hold for any bytes: also the promise of the fuzz target.
fn check(codec: Codec, unit: &[u8], key: bool, room: usize) {
    let Ok(arranged) = arrange(codec, unit, key, room) else {
        return;
    };
    assert!(arranged.pieces.len() <= unit.len());
    assert!(arranged.changed || arranged.pieces.as_slice() == [unit]);
    assert!(!key || arranged.key);
    let sent = joined(&arranged);
    let again = arrange(codec, &sent, key, room).expect("what was arranged is in order");
    assert!(!again.changed, "arranging twice changes nothing more");
    assert_eq!(again.key, arranged.key);
}

fn elements() -> impl Strategy<Value = Vec<u8>> {
    let body = prop::collection::vec(any::<u8>(), 0..40);
    let element = (any::<bool>(), any::<u8>(), body).prop_map(|(long, header, body)| {
        let code: &[u8] = if long { &[0, 0, 0, 1] } else { &[0, 0, 1] };
        [code, &[header], &body].concat()
    });
    prop::collection::vec(element, 0..12).prop_map(|all| all.concat())
}

proptest! {
    #[test]
    fn any_bytes_are_arranged_or_refused(unit in prop::collection::vec(any::<u8>(), 0..200), key in any::<bool>(), room in 0..300_usize) {
        for codec in [Codec::H264, Codec::Hevc, Codec::Av1] {
            check(codec, &unit, key, room);
        }
    }

    #[test]
    fn any_nal_units_are_arranged_or_refused(unit in elements(), key in any::<bool>(), room in 0..300_usize) {
        for codec in [Codec::H264, Codec::Hevc] {
            check(codec, &unit, key, room);
        }
    }
}

/// A piece of a unit: a NAL unit or an OBU, good or bad, or noise.
fn element(kind: u8, body: usize) -> Vec<u8> {
    match kind % 13 {
        0 => nal(&[9], 1),
        1 => nal(&[0x67], body),
        2 => nal(&[0x68], body % 9),
        3 => sei(kind, body),
        4 => nal(&[0x65], body),
        5 => nal(&[0x41], body),
        6 => nal(&[14], body % 5),
        7 => hevc(32 + kind % 8, body),
        8 => hevc(20, body),
        9 => vec![kind, 0, 0, 1],
        k => {
            // temporal delimiter, sequence header, frame: with a size of two bytes
            let header = [2 << 3 | 2, 1 << 3 | 2, 6 << 3 | 2][usize::from(k) - 10];
            let size = [body as u8 & 0x7f | 0x80, (body >> 7) as u8];
            [&[header][..], &size, &vec![kind & 0x10; body]].concat()
        }
    }
}

proptest! {
    #[test]
    fn the_front_of_a_unit_tells_the_truth_or_nothing(
        elements in proptest::collection::vec((any::<u8>(), 0usize..300), 0..9),
        front in 0usize..900, key in any::<bool>(), codec in 0..3,
    ) {
        let codec = [Codec::H264, Codec::Hevc, Codec::Av1][codec as usize];
        let unit: Vec<u8> = elements.iter().flat_map(|(kind, body)| element(*kind, *body)).collect();
        let front = front.min(unit.len());
        let whole = arrange(codec, &unit, key, 200);
        match arrange_front(codec, &unit[..front], unit.len(), key, 200) {
            Ok(None) => {}
            Ok(Some(told)) => {
                let whole = whole.expect("the whole unit is as good as its front");
                prop_assert_eq!((told.key, told.changed), (whole.key, whole.changed));
                prop_assert_eq!([&joined(&told)[..], &unit[front..]].concat(), joined(&whole));
            }
            Err(error) => prop_assert_eq!(Some(error), whole.err()),
        }
    }
}

#[test]
fn four_kilobytes_tell_of_the_frames_that_encoders_write() {
    let predicted = [nal(&[9], 1), nal(&[0x41], 90_000)].concat();
    let key = [nal(&[0x67], 12), nal(&[0x68], 4), nal(&[0x65], 90_000)].concat();
    for (unit, is_key) in [(predicted, false), (key, true)] {
        let told = arrange_front(Codec::H264, &unit[..4096], unit.len(), is_key, ROOM).unwrap();
        assert_eq!(told.map(|told| told.key), Some(is_key));
    }
    let size = [0xA0, 0xBF, 0x05]; // 90 016
    let frame = [&[6 << 3 | 2][..], &size, &vec![0x20; 90_016]].concat();
    let unit = [&[2 << 3 | 2, 0][..], &frame].concat();
    let told = arrange_front(Codec::Av1, &unit[..4096], unit.len(), false, ROOM).unwrap();
    assert_eq!(told.map(|told| told.key), Some(false));
    // Another OBU behind the frame might be anything.
    let two = [&unit[..], &[2 << 3 | 2, 0]].concat();
    let told = arrange_front(Codec::Av1, &two[..4096], two.len(), false, ROOM).unwrap();
    assert!(told.is_none());
}
