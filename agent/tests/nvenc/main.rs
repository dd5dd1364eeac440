//! NVENC against the simulated driver: what a real one would refuse is a fault in its books, and there must be none.

mod colour;
mod driver;
mod life;
mod pictures;
mod program;
mod streams;
