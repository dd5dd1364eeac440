//! This user's processes, as /proc has them.
use std::{
    collections::{HashMap, HashSet},
    fs,
    os::unix::fs::MetadataExt,
};

/// The ids of this user's processes whose command line satisfies `is`.
pub fn find(is: impl Fn(&[&[u8]]) -> bool) -> HashSet<i32> {
    let own = nix::unistd::getuid().as_raw();
    ids()
        .filter(|id| fs::metadata(format!("/proc/{id}")).is_ok_and(|data| data.uid() == own))
        .filter(|id| {
            let line = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
            let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
            is(&words)
        })
        .collect()
}

/// These processes and everything that descends from them.
pub fn with_descendants(roots: HashSet<i32>) -> HashSet<i32> {
    let parents: HashMap<i32, i32> = ids().filter_map(|id| Some((id, parent(id)?))).collect();
    let mut family = roots;
    loop {
        let before = family.len();
        let children = parents
            .iter()
            .filter(|(_, parent)| family.contains(parent))
            .map(|(id, _)| *id);
        let children: Vec<_> = children.collect();
        family.extend(children);
        if family.len() == before {
            return family;
        }
    }
}

fn ids() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// The second field behind the name, which stands in brackets and may contain anything.
fn parent(id: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_of_ours_is_found_and_belongs_to_its_family() {
        let own = std::process::id() as i32;
        let program = std::env::args().next().unwrap();
        let found = find(|words| words.first() == Some(&program.as_bytes()));
        assert!(found.contains(&own));
        assert!(with_descendants(HashSet::from([parent(own).unwrap()])).contains(&own));
    }
}
