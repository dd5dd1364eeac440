//! Links ISA-L, the reference of the field for erasure codes on x86.
fn main() {
    println!("cargo:rustc-link-lib=dylib=isal");
}
