//! Colours through the card's H.264, whose pictures the simulated driver really encodes.

use crate::{colour_card, driver::with_driver};
use punktfunk_agent::encode::Kind;

#[test]
fn every_matrix_and_range_comes_back_within_3_of_255_and_is_described() {
    let body = || {
        colour_card::comes_back_in_every_matrix_and_range(
            |settings| Kind::Vaapi.open("h264", settings).unwrap(),
            |_, card| card.clone(),
        );
    };
    let name = "colour::every_matrix_and_range_comes_back_within_3_of_255_and_is_described";
    with_driver(name, &[], body, |_| {});
}
