//! (owner writes)
