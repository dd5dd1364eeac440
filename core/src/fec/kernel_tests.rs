//! Every kernel that this CPU can run, against the arithmetic of `reed-solomon-erasure`.
use super::*;
use proptest::prelude::*;
use reed_solomon_erasure::galois_8;

/// Bytes without a pattern that a kernel could get right by chance.
fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 24) as u8
        })
        .collect()
}

/// The product, and its surroundings, as one byte after the other gives them.
fn oracle(coefficients: &[u8], inputs: &[&[u8]], outputs: usize, len: usize) -> Vec<Vec<u8>> {
    (0..outputs)
        .map(|j| {
            (0..len)
                .map(|b| {
                    inputs.iter().enumerate().fold(0, |sum, (i, input)| {
                        sum ^ galois_8::mul(coefficients[i * outputs + j], input[b])
                    })
                })
                .collect()
        })
        .collect()
}

/// Runs every kernel on shards that start at odd addresses, with guard bytes around the outputs.
fn check(inputs: usize, outputs: usize, len: usize, seed: u64) {
    let coefficients = noise(inputs * outputs, seed);
    let bytes = noise(inputs * (len + 1) + 1, !seed);
    let inputs: Vec<&[u8]> = (0..inputs)
        .map(|i| &bytes[1 + i * (len + 1)..][..len])
        .collect();
    let expected = oracle(&coefficients, &inputs, outputs, len);
    for kernel in Kernel::available() {
        let stride = len + 3;
        let mut room = vec![0xA5; outputs * stride];
        let mut shards: Vec<&mut [u8]> = room
            .chunks_exact_mut(stride)
            .map(|chunk| &mut chunk[1..=len])
            .collect();
        kernel.multiply(&coefficients, &inputs, &mut shards);
        for (j, chunk) in room.chunks_exact(stride).enumerate() {
            let name = kernel.name();
            assert_eq!(chunk[1..=len], expected[j], "{name}: output {j}");
            assert_eq!(
                (chunk[0], &chunk[1 + len..]),
                (0xA5, &[0xA5; 2][..]),
                "{name} wrote outside of output {j}"
            );
        }
    }
}

#[test]
fn every_kernel_multiplies_by_every_factor() {
    let all: Vec<u8> = (0..=255).collect();
    let expected: Vec<Vec<u8>> = all
        .iter()
        .map(|factor| all.iter().map(|x| galois_8::mul(*factor, *x)).collect())
        .collect();
    for kernel in Kernel::available() {
        let mut room = vec![0; 255 * 256];
        let mut shards: Vec<&mut [u8]> = room.chunks_exact_mut(256).collect();
        kernel.multiply(&all[1..], &[&all], &mut shards);
        assert_eq!(room, expected[1..].concat(), "{}", kernel.name());
        let mut nothing = vec![1; 256];
        kernel.multiply(&[0], &[&all], &mut [&mut nothing]);
        assert_eq!(nothing, [0; 256], "{}", kernel.name());
    }
}

#[test]
fn every_group_size_and_every_tail_is_right() {
    for outputs in 1..=45 {
        check(3, outputs, 200, outputs as u64);
    }
    for len in 0..=260 {
        check(5, 3, len, len as u64);
    }
    check(0, 4, 70, 9);
}

#[test]
fn kernels_are_offered_fastest_first_and_end_with_the_portable_one() {
    let names: Vec<_> = Kernel::available().iter().map(|k| k.name()).collect();
    assert_eq!(names.last(), Some(&"portable"));
    assert_eq!(names.first(), Some(&Kernel::best().name()));
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        assert!(names.contains(&"avx2") && names.contains(&"ssse3"));
    }
    #[cfg(target_arch = "aarch64")]
    assert!(names.contains(&"neon"));
}

#[test]
#[should_panic(expected = "equal shards")]
fn unequal_shards_never_reach_a_kernel() {
    Kernel::best().multiply(&[1, 2], &[&[0; 8], &[0; 7]], &mut [&mut [0; 8]]);
}

