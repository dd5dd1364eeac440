//! Just enough DER to find the key and the signature in a certificate. Reads neither dates, names, serial numbers nor
//! extensions, so that nothing in them can keep a device away.

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OBJECT_ID: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
/// `[0]`, where a certificate says its version.
const VERSION: u8 = 0xa0;

/// What matters of a certificate.
pub(super) struct Fields<'a> {
    /// Object identifier of the key's algorithm, encoded.
    pub(super) algorithm: &'a [u8],
    /// Contents of the key's BIT STRING.
    pub(super) public_key: &'a [u8],
    /// Contents of the signature's BIT STRING.
    pub(super) signature: &'a [u8],
    /// Bytes behind the certificate.
    pub(super) rest: &'a [u8],
}

/// `None` when `bytes` do not have the shape of a certificate.
pub(super) fn fields(bytes: &[u8]) -> Option<Fields<'_>> {
    let (certificate, rest) = expect(bytes, SEQUENCE)?;
    let (signed, after) = expect(certificate, SEQUENCE)?;
    let (_, after) = expect(after, SEQUENCE)?;
    let (signature, _) = expect(after, BIT_STRING)?;

    let (tag, _, after) = element(signed)?;
    let at = if tag == VERSION { after } else { signed };
    let (_, mut at) = expect(at, INTEGER)?;
    // The signature's algorithm, issuer, validity, subject.
    for _ in 0..4 {
        (_, at) = expect(at, SEQUENCE)?;
    }
    let (key, _) = expect(at, SEQUENCE)?;
    let (algorithm, bits) = expect(key, SEQUENCE)?;
    let (algorithm, _) = expect(algorithm, OBJECT_ID)?;
    let (public_key, _) = expect(bits, BIT_STRING)?;
    Some(Fields {
        algorithm,
        public_key: whole_bytes(public_key)?,
        signature: whole_bytes(signature)?,
        rest,
    })
}

/// Bits of the modulus of an RSA key.
pub(super) fn rsa_bits(public_key: &[u8]) -> Option<usize> {
    let (key, _) = expect(public_key, SEQUENCE)?;
    let (modulus, _) = expect(key, INTEGER)?;
    let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
    let digits = modulus.get(zeros..)?;
    let unused = usize::try_from(digits.first()?.leading_zeros()).ok()?;
    digits.len().checked_mul(8)?.checked_sub(unused)
}

/// The contents of a BIT STRING without spare bits.
fn whole_bytes(bits: &[u8]) -> Option<&[u8]> {
    match bits {
        [0, bytes @ ..] => Some(bytes),
        _ => None,
    }
}

/// The contents of the first element, if it has this tag, and what follows it.
fn expect(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, contents, rest) = element(bytes)?;
    (found == tag).then_some((contents, rest))
}

/// Tag and contents of the first element, and what follows it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, length], rest) = bytes.split_first_chunk::<2>()?;
    let (length, rest) = match length {
        0..=0x7f => (usize::from(length), rest),
        0x81 => {
            let (length, rest) = rest.split_first()?;
            (usize::from(*length), rest)
        }
        0x82 => {
            let (length, rest) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes(*length)), rest)
        }
        _ => return None,
    };
    let (contents, rest) = rest.split_at_checked(length)?;
    Some((tag, contents, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lengths_of_one_two_and_three_bytes_are_read_and_no_others() {
        assert_eq!(element(&[4, 1, 9, 7]), Some((4, &[9][..], &[7][..])));
        assert_eq!(element(&[4, 0x81, 1, 9]), Some((4, &[9][..], &[][..])));
        assert_eq!(element(&[4, 0x82, 0, 1, 9]), Some((4, &[9][..], &[][..])));
        for bad in [
            &[4][..],
            &[4, 2, 9],
            &[4, 0x80, 9],
            &[4, 0x83, 0, 0, 1, 9],
            &[4, 0x82, 1],
        ] {
            assert_eq!(element(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn the_size_of_an_rsa_key_does_not_count_leading_zeros() {
        assert_eq!(rsa_bits(&[0x30, 5, 2, 3, 0, 0x80, 1]), Some(16));
        assert_eq!(rsa_bits(&[0x30, 4, 2, 2, 0x01, 0]), Some(9));
        assert_eq!(rsa_bits(&[0x30, 3, 2, 1, 0]), None);
        assert_eq!(rsa_bits(b"?"), None);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = fields(&bytes);
            let _ = rsa_bits(&bytes);
        }
    }
}
