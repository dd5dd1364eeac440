//! The erasure code against the crates that do the same work, and against copying the data.
//!
//! `reed-solomon-erasure` uses another matrix than GameStream, but the work per byte is the same.
use super::ratio::{Clock, Table};
use punktfunk_core::fec::{Code, Kernel, Layout};
use std::hint::black_box;

/// Bytes of a usual packet.
const LEN: usize = 1408;
/// 20 Mbit/s and 150 Mbit/s at 60 fps with 20 % parity, and the largest block at 20 %.
const SHAPES: [(usize, usize); 3] = [(30, 6), (100, 20), (200, 40)];

pub fn run(table: &mut Table) {
    for (data, parity) in SHAPES {
        encode(table, data, parity);
    }
    for (data, parity) in SHAPES {
        decode(table, data, parity);
    }
    for kernel in Kernel::available() {
        with_kernel(table, *kernel);
    }
    set_up(table);
}

fn block(data: usize, parity: usize) -> Vec<u8> {
    let mut block: Vec<u8> = (0..data * LEN).map(|k| (k * 31 + k / 997) as u8).collect();
    block.resize((data + parity) * LEN, 0);
    block
}

const LAYOUT: Layout = Layout {
    stride: LEN,
    offset: 0,
    len: LEN,
};

fn encode(table: &mut Table, data: usize, parity: usize) {
    let what = format!("fec encode {data}+{parity} x {LEN}");
    if !table.wants(&what) {
        return;
    }
    let code = Code::cauchy(data, parity).expect("a valid shape");
    let mut ours = block(data, parity);
    let mut work = || code.encode(black_box(&mut ours), LAYOUT).expect("it fits");
    let mut shards: Vec<Vec<u8>> = block(data, parity)
        .chunks(LEN)
        .map(<[u8]>::to_vec)
        .collect();
    let erasure =
        reed_solomon_erasure::galois_8::ReedSolomon::new(data, parity).expect("a valid shape");
    let to_erasure = table.row(
        Clock::Cpu,
        &what,
        &mut work,
        "reed-solomon-erasure, simd",
        || {
            erasure.encode(black_box(&mut shards)).expect("it fits");
        },
    );
    let fec_rs = fec_rs::ReedSolomon::new(data, parity).expect("a valid shape");
    let to_fec_rs = table.row(Clock::Cpu, &what, &mut work, "fec-rs", || {
        fec_rs.encode(black_box(&mut shards)).expect("it fits");
    });
    #[cfg(target_arch = "x86_64")]
    let to_isal = {
        let isal = super::isal::IsaL::new(data, parity);
        table.row(Clock::Cpu, &what, &mut work, "ISA-L", || {
            isal.encode(black_box(&mut shards), false);
        })
    };
    #[cfg(not(target_arch = "x86_64"))]
    let to_isal: Option<(f64, std::time::Duration)> = None;
    // Another code, which costs less for large blocks and needs its shards in a form of its own.
    let mut leopard =
        reed_solomon_simd::ReedSolomonEncoder::new(data, parity, LEN).expect("a valid shape");
    table.row(
        Clock::Cpu,
        &what,
        &mut work,
        "reed-solomon-simd (other code)",
        || {
            for shard in &shards[..data] {
                leopard.add_original_shard(shard).expect("it fits");
            }
            black_box(
                leopard
                    .encode()
                    .expect("all are there")
                    .recovery_iter()
                    .count(),
            );
        },
    );
    if (data, parity) == (100, 20) {
        let ratio = |row: Option<(f64, _)>| row.map(|(ratio, _)| ratio);
        table.aim("fec encode 100+20 against ISA-L", 0.35, ratio(to_isal));
        table.aim("fec encode 100+20 against fec-rs", 0.38, ratio(to_fec_rs));
        let what = "fec encode 100+20 against reed-solomon-erasure with simd";
        table.aim(what, 0.28, ratio(to_erasure));
    }
    let source = block(data, 0);
    let mut copy = source.clone();
    table.row(Clock::Cpu, &what, &mut work, "memcpy of the data", || {
        copy.copy_from_slice(black_box(&source));
        black_box(&mut copy);
    });
}

