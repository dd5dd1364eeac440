//! What a command answers, and how it is printed.
use crate::failure::Failure;
use serde::Serialize;
use std::io::Write;

/// A result in both of its forms.
pub struct Report {
    human: String,
    json: serde_json::Value,
    exit_code: i32,
}

impl Report {
    pub fn new(human: impl Into<String>, json: &impl Serialize) -> Result<Self, Failure> {
        let json = serde_json::to_value(json)
            .map_err(|e| Failure::service(format!("the answer has no JSON form: {e}")))?;
        Ok(Self::of_value(human, json))
    }

    pub fn of_value(human: impl Into<String>, json: serde_json::Value) -> Self {
        Self {
            human: human.into(),
            json,
            exit_code: 0,
        }
    }

    pub fn with_exit_code(mut self, exit_code: i32) -> Self {
        self.exit_code = exit_code;
        self
    }
}

/// Prints the outcome and answers the exit code. JSON goes to standard output in any case, so that a script reads
/// one stream; a person's errors go to standard error.
pub fn print(outcome: Result<Report, Failure>, json: bool) -> i32 {
    match outcome {
        Ok(report) if json => {
            line(&format!("{:#}", report.json));
            report.exit_code
        }
        Ok(report) => {
            line(report.human.trim_end());
            report.exit_code
        }
        Err(failure) => {
            if json {
                line(&format!("{:#}", serde_json::json!({ "error": failure })));
            } else {
                eprintln!("punktfunkctl: {}", failure.message);
                if let Some(remedy) = &failure.remedy {
                    eprintln!("  {remedy}");
                }
            }
            failure.kind.exit_code()
        }
    }
}

/// One line to standard output; a reader that is gone (`| head`) is no error.
pub fn line(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// Progress for a person, while standard output is kept for the result.
pub fn progress(text: &str) {
    eprintln!("{text}");
}
