//! Ids of applications: made of the source and of what the source calls the application, so that they outlive restarts,
//! re-ordering and new titles. Clients keep shortcuts and pictures by them.
use punktfunk_dbus::applications::DESKTOP;
use std::collections::BTreeMap;

/// The ids of these keys, which must be unique. Where two keys fall on one id, the one that sorts later takes the next
/// free of its own sequence.
pub fn assign<'a>(keys: impl IntoIterator<Item = &'a str>) -> BTreeMap<u32, &'a str> {
    let mut sorted: Vec<_> = keys.into_iter().collect();
    sorted.sort_unstable();
    sorted.dedup();
    let mut ids = BTreeMap::new();
    for key in sorted {
        let id = (0..u32::MAX)
            .map(|attempt| candidate(key, attempt))
            .find(|id| usable(*id) && !ids.contains_key(id));
        if let Some(id) = id {
            ids.insert(id, key);
        }
    }
    ids
}

/// 1 to 2^31 - 1, and not the desktop's.
fn usable(id: u32) -> bool {
    id != 0 && id != DESKTOP
}

/// FNV-1a of the key and, from the second attempt on, its number; folded to 31 bits.
fn candidate(key: &str, attempt: u32) -> u32 {
    let number = if attempt == 0 {
        String::new()
    } else {
        format!("#{attempt}")
    };
    let hash = key
        .bytes()
        .chain(number.bytes())
        .fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    ((hash >> 32) as u32 ^ hash as u32) & 0x7fff_ffff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_the_same_in_every_order_and_for_ever() {
        let forth = assign(["steam:220", "own:emulator", "desktop:foot.desktop"]);
        let back = assign([
            "desktop:foot.desktop",
            "own:emulator",
            "steam:220",
            "steam:220",
        ]);
        assert_eq!(forth, back);
        assert_eq!(forth.len(), 3);
        // Written down once: a change of this number breaks the shortcuts of every user.
        assert_eq!(
            assign(["steam:220"]).into_keys().next(),
            Some(1_638_680_692)
        );
    }

    #[test]
    fn every_id_is_positive_31_bit_and_none_is_the_desktop() {
        let keys: Vec<_> = (0..20_000).map(|n| format!("own:{n}")).collect();
        let ids = assign(keys.iter().map(String::as_str));
        assert_eq!(ids.len(), keys.len());
        assert!(
            ids.keys()
                .all(|id| (1..1 << 31).contains(id) && *id != DESKTOP)
        );
    }

    #[test]
    fn the_later_of_two_that_collide_moves_and_the_earlier_stays() {
        // Found by search: these fall on one id.
        let mut seen = BTreeMap::new();
        let (first, second) = (0..2_000_000u32)
            .find_map(|n| {
                let key = format!("own:{n}");
                seen.insert(candidate(&key, 0), key.clone()).map(|other| {
                    if other < key {
                        (other, key)
                    } else {
                        (key, other)
                    }
                })
            })
            .expect("a collision among so many");
        let ids = assign([second.as_str(), first.as_str()]);
        assert_eq!(ids.get(&candidate(&first, 0)), Some(&first.as_str()));
        assert_eq!(ids.get(&candidate(&second, 1)), Some(&second.as_str()));
    }
}