/// Each kernel that this CPU can run, at the usual size, at one that is no multiple of any vector, and for repair.
fn with_kernel(table: &mut Table, kernel: Kernel) {
    let (data, parity) = (100, 20);
    let code = Code::cauchy(data, parity)
        .expect("a valid shape")
        .with_kernel(kernel);
    let name = kernel.name();
    let what = format!("fec kernel {name} {data}+{parity} x {LEN}");
    if !table.wants(&what) {
        return;
    }
    let mut ours = block(data, parity);
    let mut other = ours.clone();
    let mut work = || code.encode(black_box(&mut ours), LAYOUT).expect("it fits");
    let mut shards: Vec<Vec<u8>> = other.chunks(LEN).map(<[u8]>::to_vec).collect();
    let fec_rs = fec_rs::ReedSolomon::new(data, parity).expect("a valid shape");
    table.row(Clock::Cpu, &what, &mut work, "fec-rs", || {
        fec_rs.encode(black_box(&mut shards)).expect("it fits");
    });
    #[cfg(target_arch = "x86_64")]
    if name == "avx2" {
        let isal = super::isal::IsaL::new(data, parity);
        let got = table.row(
            Clock::Cpu,
            &what,
            &mut work,
            "ISA-L, its AVX2 kernel",
            || {
                isal.encode(black_box(&mut shards), true);
            },
        );
        table.aim(
            "fec kernel avx2 against ISA-L's",
            1.05,
            got.map(|row| row.0),
        );
    }
    let odd = Layout {
        len: LEN - 21,
        ..LAYOUT
    };
    let what = format!("fec kernel {name} {data}+{parity} x {}", odd.len);
    let tail = || code.encode(black_box(&mut other), odd).expect("it fits");
    table.row(Clock::Cpu, &what, tail, "the same x 1408", &mut work);
    let mut received = block(data, parity);
    code.encode(&mut received, LAYOUT).expect("it fits");
    let present: Vec<bool> = (0..data + parity)
        .map(|k| k % 5 != 2 || k >= data)
        .collect();
    let mut inverses = punktfunk_core::fec::Inverses::default();
    let what = format!("fec kernel {name} {data}+{parity}, {parity} lost as before");
    let repair = || {
        let block = black_box(&mut received);
        let repaired = code.reconstruct_with(&mut inverses, block, LAYOUT, &present);
        assert_eq!(repaired.ok(), Some(parity));
    };
    let kept = table.row(Clock::Cpu, &what, repair, "encode", &mut work);
    let aim = format!("fec kernel {name}: decode of 20 lost as before, against encode");
    table.aim(&aim, 1.2, kept.map(|row| row.0));
    // Other losses each time: each is solved.
    let others: Vec<Vec<bool>> = (0..data)
        .map(|first| {
            let lost = |k| (k + first) % (data / parity) == 2 && k / (data / parity) < parity;
            let here = |k| k >= data || !lost(k);
            (0..data + parity).map(here).collect()
        })
        .collect();
    let mut others = others.iter().cycle();
    let what = format!("fec kernel {name} {data}+{parity}, {parity} others lost");
    let repair = || {
        let present = others.next().expect("a cycle");
        let mut none = punktfunk_core::fec::Inverses::default();
        let block = black_box(&mut received);
        let repaired = code.reconstruct_with(&mut none, block, LAYOUT, present);
        assert_eq!(repaired.ok(), Some(parity));
    };
    let solved = table.row(Clock::Cpu, &what, repair, "encode", &mut work);
    // What the matrix takes, which is kept for the next frame that loses the same.
    let set_up = (kept.zip(solved))
        .map(|(kept, solved)| solved.1.saturating_sub(kept.1).as_secs_f64() * 1e6);
    let aim = format!("fec kernel {name}: set-up of a decode of 20 others lost, in µs");
    table.aim(&aim, 50.0, set_up);
}

/// Repair of as many data shards as there is parity. All sides restore the block first, inside the measured time.
fn decode(table: &mut Table, data: usize, parity: usize) {
    let what = format!("fec decode {data}+{parity} x {LEN}, {parity} lost");
    if !table.wants(&what) {
        return;
    }
    let lost =
        |k: usize| k < data && k.is_multiple_of(data / parity) && k / (data / parity) < parity;
    let present: Vec<bool> = (0..data + parity).map(|k| !lost(k)).collect();
    let code = Code::cauchy(data, parity).expect("a valid shape");
    let mut sent = block(data, parity);
    code.encode(&mut sent, LAYOUT).expect("it fits");
    let mut ours = sent.clone();
    let mut work = || {
        ours.copy_from_slice(&sent);
        assert_eq!(
            code.reconstruct(black_box(&mut ours), LAYOUT, &present)
                .ok(),
            Some(parity)
        );
    };
    let erasure =
        reed_solomon_erasure::galois_8::ReedSolomon::new(data, parity).expect("a valid shape");
    let mut shards: Vec<Vec<u8>> = block(data, parity)
        .chunks(LEN)
        .map(<[u8]>::to_vec)
        .collect();
    erasure.encode(&mut shards).expect("it fits");
    let mut flagged: Vec<(Vec<u8>, bool)> = shards
        .iter()
        .cloned()
        .zip(present.iter().copied())
        .collect();
    table.row(Clock::Cpu, &what, &mut work, "reed-solomon-erasure", || {
        for ((slot, from), here) in flagged.iter_mut().zip(&shards).zip(&present) {
            slot.0.copy_from_slice(from);
            slot.1 = *here;
        }
        erasure
            .reconstruct_data(black_box(&mut flagged))
            .expect("enough shards");
    });
    let fec_rs = fec_rs::ReedSolomon::new(data, parity).expect("a valid shape");
    let cauchy: Vec<Vec<u8>> = sent.chunks(LEN).map(<[u8]>::to_vec).collect();
    table.row(Clock::Cpu, &what, &mut work, "fec-rs", || {
        let mut shards: Vec<Option<Vec<u8>>> = cauchy
            .iter()
            .zip(&present)
            .map(|(shard, here)| here.then(|| shard.clone()))
            .collect();
        fec_rs
            .reconstruct_data(black_box(&mut shards))
            .expect("enough shards");
    });
}

fn set_up(table: &mut Table) {
    let got = table.row(
        Clock::Cpu,
        "fec set-up 100+20",
        || drop(black_box(Code::cauchy(100, 20))),
        "reed-solomon-erasure",
        || {
            drop(black_box(reed_solomon_erasure::galois_8::ReedSolomon::new(
                100, 20,
            )))
        },
    );
    let micros = got.map(|(_, time)| time.as_secs_f64() * 1e6);
    table.aim("fec set-up 100+20, in µs", 50.0, micros);
}
