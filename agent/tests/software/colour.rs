//! Colours through the built-in encoder.

#[path = "../colour_card/mod.rs"]
mod colour_card;

use punktfunk_agent::encode::Kind;

#[test]
fn every_matrix_and_range_comes_back_within_3_of_255_and_is_described() {
    colour_card::comes_back_in_every_matrix_and_range(
        |settings| Kind::OpenH264.open("h264", settings).unwrap(),
        |_, card| card.clone(),
    );
}
