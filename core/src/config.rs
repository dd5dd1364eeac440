pub enum Role { Host, Client }
pub struct Config;
