#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role { Host, Client }
pub struct Config;
