//! The agent's program on a bus of its own, against stand-ins for the service, logind and the desktop.

mod fixture;
mod keysyms;
mod layout;
mod notices;
mod portal;
mod registration;
mod session_life;
