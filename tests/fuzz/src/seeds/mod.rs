//! The first corpus: what a real session sends, made by the encoders of this tree.
mod channel;
mod control;
mod media;
mod requests;

/// Inputs of one target.
pub type Seeds = Vec<Vec<u8>>;

/// The seeds of each target.
pub fn all() -> [(&'static str, Seeds); 11] {
    [
        ("access_unit", media::access_unit()),
        ("announce", requests::announce()),
        ("audio", media::audio()),
        ("channel", channel::channel()),
        ("control", control::control()),
        ("enet", control::enet()),
        ("http", requests::http()),
        ("input", control::input()),
        ("pairing", requests::pairing()),
        ("rtsp", requests::rtsp()),
        ("video", media::video()),
    ]
}
