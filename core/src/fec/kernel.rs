//! The byte loops: multiplying slices by field elements. A faster kernel replaces the bodies here and nothing else.
use reed_solomon_erasure::galois_8;

/// `out = sum of coefficients[i] * inputs[i]`, bytewise; all slices are equally long.
pub fn combine<'a>(coefficients: &[u8], inputs: impl Iterator<Item = &'a [u8]>, out: &mut [u8]) {
    let mut terms = coefficients.iter().zip(inputs);
    match terms.next() {
        Some((&c, input)) => galois_8::mul_slice(c, input, out),
        None => out.fill(0),
    }
    for (&c, input) in terms {
        accumulate(c, input, out);
    }
}

/// `out += coefficient * input`, bytewise; both are equally long.
pub fn accumulate(coefficient: u8, input: &[u8], out: &mut [u8]) {
    galois_8::mul_slice_xor(coefficient, input, out);
}
