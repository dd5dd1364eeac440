//! Pairing as a state machine, free of I/O.
