//! One byte after the other, by the field arithmetic of `reed-solomon-erasure`: for every CPU, and what the other kernels
//! are compared with.
use reed_solomon_erasure::galois_8;

/// See [`super::Body`]; this one has no conditions that it would be unsafe to break.
pub(super) fn multiply(coefficients: &[u8], inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let step = outputs.len();
    for (j, output) in outputs.iter_mut().enumerate() {
        output.fill(0);
        for (&factor, input) in coefficients.iter().skip(j).step_by(step).zip(inputs) {
            galois_8::mul_slice_xor(factor, input, output);
        }
    }
}
