use super::*;
use proptest::prelude::*;

const TIGHT: fn(usize) -> Layout = |len| Layout {
    stride: len,
    offset: 0,
    len,
};

/// Data byte b of shard i as in the published vectors.
fn pattern(data: usize, parity: usize, len: usize) -> Vec<u8> {
    let mut block: Vec<u8> = (0..data)
        .flat_map(|i| (0..len).map(move |b| (31 * i + 17 * b + 7) as u8))
        .collect();
    block.resize((data + parity) * len, 0xEE);
    block
}

/// The coefficients as they are published: one row per parity shard.
fn rows(code: &Code) -> String {
    (0..code.parity())
        .flat_map(|j| code.matrix.iter().skip(j).step_by(code.parity()))
        .map(|c| format!("{c:02x}"))
        .collect()
}

fn parity_of(code: &Code, len: usize) -> Vec<String> {
    let mut block = pattern(code.data(), code.parity(), len);
    code.encode(&mut block, TIGHT(len)).unwrap();
    block
        .chunks(len)
        .skip(code.data())
        .map(hex::encode)
        .collect()
}

#[test]
fn four_and_two_match_the_vectors() {
    let code = Code::cauchy(4, 2).unwrap();
    assert_eq!(rows(&code), "8ef447a7f48ea747");
    assert_eq!(
        hex::encode(&pattern(4, 0, 8)[24..]),
        "647586 97a8b9cadb".replace(' ', "")
    );
    assert_eq!(
        parity_of(&code, 8),
        ["7f39febd99db1d5c", "4f22de40a937af60"]
    );
}

#[test]
fn ten_and_three_match_the_vectors() {
    let code = Code::cauchy(10, 3).unwrap();
    assert_eq!(
        rows(&code),
        "f447a77abaad9ddd983d8ea747ba7a9dad98ddaa017aba47a7dd98ad9d5d"
    );
    assert_eq!(
        parity_of(&code, 8),
        ["83fd8d58e3499a82", "d98a6c480ef4bf98", "cbb92ab0677130a7"]
    );
}

#[test]
fn one_and_two_match_the_vectors() {
    let code = Code::cauchy(1, 2).unwrap();
    assert_eq!(rows(&code), "8ef4");
    assert_eq!(parity_of(&code, 4), ["8d0c9a1d", "f608ec16"]);
}

#[test]
fn audio_matches_the_vector() {
    assert_eq!(
        parity_of(&Code::audio(), 8),
        ["11c073c15f114c23", "33e61fdbb516c36f"]
    );
}

#[test]
fn audio_repairs_any_two_losses() {
    let code = Code::audio();
    let mut sent = pattern(4, 2, 8);
    code.encode(&mut sent, TIGHT(8)).unwrap();
    for a in 0..6 {
        for b in 0..6 {
            let mut got = sent.clone();
            let present: Vec<bool> = (0..6).map(|k| k != a && k != b).collect();
            for k in [a, b] {
                got[k * 8..][..8].fill(0x55);
            }
            code.reconstruct(&mut got, TIGHT(8), &present).unwrap();
            assert_eq!(got[..32], sent[..32], "lost {a} and {b}");
        }
    }
}

#[test]
fn one_loss_too_many_is_reported_and_nothing_is_invented() {
    let code = Code::cauchy(4, 2).unwrap();
    let mut block = pattern(4, 2, 8);
    code.encode(&mut block, TIGHT(8)).unwrap();
    let before = block.clone();
    let present = [false, false, true, true, true, false];
    assert!(matches!(
        code.reconstruct(&mut block, TIGHT(8), &present),
        Err(Error::Unrecoverable {
            missing: 2,
            parity: 1
        })
    ));
    assert_eq!(block, before);
}

#[test]
fn impossible_shapes_are_refused() {
    for (data, parity) in [(0, 1), (1, 0), (254, 2), (usize::MAX, 1)] {
        assert!(Code::cauchy(data, parity).is_err(), "{data}+{parity}");
    }
    assert!(Code::cauchy(254, 1).is_ok() && Code::cauchy(1, 254).is_ok());
    let code = Code::cauchy(2, 1).unwrap();
    assert!(code.encode(&mut [0; 11], TIGHT(4)).is_err());
    assert!(
        code.encode(
            &mut [0; 12],
            Layout {
                stride: 4,
                offset: 1,
                len: 4
            }
        )
        .is_err()
    );
    assert!(
        code.reconstruct(&mut [0; 12], TIGHT(4), &[true; 2])
            .is_err()
    );
}

#[test]
fn the_parity_count_is_the_one_that_clients_compute() {
    assert_eq!(parity_count(1, 20), 1);
    assert_eq!(parity_count(100, 20), 20);
    assert_eq!(parity_count(101, 20), 21);
    assert_eq!(parity_count(1, 200), 2);
    assert_eq!(parity_count(7, 0), 0);
}

