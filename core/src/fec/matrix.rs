//! The matrices of the codes. All are stored input by input: for each input shard one coefficient per output shard.
use super::field::{ORDER, exp, inverse, log, product};

/// Places of the shards of one repair, in rising order: data shards that are here, parity shards in use, and as many
/// data shards that are missing.
#[derive(Debug, Clone, Copy)]
pub struct Losses<'a> {
    pub here: &'a [u8],
    pub used: &'a [u8],
    pub missing: &'a [u8],
}

/// The Cauchy code: column i, row j is the inverse of `(parity + i) ^ j`. The caller has checked the counts.
pub fn cauchy(data: usize, parity: usize) -> Vec<u8> {
    let rows = 0..u8::try_from(parity).unwrap_or(u8::MAX);
    (0..u8::try_from(data).unwrap_or(u8::MAX))
        .flat_map(|i| {
            let y = rows.end.saturating_add(i);
            // y is never below the number of rows and j always is: their sum is never zero.
            rows.clone().map(move |j| inverse(y ^ j))
        })
        .collect()
}

/// For each point z of a Cauchy code with `parity` rows the logarithm of the product of z + x over all rows x, without its zero.
pub fn cauchy_rows(parity: usize) -> Vec<u8> {
    let rows = 0..u8::try_from(parity).unwrap_or(u8::MAX);
    (0..=u8::MAX)
        .map(|z| rows.clone().map(|x| log(x ^ z)).sum::<usize>() % ORDER)
        .map(|sum| u8::try_from(sum).unwrap_or(0))
        .collect()
}

/// The matrix that makes the missing data shards of a Cauchy code from the data shards that are here and the parity
/// shards in use, in that order. `rows` is [`cauchy_rows`] of `parity`.
///
/// With x for parity rows and y for data columns the code's coefficients are 1 / (x + y). Where P(z) is the product of
/// z + y over the missing y, and Q(z) that of z + x over the used x, both without their zero at z itself, the
/// coefficient of shard z for the missing shard y is `Q(y) / P(y) * P(z) / Q(z) / (y + z)`: Lagrange's interpolation for
/// quotients. Solving the equations would take a hundred times as long. What it costs is looking up logarithms: each is looked up
/// once, and where most rows are used, those that are not are taken from the product of all.
pub fn cauchy_repair(losses: Losses<'_>, parity: usize, rows: &[u8], out: &mut [u8]) {
    let base = u8::try_from(parity).unwrap_or(u8::MAX);
    let data = |place: &u8| place.saturating_add(base);
    let mut y_missing = [0; ORDER];
    let mut y_scale = [0; ORDER];
    let mut y_logs = [0; ORDER];
    let mut unused = [0; ORDER];
    let missing = losses.missing.len().min(ORDER);
    let (y_missing, y_scale, y_logs) = (
        y_missing.get_mut(..missing).unwrap_or_default(),
        y_scale.get_mut(..missing).unwrap_or_default(),
        y_logs.get_mut(..missing).unwrap_or_default(),
    );
    for (y, place) in y_missing.iter_mut().zip(losses.missing) {
        *y = data(place);
    }
    let by_all = losses.used.len() > parity / 2;
    let others = (0..base).filter(|row| by_all && !losses.used.contains(row));
    let mut others_len = 0usize;
    for (slot, row) in unused.iter_mut().zip(others) {
        *slot = row;
        others_len = others_len.saturating_add(1);
    }
    let unused = unused.get(..others_len).unwrap_or_default();
    // The logarithms of P(z) / Q(z), and of each y + z. log(0) reads as 0, which leaves the zero at z itself out.
    let quotient = |z: u8, y_logs: &mut [u16]| {
        let mut of_missing = 0usize;
        for (log_y, y) in y_logs.iter_mut().zip(&*y_missing) {
            let log = log(y ^ z);
            *log_y = u16::try_from(log).unwrap_or(0);
            of_missing = of_missing.wrapping_add(log);
        }
        let sum = |points: &[u8]| -> usize { points.iter().map(|x| log(x ^ z)).sum() };
        // Whatever is taken away is added as a multiple of the order first.
        let (added, taken) = if by_all {
            let all = rows.get(usize::from(z)).map_or(0, |sum| usize::from(*sum));
            (sum(unused), all)
        } else {
            (0, sum(losses.used))
        };
        let room = losses.used.len().saturating_add(1).wrapping_mul(ORDER);
        let all = of_missing.wrapping_add(added).wrapping_add(room);
        all.wrapping_sub(taken) % ORDER
    };
    for (scale, y) in y_scale.iter_mut().zip(&*y_missing) {
        let inverse = ORDER.saturating_sub(quotient(*y, y_logs));
        *scale = u16::try_from(inverse).unwrap_or(0);
    }
    let inputs = losses
        .here
        .iter()
        .map(data)
        .chain(losses.used.iter().copied());
    for (z, column) in inputs.zip(out.chunks_exact_mut(missing.max(1))) {
        let scale = quotient(z, y_logs).saturating_add(ORDER);
        let scale = u16::try_from(scale).unwrap_or(0);
        for ((out, y_log), y_scale) in column.iter_mut().zip(&*y_logs).zip(&*y_scale) {
            *out = exp(usize::from(
                scale.wrapping_add(*y_scale).wrapping_sub(*y_log),
            ));
        }
    }
}

/// As [`cauchy_repair`] for the code whose matrix is `code`, with at most two shards missing. `false` when these shards
/// do not determine the missing ones, or when there are more.
pub fn small_repair(code: &[u8], parity: usize, losses: Losses<'_>, out: &mut [u8]) -> bool {
    let at = |input: u8, row: u8| {
        let place = usize::from(input).saturating_mul(parity);
        code.get(place.saturating_add(usize::from(row)))
            .copied()
            .unwrap_or(0)
    };
    // The inverse of what the used rows say about the missing shards: one row per missing shard.
    let inverses = match (losses.missing, losses.used) {
        (&[y], &[x]) => [[inverse(at(y, x)), 0], [0, 0]],
        (&[y0, y1], &[x0, x1]) => {
            let [a, b, c, d] = [at(y0, x0), at(y1, x0), at(y0, x1), at(y1, x1)];
            let scale = inverse(product(a, d) ^ product(b, c));
            [[d, b], [c, a]].map(|row| row.map(|x| product(scale, x)))
        }
        _ => return false,
    };
    if inverses.as_flattened().iter().all(|x| *x == 0) {
        return false;
    }
    // A used parity shard says itself and nothing else.
    let here = losses
        .here
        .iter()
        .map(|&i| [0, 1].map(|r| losses.used.get(r).map_or(0, |&row| at(i, row))));
    let own = [[1, 0], [0, 1]].into_iter().take(losses.used.len());
    let columns = out.chunks_exact_mut(losses.missing.len().max(1));
    for ([first, second], column) in here.chain(own).zip(columns) {
        for (out, [a, b]) in column.iter_mut().zip(inverses) {
            *out = product(a, first) ^ product(b, second);
        }
    }
    true
}
