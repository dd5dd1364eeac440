pub struct Frame;
pub struct Session;
