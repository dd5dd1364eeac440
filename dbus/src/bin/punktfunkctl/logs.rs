//! `punktfunkctl logs`: the journal, by the fields that the service writes.
use crate::{cli::LogArguments, failure::Failure};
use std::{os::unix::process::CommandExt, process::Command};

/// Becomes journalctl; returns only if that cannot be.
pub fn run(arguments: &LogArguments, json: bool) -> Failure {
    let error = Command::new("journalctl")
        .args(words(arguments, json))
        .exec();
    Failure::service(format!("journalctl cannot be run: {error}"))
        .with_remedy("install systemd's journal, or look where this machine keeps its logs")
}

fn words(arguments: &LogArguments, json: bool) -> Vec<String> {
    let mut words = vec!["--no-hostname".to_owned()];
    if json {
        words.push("--output=json".into());
    }
    if arguments.follow {
        words.push("--follow".into());
    }
    if arguments.explain {
        words.push("--catalog".into());
    }
    if let Some(since) = &arguments.since {
        words.push(format!("--since={since}"));
    }
    if let Some(lines) = arguments.lines {
        words.push(format!("--lines={lines}"));
    }
    let fields = [
        ("PUNKTFUNK_CLIENT", arguments.client.as_ref()),
        ("PUNKTFUNK_STREAM", arguments.stream.as_ref()),
        ("PUNKTFUNK_USER", arguments.user.as_ref()),
    ];
    let wanted: Vec<String> = fields
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{name}={}", value?)))
        .collect();
    if arguments.agent {
        words.push("--user-unit=punktfunk-agent.service".into());
    } else {
        words.push("_SYSTEMD_UNIT=punktfunk.service".into());
    }
    words.extend(wanted);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wish_becomes_a_field_or_an_option() {
        let arguments = LogArguments {
            follow: true,
            stream: Some("7".into()),
            since: Some("today".into()),
            ..LogArguments::default()
        };
        assert_eq!(
            words(&arguments, true),
            [
                "--no-hostname",
                "--output=json",
                "--follow",
                "--since=today",
                "_SYSTEMD_UNIT=punktfunk.service",
                "PUNKTFUNK_STREAM=7"
            ]
        );
    }
}
