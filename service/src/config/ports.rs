//! The six ports, and which of them may coincide.

/// Ports as bound. Any may be changed; all are advertised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    pub http: u16,
    pub https: u16,
    pub rtsp: u16,
    pub video: u16,
    pub control: u16,
    pub audio: u16,
}

impl Default for Ports {
    /// What clients expect when nothing else is said.
    fn default() -> Self {
        Self {
            http: 47989,
            https: 47984,
            rtsp: 48010,
            video: 47998,
            control: 47999,
            audio: 48000,
        }
    }
}

impl Ports {
    /// Derived from one base port, which is the HTTP port.
    pub fn from_base(base: u16) -> Option<Self> {
        Some(Self {
            http: base,
            https: base.checked_sub(5)?,
            rtsp: base.checked_add(21)?,
            video: base.checked_add(9)?,
            control: base.checked_add(10)?,
            audio: base.checked_add(11)?,
        })
    }

    /// Every port with the name of its key.
    pub fn named(&self) -> [(&'static str, u16); 6] {
        [
            ("http", self.http),
            ("https", self.https),
            ("rtsp", self.rtsp),
            ("video", self.video),
            ("control", self.control),
            ("audio", self.audio),
        ]
    }

    /// The same ports, if they can all be bound by an unprivileged process at once.
    ///
    /// # Errors
    /// A sentence that names the port at fault.
    pub fn validated(self) -> Result<Self, String> {
        if let Some((name, port)) = self.named().into_iter().find(|(_, port)| *port < 1024) {
            return Err(format!(
                "ports.{name} = {port}: ports below 1024 need privileges that the service gives up"
            ));
        }
        // TCP and UDP have separate port spaces.
        for group in [
            [
                ("http", self.http),
                ("https", self.https),
                ("rtsp", self.rtsp),
            ],
            [
                ("video", self.video),
                ("control", self.control),
                ("audio", self.audio),
            ],
        ] {
            let [a, b, c] = group;
            for (one, other) in [(a, b), (a, c), (b, c)] {
                if one.1 == other.1 {
                    return Err(format!(
                        "ports.{} and ports.{} are both {}: each needs its own",
                        one.0, other.0, one.1
                    ));
                }
            }
        }
        Ok(self)
    }
}
