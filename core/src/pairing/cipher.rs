//! The PIN key and the two primitives that pairing is made of.
use aes::{
    Aes128,
    cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit},
};
use ring::digest::{Context, SHA256};

/// SHA-256 over the parts, one after another.
pub(super) fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    let mut out = [0; 32];
    // SHA-256 has 32 bytes; zip cannot run over either side.
    for (to, from) in out.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    out
}

/// AES-128-ECB without padding under the PIN key. ECB is the protocol's choice; the messages are random or hashes.
pub(super) struct PinCipher(Aes128);

impl PinCipher {
    pub(super) fn new(salt: &[u8; 16], pin: &str) -> Self {
        let [key, _] = halves(&hash(&[salt, pin.as_bytes()]));
        Self(Aes128::new(&key.into()))
    }

    pub(super) fn encrypt(&self, blocks: &[[u8; 16]]) -> Vec<u8> {
        blocks
            .iter()
            .flat_map(|block| {
                let mut block = (*block).into();
                self.0.encrypt_block(&mut block);
                block
            })
            .collect()
    }

    pub(super) fn decrypt<const N: usize>(&self, blocks: &[[u8; 16]; N]) -> [[u8; 16]; N] {
        blocks.map(|block| {
            let mut block = block.into();
            self.0.decrypt_block(&mut block);
            block.into()
        })
    }
}

/// The two cipher blocks of a hash.
pub(super) fn halves(hash: &[u8; 32]) -> [[u8; 16]; 2] {
    let mut out = [[0; 16]; 2];
    for (to, from) in out.as_flattened_mut().iter_mut().zip(hash) {
        *to = *from;
    }
    out
}