#[test]
fn bytes_outside_the_window_stay_as_they_are() {
    let code = Code::cauchy(3, 2).unwrap();
    let layout = Layout {
        stride: 10,
        offset: 3,
        len: 6,
    };
    let mut block = vec![0xAB; 50];
    code.encode(&mut block, layout).unwrap();
    for chunk in block.chunks(10) {
        assert_eq!((&chunk[..3], chunk[9]), (&[0xAB; 3][..], 0xAB));
    }
}

#[test]
fn a_peer_that_invents_shapes_cannot_fill_the_memory() {
    let mut cache = CodeCache::default();
    for data in 1..200 {
        for parity in 1..20 {
            assert_eq!(cache.get(data, parity).unwrap().parity(), parity);
        }
    }
    assert!(cache.get(0, 1).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn parity_equals_that_of_the_oracle(data in 1usize..120, parity in 1usize..40, len in 1usize..70, seed in any::<u8>()) {
        let mut block = pattern(data, parity, len);
        block.iter_mut().for_each(|b| *b = b.wrapping_mul(31).wrapping_add(seed));
        let mut oracle: Vec<Vec<u8>> = block.chunks(len).map(<[u8]>::to_vec).collect();
        fec_rs::ReedSolomon::new(data, parity).unwrap().encode(&mut oracle).unwrap();
        Code::cauchy(data, parity).unwrap().encode(&mut block, TIGHT(len)).unwrap();
        prop_assert_eq!(block, oracle.concat());
    }

    #[test]
    fn any_losses_up_to_the_parity_are_repaired(
        data in 1usize..60, parity in 1usize..24, len in 1usize..40,
        order in Just((0..84usize).collect::<Vec<_>>()).prop_shuffle(), lost in 0usize..24,
    ) {
        let code = Code::cauchy(data, parity).unwrap();
        let mut sent = pattern(data, parity, len);
        code.encode(&mut sent, TIGHT(len)).unwrap();
        let gone: Vec<usize> = order.into_iter().filter(|k| *k < data + parity).take(lost.min(parity)).collect();
        let present: Vec<bool> = (0..data + parity).map(|k| !gone.contains(&k)).collect();
        let mut got = sent.clone();
        for k in &gone {
            got[k * len..][..len].fill(0x5A);
        }
        let repaired = code.reconstruct(&mut got, TIGHT(len), &present).unwrap();
        prop_assert_eq!(repaired, gone.iter().filter(|k| **k < data).count());
        prop_assert_eq!(&got[..data * len], &sent[..data * len]);
    }
}

#[test]
fn matrices_that_are_kept_belong_to_their_shape_and_losses() {
    // All codes and losses through one small cache, in two orders: far more than it keeps.
    let mut cache = CodeCache::default();
    for (data, parity) in [(5, 3), (3, 5), (6, 2), (5, 3)] {
        let mut sent = pattern(data, parity, 16);
        let code = Code::cauchy(data, parity).unwrap();
        code.encode(&mut sent, TIGHT(16)).unwrap();
        for mask in (0u32..256).chain((0..256).rev()) {
            let present: Vec<bool> = (0..8).map(|k| mask & (1 << k) == 0).collect();
            let mut got = sent.clone();
            for (shard, _) in got.chunks_mut(16).zip(&present).filter(|(_, here)| !**here) {
                shard.fill(0xEE);
            }
            let outcome = cache.reconstruct((data, parity), &mut got, TIGHT(16), &present);
            let missing = present[..data].iter().filter(|p| !**p).count();
            let spare = present[data..].iter().filter(|p| **p).count();
            assert_eq!(outcome.is_ok(), missing <= spare, "{mask:08b}");
            if outcome.is_ok() {
                assert_eq!(got[..16 * data], sent[..16 * data], "{mask:08b}");
            }
        }
    }
}

#[test]
fn every_loss_pattern_of_a_small_block_is_repaired() {
    let code = Code::cauchy(5, 3).unwrap();
    let mut sent = pattern(5, 3, 16);
    code.encode(&mut sent, TIGHT(16)).unwrap();
    for mask in 0u32..256 {
        let present: Vec<bool> = (0..8).map(|k| mask & (1 << k) == 0).collect();
        let mut got = sent.clone();
        let outcome = code.reconstruct(&mut got, TIGHT(16), &present);
        let missing = present[..5].iter().filter(|p| !**p).count();
        let parity = present[5..].iter().filter(|p| **p).count();
        assert_eq!(outcome.is_ok(), missing <= parity, "{mask:08b}");
        if outcome.is_ok() {
            assert_eq!(got[..80], sent[..80], "{mask:08b}");
        }
    }
}
