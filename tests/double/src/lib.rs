//! A double of the agent: it registers on the bus, opens streams and speaks the channel like the real one, but its pictures
//! come from recordings (or from whatever a test gives it), so that two cores carry many streams. It obeys every order,
//! writes each down, and misbehaves on request. It never looks at a screen.

pub mod agent;
pub mod behaviour;
pub mod codec;
pub mod filler;
pub mod orders;
pub mod player;
pub mod recording;
pub mod split;
pub mod stream;
pub mod tag;

pub use agent::{AgentDouble, Offer, Streams};
pub use behaviour::Behaviour;
pub use codec::Codec;
pub use orders::{Order, Orders, Seen};
pub use player::{Player, PlayerSettings};
pub use recording::{Mode, Recording};
pub use stream::{Pictures, Unit, Wanted};
