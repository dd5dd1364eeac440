//! All benches in one table: what | median | reference | its median | ratio.
//!
//! A figure means something only beside its reference, which is measured in turns with it in the same run. Arguments
//! choose rows by a part of their name: `make bench BENCH=fec`.
//!
//! Another part of the product joins as a module here with a `run(&mut Table)`, and a line in `main`.
mod fec;
mod hand_over;
mod iceoryx;
#[cfg(target_arch = "x86_64")]
mod isal;
mod mapping;
mod ratio;
mod ring;
mod send;
mod video;

fn main() {
    let mut table = ratio::Table::from_args();
    fec::run(&mut table);
    video::run(&mut table);
    ring::run(&mut table);
    hand_over::run(&mut table);
    send::run(&mut table);
    table.finish();
}
