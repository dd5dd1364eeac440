//! [owner: platform]
