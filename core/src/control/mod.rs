//! The control stream: sealed envelope, message types.
