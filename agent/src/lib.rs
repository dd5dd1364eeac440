//! punktfunk-agent as a library: what `main` puts together and what tests drive.

pub mod audio;
pub mod capture;
pub mod input;
pub mod source;
