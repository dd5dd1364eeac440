//! An output that sway made when nobody waited for it any more.
//!
//! A sway that is busy or was stopped can make an output and answer too late, or not say which it made. It belongs to no
//! stream then, and nothing would ever take it away. So for a while after such a failure somebody looks for it: it is
//! the headless output that was not there before and that no stream of this process has.

use std::{
    collections::HashSet,
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use super::{
    ipc::{Ipc, IpcError},
    remove,
};

/// What sway calls the outputs that it makes.
const MADE: &str = "HEADLESS-";
/// When it is looked for.
const LOOKS: [Duration; 4] = [
    Duration::from_secs(1),
    Duration::from_secs(4),
    Duration::from_secs(15),
    Duration::from_secs(40),
];

/// The outputs of this process's streams, by name. Whoever makes one holds the lock meanwhile: which of two new outputs is
/// whose can only be told when they are made one after the other.
pub static OURS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// The output is gone, or is left to the warden.
pub fn forget(name: &str) {
    let mut ours = OURS.lock().unwrap_or_else(PoisonError::into_inner);
    ours.retain(|known| known != name);
}

/// Look for what sway behind `socket` may still make; `before` was there when it was asked.
pub fn look_for(socket: PathBuf, before: HashSet<String>) {
    let looks = move || {
        for pause in LOOKS {
            std::thread::sleep(pause);
            match look(&socket, &before) {
                Ok(None) => {}
                Ok(Some(name)) => {
                    tracing::info!(name, "took away an output that sway made too late");
                    return;
                }
                // a sway that is gone has no outputs
                Err(error) => tracing::debug!(%error, "looking for an output that came too late"),
            }
        }
    };
    let thread = std::thread::Builder::new().name("pf-late".into());
    if let Err(error) = thread.spawn(looks) {
        tracing::warn!(%error, "an output that sway makes too late will stay");
    }
}

fn look(socket: &std::path::Path, before: &HashSet<String>) -> Result<Option<String>, IpcError> {
    let ours = OURS.lock().unwrap_or_else(PoisonError::into_inner);
    let mut ipc = Ipc::connect(socket)?;
    let names = ipc.outputs()?.into_iter().map(|output| output.name);
    let is_late =
        |name: &String| name.starts_with(MADE) && !before.contains(name) && !ours.contains(name);
    let Some(name) = names.into_iter().find(is_late) else {
        return Ok(None);
    };
    remove(&mut ipc, &name)?;
    Ok(Some(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::sway::double::sway;

    #[test]
    fn what_sway_makes_too_late_is_taken_away_and_nothing_else() {
        let outputs = r#"[{"name":"eDP-1"},{"name":"HEADLESS-1"},{"name":"HEADLESS-7"},{"name":"HEADLESS-8"}]"#;
        OURS.lock().unwrap().push("HEADLESS-7".to_owned());
        let before = HashSet::from(["HEADLESS-1".to_owned(), "eDP-1".to_owned()]);
        let (path, sway) = sway("late", &[outputs, r#"[{"success":true}]"#]);
        assert_eq!(look(&path, &before).unwrap().unwrap(), "HEADLESS-8");
        let asked = sway.join().unwrap();
        assert_eq!(asked[1].1, "output HEADLESS-8 unplug");
        forget("HEADLESS-7");
    }

    #[test]
    fn nothing_is_taken_away_where_nothing_came() {
        let (path, sway) = sway("not-late", &[r#"[{"name":"HEADLESS-1"},{"name":"DP-1"}]"#]);
        let before = HashSet::from(["HEADLESS-1".to_owned()]);
        // a monitor that was plugged in is the user's
        assert_eq!(look(&path, &before).unwrap(), None);
        assert_eq!(sway.join().unwrap().len(), 1);
    }
}
