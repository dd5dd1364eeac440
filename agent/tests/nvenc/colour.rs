//! Colours through the card's H.264, whose pictures the simulated driver really encodes.

#[path = "../colour_card/mod.rs"]
mod colour_card;

use crate::{
    driver::{with_driver, with_egl},
    lent::Pool,
};
use punktfunk_agent::encode::Kind;

#[test]
fn every_matrix_and_range_comes_back_within_3_of_255_and_is_described() {
    let body = || {
        colour_card::comes_back_in_every_matrix_and_range(
            |settings| Kind::Nvenc.open("h264", settings).unwrap(),
            |_, card| card.clone(),
        );
    };
    let name = "colour::every_matrix_and_range_comes_back_within_3_of_255_and_is_described";
    with_driver(name, &[], body, |_| {});
}

#[test]
fn lent_colours_come_back_within_3_of_255() {
    let body = || {
        let pool = std::cell::RefCell::new(None);
        colour_card::comes_back_in_every_matrix_and_range(
            |settings| Kind::Nvenc.open("h264", settings).unwrap(),
            |encoder, card| {
                let format = *encoder.importable().first().expect("something");
                let mut pool = pool.borrow_mut();
                let new = || Pool::new(2, (card.width, card.height), format);
                pool.get_or_insert_with(new).lend(card)
            },
        );
        // three matrices in two ranges
        assert_eq!(pool.into_inner().unwrap().back(), 6 * 8);
    };
    let name = "colour::lent_colours_come_back_within_3_of_255";
    with_egl(name, &[], body, |_| {});
}