#[test]
fn every_kernel_gives_the_published_vectors() {
    for kernel in Kernel::available() {
        for (code, expected) in [
            (
                Code::cauchy(4, 2).unwrap(),
                "7f39febd99db1d5c4f22de40a937af60",
            ),
            (
                Code::cauchy(10, 3).unwrap(),
                "83fd8d58e3499a82d98a6c480ef4bf98cbb92ab0677130a7",
            ),
            (Code::audio(), "11c073c15f114c2333e61fdbb516c36f"),
        ] {
            let code = code.with_kernel(*kernel);
            let mut block: Vec<u8> = (0..code.data())
                .flat_map(|i| (0..8).map(move |b| (31 * i + 17 * b + 7) as u8))
                .collect();
            block.resize((code.data() + code.parity()) * 8, 0);
            let layout = Layout {
                stride: 8,
                offset: 0,
                len: 8,
            };
            code.encode(&mut block, layout).unwrap();
            let parity = hex::encode(&block[code.data() * 8..]);
            assert_eq!(parity, expected, "{}", kernel.name());
        }
    }
}

#[test]
fn every_shape_that_there_is_makes_the_parity_of_the_formula() {
    let all = || 0..=255u8;
    let inverse: Vec<u8> = all()
        .map(|x| if x == 0 { 0 } else { galois_8::div(1, x) })
        .collect();
    let product: Vec<u8> = all()
        .flat_map(|x| all().map(move |y| galois_8::mul(x, y)))
        .collect();
    let layout = Layout {
        stride: 1,
        offset: 0,
        len: 1,
    };
    for data in 1..MAX_SHARDS {
        let bytes = noise(data, data as u64);
        for parity in 1..=MAX_SHARDS - data {
            let expected: Vec<u8> = (0..parity)
                .map(|j| {
                    let terms = bytes.iter().enumerate().map(|(i, byte)| {
                        let factor = inverse[(parity + i) ^ j];
                        product[usize::from(factor) << 8 | usize::from(*byte)]
                    });
                    terms.fold(0, |sum, term| sum ^ term)
                })
                .collect();
            let code = Code::cauchy(data, parity).unwrap();
            for kernel in Kernel::available() {
                let mut block = bytes.clone();
                block.resize(data + parity, 0);
                let code = code.clone().with_kernel(*kernel);
                code.encode(&mut block, layout).unwrap();
                let name = kernel.name();
                assert_eq!(block[data..], expected, "{name}: {data} and {parity}");
            }
        }
    }
}

/// Loses `lost` of all shards, chosen by `seed`, and expects the data back from every kernel.
fn lose(data: usize, parity: usize, len: usize, lost: usize, seed: u64) {
    let layout = Layout {
        stride: len,
        offset: 0,
        len,
    };
    let mut sent = noise((data + parity) * len, seed);
    let code = Code::cauchy(data, parity).unwrap();
    code.encode(&mut sent, layout).unwrap();
    let mut order: Vec<usize> = (0..data + parity).collect();
    for (k, random) in noise(order.len(), !seed).into_iter().enumerate() {
        order.swap(k, usize::from(random) % (data + parity));
    }
    let mut present = vec![true; data + parity];
    let mut damaged = sent.clone();
    for k in &order[..lost] {
        present[*k] = false;
        damaged[k * len..][..len].fill(0x5A);
    }
    let mut inverses = super::Inverses::default();
    for kernel in Kernel::available() {
        let mut got = damaged.clone();
        let code = code.clone().with_kernel(*kernel);
        // Twice: solved, and as it was kept.
        for _ in 0..2 {
            got.copy_from_slice(&damaged);
            code.reconstruct_with(&mut inverses, &mut got, layout, &present)
                .unwrap();
        }
        let repaired = code.reconstruct(&mut got, layout, &present).unwrap();
        let missing = present[..data].iter().filter(|here| !**here).count();
        assert_eq!(repaired, missing);
        assert!(got[..data * len] == sent[..data * len], "{}", kernel.name());
        assert!(
            got[data * len..] == damaged[data * len..],
            "parity was touched"
        );
    }
}

#[test]
fn every_shape_up_to_the_largest_is_repaired_after_its_worst_loss() {
    for total in [2, 3, 17, 100, 254, MAX_SHARDS] {
        for parity in (1..total).step_by(1 + total / 12) {
            lose(total - parity, parity, 5, parity, (total * parity) as u64);
        }
        lose(total - total / 2, total / 2, 3, total / 2, total as u64);
        lose(1, total - 1, 3, total - 1, total as u64);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_kernel_equals_the_oracle(
        inputs in 1usize..130, outputs in 1usize..70, len in 1usize..150, seed in any::<u64>(),
    ) {
        check(inputs, outputs, len, seed);
    }

    #[test]
    fn every_kernel_repairs(
        data in 1usize..200, parity in 1usize..56, len in 1usize..150, lost in 0usize..56, seed in any::<u64>(),
    ) {
        lose(data, parity, len, lost.min(parity), seed);
    }
}
