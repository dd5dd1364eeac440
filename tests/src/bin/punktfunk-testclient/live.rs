//! A stream that is told what to do while it runs: a script line by line, and what the host says back.

use anyhow::{Context, Result};
use punktfunk_tests::{
    control::Commands,
    envelope::Message,
    input::{Step, parse_script},
};
use std::{
    fs::File,
    io::{BufRead, Write},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// Play standard input line by line on a thread of its own, as far as a host with these feature flags takes it. True when it
/// has ended: time to leave.
pub fn play_standard_input(commands: Commands, feature_flags: u32) -> Arc<AtomicBool> {
    let over = Arc::new(AtomicBool::new(false));
    let ended = over.clone();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let steps = line
                .map_err(Into::into)
                .and_then(|line| parse_script(&line));
            match steps {
                Ok(steps) => play(&commands, feature_flags, &steps),
                Err(error) => eprintln!("standard input: {error:#}"),
            }
        }
        ended.store(true, Ordering::Release);
    });
    over
}

fn play(commands: &Commands, feature_flags: u32, steps: &[Step]) {
    for step in steps {
        match step {
            Step::Send(input) if !input.is_for(feature_flags) => {
                eprintln!("the host does not ask for fingers and pens: not sent");
            }
            Step::Send(input) => commands.input(input),
            Step::Wait(time) => std::thread::sleep(*time),
        }
    }
}

/// Writes down what the host says of controllers.
pub struct Feedback {
    file: File,
    seen: usize,
}

impl Feedback {
    pub fn open(path: &Path) -> Result<Self> {
        let mut file = File::options()
            .append(true)
            .create(true)
            .open(path)
            .with_context(|| format!("cannot write {}", path.display()))?;
        writeln!(file, "ready")?;
        Ok(Self { file, seen: 0 })
    }

    /// `messages`: everything that the host said so far.
    pub fn note(&mut self, messages: &[Message]) {
        for line in messages.iter().skip(self.seen).filter_map(feedback) {
            // A full disk shows in what the reader misses.
            let _ = writeln!(self.file, "{line}");
        }
        self.seen = messages.len();
    }
}

/// One line for a message about a controller, `None` for any other: `feedback rumble N LOW HIGH`, `feedback light N R G B`,
/// `feedback motion N HZ KIND`, `feedback triggers N FLAGS LEFT RIGHT` (bytes in hexadecimal).
fn feedback(message: &Message) -> Option<String> {
    let bytes = &message.payload;
    let word = |at: usize| {
        let pair = [bytes.get(at).copied()?, bytes.get(at + 1).copied()?];
        Some(u16::from_le_bytes(pair))
    };
    let byte = |at: usize| bytes.get(at).copied();
    Some(match message.kind {
        0x010b => format!("feedback rumble {} {} {}", word(4)?, word(6)?, word(8)?),
        0x5501 => format!("feedback motion {} {} {}", word(0)?, word(2)?, byte(4)?),
        0x5502 => format!(
            "feedback light {} {} {} {}",
            word(0)?,
            byte(2)?,
            byte(3)?,
            byte(4)?
        ),
        0x5503 => format!(
            "feedback triggers {} {} {:02x}{} {:02x}{}",
            word(0)?,
            byte(2)?,
            byte(3)?,
            hex(bytes.get(5..15)?),
            byte(4)?,
            hex(bytes.get(15..25)?)
        ),
        _ => return None,
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
