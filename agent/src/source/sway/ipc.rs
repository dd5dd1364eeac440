//! sway's own socket: commands and questions, each answered in JSON.
//!
//! The framing is i3's: a magic word, length and kind in the machine's byte order, then the body.

use std::{
    env, fs, io,
    io::{Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::Value;

use crate::source::detection;

pub const MAGIC: &[u8; 6] = b"i3-ipc";
const COMMAND: u32 = 0;
const OUTPUTS: u32 = 3;
const VERSION: u32 = 7;
const INPUTS: u32 = 100;
/// Keyboards that programs make have this in their names; those of the machine have not.
const VIRTUAL: &str = "virtual_keyboard";
/// The longest answer that is read: the description of many outputs is a few dozen KiB.
const MAX_ANSWER: u32 = 4 << 20;
/// sway answers at once, unless it hangs.
const LIMIT: Duration = Duration::from_secs(3);

#[derive(Debug, thiserror::Error)]
pub enum IpcError {
    #[error("sway's socket: {0}")]
    Io(#[from] io::Error),
    #[error("sway's answer could not be read: {0}")]
    Answer(String),
    #[error("sway refused \"{command}\": {why}")]
    Refused { command: String, why: String },
}

/// One output, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    pub name: String,
    pub active: bool,
    pub focused: bool,
    /// In logical pixels.
    pub position: (i32, i32),
    /// Of the current mode, pixels.
    pub size: (u32, u32),
}

/// A connection to sway.
#[derive(Debug)]
pub struct Ipc {
    stream: UnixStream,
    path: PathBuf,
}

/// Where the session's sway listens: of `SWAYSOCK` and its sockets in the runtime directory, the one that belongs to the
/// process of the session's display. A sway that runs inside the session has sockets of its own.
pub fn find() -> Option<Ipc> {
    let compositor = detection::compositor()?;
    let named = env::var_os("SWAYSOCK").map(PathBuf::from);
    let found = env::var_os("XDG_RUNTIME_DIR")
        .map(|folder| sockets(Path::new(&folder)))
        .unwrap_or_default();
    named
        .into_iter()
        .chain(found)
        .filter_map(|path| Ipc::connect(&path).ok())
        .find(|ipc| ipc.belongs_to(compositor.process))
}

/// The sockets named like sway's (`sway-ipc.UID.PID.sock`) in a folder, newest first.
fn sockets(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .filter(|entry| {
            let name = entry.file_name();
            name.to_str()
                .is_some_and(|name| name.starts_with("sway-ipc.") && name.ends_with(".sock"))
        })
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    found.sort();
    found.into_iter().rev().map(|(_, path)| path).collect()
}

impl Ipc {
    /// Connect to the socket at `path`.
    ///
    /// # Errors
    /// Nobody listens there.
    pub fn connect(path: &Path) -> Result<Self, IpcError> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(LIMIT))?;
        stream.set_write_timeout(Some(LIMIT))?;
        Ok(Self {
            stream,
            path: path.to_owned(),
        })
    }

    /// Whether this process listens at the other end.
    fn belongs_to(&self, process: Option<i32>) -> bool {
        process.is_some() && detection::owner(&self.stream) == process
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Run one command.
    ///
    /// # Errors
    /// [`IpcError::Refused`] with sway's words, or a socket that fails.
    pub fn run(&mut self, command: &str) -> Result<(), IpcError> {
        let answer = self.ask(COMMAND, command)?;
        let results = answer
            .as_array()
            .ok_or_else(|| IpcError::Answer("no list of results".to_owned()))?;
        for result in results {
            if result.get("success").and_then(Value::as_bool) != Some(true) {
                let why = result.get("error").and_then(Value::as_str);
                return Err(IpcError::Refused {
                    command: command.to_owned(),
                    why: why.unwrap_or("no reason given").to_owned(),
                });
            }
        }
        Ok(())
    }

    /// All outputs.
    ///
    /// # Errors
    /// A socket that fails or an answer that makes no sense.
    pub fn outputs(&mut self) -> Result<Vec<Output>, IpcError> {
        let answer = self.ask(OUTPUTS, "")?;
        let list = answer
            .as_array()
            .ok_or_else(|| IpcError::Answer("no list of outputs".to_owned()))?;
        Ok(list.iter().filter_map(output).collect())
    }

    /// Its version, major and minor.
    ///
    /// # Errors
    /// As [`Self::outputs`].
    pub fn version(&mut self) -> Result<(u64, u64), IpcError> {
        let answer = self.ask(VERSION, "")?;
        let number = |field: &str| answer.get(field).and_then(Value::as_u64);
        number("major")
            .zip(number("minor"))
            .ok_or_else(|| IpcError::Answer("no version".to_owned()))
    }

    /// Which of several layouts is in force: of the machine's keyboards, else of those that programs have made. None without several.
    ///
    /// # Errors
    /// As [`Self::outputs`].
    pub fn layout_in_force(&mut self) -> Result<Option<u32>, IpcError> {
        let answer = self.ask(INPUTS, "")?;
        let list = answer
            .as_array()
            .ok_or_else(|| IpcError::Answer("no list of inputs".to_owned()))?;
        let of = |made: bool| {
            let some = list.iter().filter(|input| is_virtual(input) == made);
            // those that stand still (a power button is a keyboard, too) stay with the first
            some.filter_map(active_layout).max()
        };
        Ok(of(false).or_else(|| of(true)))
    }

    /// How long each answer may take from now on.
    pub fn set_patience(&self, limit: Duration) -> Result<(), IpcError> {
        self.stream.set_read_timeout(Some(limit))?;
        Ok(self.stream.set_write_timeout(Some(limit))?)
    }

    fn ask(&mut self, kind: u32, body: &str) -> Result<Value, IpcError> {
        let length = u32::try_from(body.len()).map_err(io::Error::other)?;
        let mut message = MAGIC.to_vec();
        message.extend_from_slice(&length.to_ne_bytes());
        message.extend_from_slice(&kind.to_ne_bytes());
        message.extend_from_slice(body.as_bytes());
        self.stream.write_all(&message)?;

        let mut header = [0; 14];
        self.stream.read_exact(&mut header)?;
        let [magic @ .., l0, l1, l2, l3, k0, k1, k2, k3] = header;
        let length = u32::from_ne_bytes([l0, l1, l2, l3]);
        if magic != *MAGIC || u32::from_ne_bytes([k0, k1, k2, k3]) != kind || length > MAX_ANSWER {
            return Err(IpcError::Answer("unexpected header".to_owned()));
        }
        let mut answer = vec![0; length as usize];
        self.stream.read_exact(&mut answer)?;
        serde_json::from_slice(&answer).map_err(|error| IpcError::Answer(error.to_string()))
    }
}

fn is_virtual(input: &Value) -> bool {
    let name = input.get("identifier").and_then(Value::as_str);
    name.is_some_and(|name| name.contains(VIRTUAL))
}

/// None for what is no keyboard, or one with a single layout.
fn active_layout(input: &Value) -> Option<u32> {
    let names = input.get("xkb_layout_names")?.as_array()?;
    let index = input.get("xkb_active_layout_index")?.as_u64()?;
    u32::try_from(index).ok().filter(|_| names.len() > 1)
}

fn output(value: &Value) -> Option<Output> {
    let flag = |name: &str| value.get(name).and_then(Value::as_bool).unwrap_or(false);
    let number = |parent: &str, name: &str| {
        value
            .get(parent)
            .and_then(|parent| parent.get(name))
            .and_then(Value::as_i64)
            .and_then(|number| i32::try_from(number).ok())
            .unwrap_or(0)
    };
    let size = |name: &str| u32::try_from(number("current_mode", name)).unwrap_or(0);
    Some(Output {
        name: value.get("name")?.as_str()?.to_owned(),
        active: flag("active"),
        focused: flag("focused"),
        position: (number("rect", "x"), number("rect", "y")),
        size: (size("width"), size("height")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::sway::double;
    use std::thread::JoinHandle;

    fn sway(name: &str, answers: &[&str]) -> (Ipc, JoinHandle<Vec<(u32, String)>>) {
        let (path, sway) = double::sway(name, answers);
        assert_eq!(sockets(path.parent().unwrap()), std::slice::from_ref(&path));
        (Ipc::connect(&path).unwrap(), sway)
    }

    #[test]
    fn outputs_are_read_with_place_and_mode() {
        let (mut ipc, sway) = sway(
            "outputs",
            &[
                r#"[{"name":"HEADLESS-2","active":true,"focused":false,"rect":{"x":1280,"y":0,"width":683,"height":384},
                 "current_mode":{"width":1366,"height":768,"refresh":60000}},{"no":"name"}]"#,
            ],
        );
        assert_eq!(
            ipc.outputs().unwrap(),
            [Output {
                name: "HEADLESS-2".to_owned(),
                active: true,
                focused: false,
                position: (1280, 0),
                size: (1366, 768),
            }]
        );
        assert_eq!(sway.join().unwrap(), [(OUTPUTS, String::new())]);
    }

    #[test]
    fn the_version_is_read() {
        let answers = [r#"{"human_readable":"1.12","major":1,"minor":12}"#, "{}"];
        let (mut ipc, sway) = sway("version", &answers);
        assert_eq!(ipc.version().unwrap(), (1, 12));
        assert!(matches!(ipc.version(), Err(IpcError::Answer(_))));
        assert_eq!(sway.join().unwrap()[0], (VERSION, String::new()));
    }

    #[test]
    fn the_layout_in_force_is_that_of_the_machines_keyboards_if_it_has_one() {
        let of_a_program = r#"{"identifier":"0:0:wlr_virtual_keyboard_v1","type":"keyboard","xkb_layout_names":["us","de"],
            "xkb_active_layout_index":1}"#;
        let keyboard = r#"{"identifier":"1:1:AT_keyboard","type":"keyboard","xkb_layout_names":["us","de"],"xkb_active_layout_index":0}"#;
        let switched = r#"{"identifier":"2:2:Another","type":"keyboard","xkb_layout_names":["us","ru","de"],"xkb_active_layout_index":2}"#;
        let rest = r#"{"identifier":"3:3:Mouse","type":"pointer"},
            {"identifier":"4:4:Pad","type":"keyboard","xkb_layout_names":["us"],"xkb_active_layout_index":3}"#;
        let lists = [
            format!("[{rest}]"),
            format!("[{rest},{of_a_program}]"),
            format!("[{of_a_program},{keyboard},{rest}]"),
            format!("[{of_a_program},{keyboard},{switched}]"),
        ];
        let answers: Vec<&str> = lists.iter().map(String::as_str).collect();
        let (mut ipc, sway) = sway("layouts", &answers);
        let told: Vec<_> = answers
            .iter()
            .map(|_| ipc.layout_in_force().unwrap())
            .collect();
        assert_eq!(told, [None, Some(1), Some(0), Some(2)]);
        assert_eq!(sway.join().unwrap()[0], (INPUTS, String::new()));
    }

    #[test]
    fn a_sway_of_another_process_than_the_displays_is_not_the_sessions() {
        let (ipc, sway) = sway("owner", &[]);
        assert!(ipc.belongs_to(Some(std::process::id() as i32)));
        assert!(!ipc.belongs_to(Some(1)));
        assert!(!ipc.belongs_to(None));
        sway.join().unwrap();
    }

    #[test]
    fn a_refused_command_says_why() {
        let (mut ipc, sway) = sway(
            "refused",
            &[
                r#"[{"success":true}]"#,
                r#"[{"success":false,"error":"Unknown/invalid command"}]"#,
            ],
        );
        ipc.run("create_output").unwrap();
        let text = ipc.run("explode").unwrap_err().to_string();
        assert!(
            text.contains("explode") && text.contains("Unknown"),
            "{text}"
        );
        let asked = sway.join().unwrap();
        assert_eq!(asked[0], (COMMAND, "create_output".to_owned()));
    }

    #[test]
    fn an_answer_that_is_no_answer_is_an_error() {
        let (mut ipc, sway) = sway("garbage", &["{", "7"]);
        assert!(matches!(ipc.outputs(), Err(IpcError::Answer(_))));
        assert!(matches!(ipc.run("x"), Err(IpcError::Answer(_))));
        sway.join().unwrap();
    }
}
