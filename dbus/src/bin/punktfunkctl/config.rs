//! `punktfunkctl config`: the host's settings.
use crate::{
    authentication::TerminalAgent,
    bus::Bus,
    cli::{ConfigArguments, ConfigCommand},
    failure::Failure,
    report::Report,
    table::table,
};
use serde_json::{Map, json};
use std::{collections::BTreeMap, path::PathBuf, process::Command};
use zbus::zvariant::{OwnedValue, Value};

/// One key as it is.
struct Setting {
    value: serde_json::Value,
    origin: String,
    waits: bool,
}

pub async fn run(bus: &Bus, arguments: &ConfigArguments) -> Result<Report, Failure> {
    match &arguments.command {
        None => list(bus, &[]).await,
        Some(ConfigCommand::Get { keys }) => list(bus, keys).await,
        Some(ConfigCommand::Set { settings }) => set(bus, settings).await,
        Some(ConfigCommand::Reset { keys, all }) => {
            if keys.is_empty() && !all {
                return Err(Failure::not_found("name the keys to reset, or say --all"));
            }
            let _agent = TerminalAgent::start().await;
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            let restart = bus.host().await?.reset_configuration(&keys).await?;
            done("The files decide again", &restart)
        }
        Some(ConfigCommand::Reload) => {
            let _agent = TerminalAgent::start().await;
            let restart = bus.host().await?.reload_configuration().await?;
            done("The configuration was read again", &restart)
        }
        Some(ConfigCommand::Check { .. }) => Err(Failure::service("answered without the bus")),
    }
}

/// Have the service's program look at the files, which only it understands. Works without a bus.
pub fn check(file: Option<&PathBuf>) -> Result<Report, Failure> {
    let beside = std::env::current_exe()
        .ok()
        .map(|path| path.with_file_name("punktfunkd"))
        .filter(|path| path.exists());
    let mut command = Command::new(beside.unwrap_or_else(|| "punktfunkd".into()));
    command.arg("--check");
    if let Some(file) = file {
        command.arg("--config").arg(file);
    }
    let output = command
        .output()
        .map_err(|error| Failure::service(format!("punktfunkd cannot be run: {error}")))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() {
        return Report::new(text(&output.stdout), &json!({ "valid": true }));
    }
    let why = text(&output.stderr);
    Err(Failure::service(
        why.strip_prefix("punktfunkd: ").unwrap_or(&why),
    ))
}

async fn list(bus: &Bus, keys: &[String]) -> Result<Report, Failure> {
    let mut settings = settings(bus).await?;
    if !keys.is_empty() {
        if let Some(unknown) = keys.iter().find(|key| !settings.contains_key(*key)) {
            return Err(
                Failure::not_found(format!("no setting is called {unknown}"))
                    .with_remedy("list them with `punktfunkctl config get`"),
            );
        }
        settings.retain(|key, _| keys.contains(key));
    }
    let json: Map<String, serde_json::Value> = settings
        .iter()
        .map(|(key, setting)| {
            let fields = json!({
                "value": setting.value, "origin": setting.origin, "restart_needed": setting.waits,
            });
            (key.clone(), fields)
        })
        .collect();
    // One value alone is for a script.
    if let ([_], Some(setting)) = (keys, settings.values().next()) {
        return Ok(Report::of_value(shown(&setting.value), json.into()));
    }
    let rows: Vec<_> = settings
        .iter()
        .map(|(key, setting)| {
            let origin = match setting.waits {
                true => format!("{} (after a restart)", setting.origin),
                false => setting.origin.clone(),
            };
            [key.clone(), shown(&setting.value), origin]
        })
        .collect();
    let text = table(["KEY", "VALUE", "FROM"], &rows);
    Ok(Report::of_value(text, json.into()))
}

async fn settings(bus: &Bus) -> Result<BTreeMap<String, Setting>, Failure> {
    let host = bus.host().await?;
    let values = host.configuration().await?;
    let origins = host.configuration_origins().await?;
    let waiting = host.restart_needed().await?;
    let settings = values.into_iter().map(|(key, value)| {
        let setting = Setting {
            value: json_of(&value),
            origin: origins.get(&key).cloned().unwrap_or_default(),
            waits: waiting.contains(&key),
        };
        (key, setting)
    });
    Ok(settings.collect())
}

fn json_of(value: &OwnedValue) -> serde_json::Value {
    match &**value {
        Value::Str(text) => text.as_str().into(),
        Value::Bool(flag) => (*flag).into(),
        Value::I64(number) => (*number).into(),
        other => other.to_string().into(),
    }
}

fn shown(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

async fn set(bus: &Bus, words: &[String]) -> Result<Report, Failure> {
    let mut values = std::collections::HashMap::new();
    for word in words {
        let (key, value) = word
            .split_once('=')
            .ok_or_else(|| Failure::service(format!("{word}: a setting is written KEY=VALUE")))?;
        values.insert(key, typed(value));
    }
    let _agent = TerminalAgent::start().await;
    let restart = bus.host().await?.set_configuration(values).await?;
    done("Set", &restart)
}

/// A boolean or a number where it looks like one; what has to be a text and looks like a number is put in quotes.
fn typed(word: &str) -> Value<'_> {
    match word {
        "true" => true.into(),
        "false" => false.into(),
        _ => match word.parse::<i64>() {
            Ok(number) => number.into(),
            Err(_) => word
                .strip_prefix('"')
                .and_then(|rest| rest.strip_suffix('"'))
                .unwrap_or(word)
                .into(),
        },
    }
}

fn done(what: &str, restart: &[String]) -> Result<Report, Failure> {
    let text = match restart {
        [] => format!("{what}."),
        keys => format!(
            "{what}. After a restart of the service it also holds for: {} (sudo systemctl restart punktfunk)",
            keys.join(", ")
        ),
    };
    Report::new(text, &json!({ "restart_needed": restart }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_what_they_look_like_unless_quoted() {
        assert_eq!(typed("true"), Value::from(true));
        assert_eq!(typed("20"), Value::from(20_i64));
        assert_eq!(typed("required"), Value::from("required"));
        assert_eq!(typed("\"20\""), Value::from("20"));
        assert_eq!(typed(""), Value::from(""));
    }
}
