//! `punktfunkd` as a process: how it starts, what it becomes, what it says when it cannot, and how it ends.
mod daemon;
mod messages;
mod privileges;
mod state;
mod supervision;
