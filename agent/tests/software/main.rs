//! The encoder that is built in: its colours as a foreign decoder sees them, its rate as a network would, and its speed as the
//! program tells it.

mod colour;
mod desktop;
mod page;
mod rate;
mod speed;
