//! ISA-L's erasure coding, as far as a comparison needs it.
#![allow(unsafe_code)]
use std::ffi::{c_int, c_uchar};

unsafe extern "C" {
    fn ec_init_tables(k: c_int, rows: c_int, a: *const c_uchar, tables: *mut c_uchar);
    fn ec_encode_data(
        len: c_int,
        k: c_int,
        rows: c_int,
        tables: *const c_uchar,
        data: *const *const c_uchar,
        coding: *const *mut c_uchar,
    );
    fn ec_encode_data_avx2(
        len: c_int,
        k: c_int,
        rows: c_int,
        tables: *const c_uchar,
        data: *const *const c_uchar,
        coding: *const *mut c_uchar,
    );
}

/// An encoder for one shape. The coefficients are any: the work does not depend on them.
pub struct IsaL {
    tables: Vec<u8>,
    data: usize,
    parity: usize,
}

impl IsaL {
    pub fn new(data: usize, parity: usize) -> Self {
        let matrix: Vec<u8> = (0..data * parity).map(|k| (k % 251) as u8 + 1).collect();
        let mut tables = vec![0; 32 * data * parity];
        // SAFETY: the matrix has a byte and the tables have 32 for each product.
        unsafe {
            ec_init_tables(
                data as c_int,
                parity as c_int,
                matrix.as_ptr(),
                tables.as_mut_ptr(),
            )
        }
        Self {
            tables,
            data,
            parity,
        }
    }

    /// By the fastest kernel that it has for this CPU, or by that for AVX2.
    pub fn encode(&self, shards: &mut [Vec<u8>], avx2: bool) {
        let (data, parity) = shards.split_at_mut(self.data);
        let len = data[0].len();
        assert!(parity.len() == self.parity);
        assert!(
            data.iter()
                .chain(parity.iter())
                .all(|shard| shard.len() == len)
        );
        let inputs: Vec<*const u8> = data.iter().map(|shard| shard.as_ptr()).collect();
        let outputs: Vec<*mut u8> = parity.iter_mut().map(|shard| shard.as_mut_ptr()).collect();
        assert!(!avx2 || std::arch::is_x86_feature_detected!("avx2"));
        let encode = if avx2 {
            ec_encode_data_avx2
        } else {
            ec_encode_data
        };
        // SAFETY: as many pointers as shards, each to `len` bytes; tables made for this shape; AVX2 is there if it is asked for.
        unsafe {
            encode(
                len as c_int,
                self.data as c_int,
                self.parity as c_int,
                self.tables.as_ptr(),
                inputs.as_ptr(),
                outputs.as_ptr(),
            )
        }
    }
}
