//! VAAPI against the simulated driver: what a real one would refuse is a fault in its books, and there must be none.

mod av1;
mod colour;
#[path = "../colour_card/mod.rs"]
mod colour_card;
mod driver;
mod import;
mod lent;
mod life;
mod pictures;
mod program;
mod streams;
