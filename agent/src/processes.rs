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

/// The first of these names that a process of this user has.
pub fn named(names: &[&'static str]) -> Option<&'static str> {
    let own = nix::unistd::getuid().as_raw();
    let name_of = |id: &i32| {
        let name = fs::read_to_string(format!("/proc/{id}/comm")).ok()?;
        names
            .iter()
            .find(|known| **known == name.trim_end())
            .copied()
    };
    // not the owner of its folder, which is root for programs that nobody may look into
    let is_own = |id: &i32| {
        let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("Uid:"));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok()) == Some(own)
    };
    ids().find_map(|id| name_of(&id).filter(|_| is_own(&id)))
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

/// Every process that there is.
pub fn ids() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

fn parent(id: i32) -> Option<i32> {
    state(id).map(|(_, parent)| parent)
}

/// A process that has ended and that its parent has not asked for yet.
pub const ENDED: char = 'Z';

/// The letter of its state, and its parent: the fields behind the name, which stands in brackets and may contain anything.
pub fn state(id: i32) -> Option<(char, i32)> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    let letter = fields.next()?.chars().next()?;
    Some((letter, fields.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::{Read, Write},
        process::Stdio,
    };

    #[test]
    fn a_program_is_found_by_its_name_for_as_long_as_it_runs() {
        let folder = std::env::temp_dir().join(format!("pf-named-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let program = folder.join("pf-lock-double");
        // a link: a copy could not be started while a child of another test still has it open for writing
        std::os::unix::fs::symlink("/bin/cat", &program).unwrap();
        let mut command = std::process::Command::new(&program);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        // the kernel lets the parent go on before the child has its new name: an echo says that it has
        process.stdin.as_mut().unwrap().write_all(b"!").unwrap();
        let echo = &mut [0];
        process.stdout.as_mut().unwrap().read_exact(echo).unwrap();
        let found = || named(&["pf-lock-absent", "pf-lock-double"]);
        assert_eq!(found(), Some("pf-lock-double"));
        process.kill().unwrap();
        process.wait().unwrap();
        assert_eq!(found(), None);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_process_of_ours_is_found_and_belongs_to_its_family() {
        let own = std::process::id() as i32;
        let program = std::env::args().next().unwrap();
        let found = find(|words| words.first() == Some(&program.as_bytes()));
        assert!(found.contains(&own));
        assert!(with_descendants(HashSet::from([parent(own).unwrap()])).contains(&own));
    }
}
