//! punktfunk-agent as a library: what `main` puts together and what tests drive.

pub mod source;
