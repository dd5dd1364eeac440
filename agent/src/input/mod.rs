//! A client's input into the session.
