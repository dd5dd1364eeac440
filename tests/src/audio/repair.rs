//! The fixed 4+2 code of audio over GF(2^8): any two lost payloads of four come back from the parity.

/// Row r, column i: what parity r takes of data i.
const MATRIX: [[u8; 4]; 2] = [[0x77, 0x40, 0x38, 0x0e], [0xc7, 0xa7, 0x0d, 0x6c]];

/// Multiplication with the polynomial 0x11D.
fn multiply(mut a: u8, mut b: u8) -> u8 {
    let mut product = 0;
    while b != 0 {
        if b & 1 != 0 {
            product ^= a;
        }
        a = a << 1 ^ if a & 0x80 != 0 { 0x1d } else { 0 };
        b >>= 1;
    }
    product
}

fn inverse(a: u8) -> u8 {
    // a^254
    (0..6).fold(multiply(a, a), |power, _| {
        multiply(multiply(power, power), multiply(a, a))
    })
}

/// Parity `row` of four payloads of one length.
pub fn parity(row: usize, data: [&[u8]; 4]) -> Vec<u8> {
    let mut out = vec![0; data[0].len()];
    for (column, payload) in data.iter().enumerate() {
        for (out, byte) in out.iter_mut().zip(*payload) {
            *out ^= multiply(MATRIX[row][column], *byte);
        }
    }
    out
}

/// Fill in the missing payloads. False when too few are at hand or their lengths differ.
pub fn repair(data: &mut [Option<Vec<u8>>; 4], parity: &[Option<Vec<u8>>; 2]) -> bool {
    let missing: Vec<usize> = (0..4).filter(|at| data[*at].is_none()).collect();
    let rows: Vec<usize> = (0..2)
        .filter(|row| parity[*row].is_some())
        .take(missing.len())
        .collect();
    let Some(length) = data
        .iter()
        .flatten()
        .chain(parity.iter().flatten())
        .map(Vec::len)
        .next()
    else {
        return false;
    };
    if missing.is_empty()
        || rows.len() < missing.len()
        || data
            .iter()
            .flatten()
            .chain(parity.iter().flatten())
            .any(|shard| shard.len() != length)
    {
        return missing.is_empty();
    }
    // What the rows say of the missing payloads alone.
    let mut right: Vec<Vec<u8>> = rows
        .iter()
        .map(|row| parity[*row].clone().unwrap_or_default())
        .collect();
    for (right, row) in right.iter_mut().zip(&rows) {
        for (column, payload) in data
            .iter()
            .enumerate()
            .filter_map(|(at, payload)| payload.as_ref().map(|payload| (at, payload)))
        {
            for (out, byte) in right.iter_mut().zip(payload) {
                *out ^= multiply(MATRIX[*row][column], *byte);
            }
        }
    }
    let scale = |shard: &[u8], factor: u8| {
        shard
            .iter()
            .map(|byte| multiply(*byte, factor))
            .collect::<Vec<u8>>()
    };
    let add = |a: &[u8], b: &[u8]| a.iter().zip(b).map(|(a, b)| a ^ b).collect::<Vec<u8>>();
    match missing.as_slice() {
        [x] => data[*x] = Some(scale(&right[0], inverse(MATRIX[rows[0]][*x]))),
        [x, y] => {
            let [[a, b], [c, d]] = [0, 1].map(|row| [MATRIX[row][*x], MATRIX[row][*y]]);
            let determinant = inverse(multiply(a, d) ^ multiply(b, c));
            let first = add(&scale(&right[0], d), &scale(&right[1], b));
            let second = add(&scale(&right[0], c), &scale(&right[1], a));
            data[*x] = Some(scale(&first, determinant));
            data[*y] = Some(scale(&second, determinant));
        }
        _ => return false,
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payloads() -> [Vec<u8>; 4] {
        std::array::from_fn(|i| (0..8).map(|b| (31 * i + 17 * b + 7) as u8).collect())
    }

    fn parities() -> [Vec<u8>; 2] {
        let data = payloads();
        [0, 1].map(|row| parity(row, std::array::from_fn(|i| data[i].as_slice())))
    }

    #[test]
    fn the_parity_vector_of_section_10_4_comes_out() {
        assert_eq!(
            parities().map(hex::encode),
            ["11c073c15f114c23", "33e61fdbb516c36f"]
        );
    }

    #[test]
    fn every_loss_of_up_to_two_of_six_is_repaired_and_three_are_not() {
        let (data, parity) = (payloads().map(Some), parities().map(Some));
        for lost in 0u8..64 {
            let mut have = data.clone();
            let mut spare = parity.clone();
            (0..4)
                .filter(|at| lost >> at & 1 == 1)
                .for_each(|at| have[at] = None);
            (0..2)
                .filter(|at| lost >> (4 + at) & 1 == 1)
                .for_each(|at| spare[at] = None);
            let possible = lost.count_ones() <= 2 || have.iter().all(Option::is_some);
            assert_eq!(repair(&mut have, &spare), possible, "{lost:06b}");
            if possible {
                assert_eq!(have, data, "{lost:06b}");
            }
        }
    }
}
