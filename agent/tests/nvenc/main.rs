//! NVENC against the simulated driver: what a real one would refuse is a fault in its books, and there must be none.

mod colour;
mod driver;
mod import;
mod imported_life;
mod lent;
mod life;
mod pictures;
mod program;
mod slices;
mod streams;
