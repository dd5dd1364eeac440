//! How the host's total is shared: evenly among the accounts that stream, and an account's part evenly among its streams. What one
//! does not want is the others' (max-min fairness).
use super::Budget;
use crate::ids::Uid;
use std::collections::BTreeMap;

/// What the video of each stream is limited to, in the order of `streams`; `None` where a stream gets all that it wants.
pub(in crate::stream) fn limits(
    total_kbps: Option<u32>,
    streams: &[(Uid, Budget)],
) -> Vec<Option<u32>> {
    let Some(total_kbps) = total_kbps else {
        return vec![None; streams.len()];
    };
    let wanted: Vec<(Uid, u32)> = streams
        .iter()
        .map(|(user, budget)| (*user, budget.whole_kbps()))
        .collect();
    let given = allotments(total_kbps, &wanted).into_iter();
    given
        .zip(streams)
        .map(|(given, (_, budget))| {
            let video_kbps = budget.video_of(given);
            (video_kbps < budget.video_kbps()).then_some(video_kbps)
        })
        .collect()
}

/// What each stream may use of the total, in the order of `wanted`: whose it is, and what it would use.
fn allotments(total_kbps: u32, wanted: &[(Uid, u32)]) -> Vec<u32> {
    let mut of_users: BTreeMap<Uid, Vec<u64>> = BTreeMap::new();
    for (user, kbps) in wanted {
        of_users.entry(*user).or_default().push(u64::from(*kbps));
    }
    let sums: Vec<u64> = of_users
        .values()
        .map(|wants| {
            wants
                .iter()
                .fold(0u64, |sum, want| sum.saturating_add(*want))
        })
        .collect();
    let parts = level(u64::from(total_kbps), &sums);
    let mut streams: BTreeMap<Uid, std::vec::IntoIter<u64>> = of_users
        .into_iter()
        .zip(parts)
        .map(|((user, wants), part)| (user, level(part, &wants).into_iter()))
        .collect();
    wanted
        .iter()
        .map(|(user, _)| {
            let part = streams.get_mut(user).and_then(Iterator::next);
            u32::try_from(part.unwrap_or(0)).unwrap_or(u32::MAX)
        })
        .collect()
}

/// The same for everybody, but no more than is wanted: the smallest wants are met first, and what they leave is the others'.
fn level(total: u64, wants: &[u64]) -> Vec<u64> {
    let mut order: Vec<(u64, usize)> = wants.iter().copied().zip(0..).collect();
    order.sort_unstable();
    let mut given = vec![0; wants.len()];
    let (mut left, mut heads) = (total, u64::try_from(wants.len()).unwrap_or(u64::MAX));
    for (want, index) in order {
        let part = left.checked_div(heads).unwrap_or(0).min(want);
        if let Some(slot) = given.get_mut(index) {
            *slot = part;
        }
        left = left.saturating_sub(part);
        heads = heads.saturating_sub(1);
    }
    given
}

#[cfg(test)]
mod tests {
    #![expect(clippy::arithmetic_side_effects, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    const ALICE: Uid = Uid(1000);
    const BOB: Uid = Uid(1001);

    #[test]
    fn users_share_evenly_whatever_the_number_of_their_streams() {
        let wanted = [(ALICE, 20_000), (BOB, 20_000), (BOB, 20_000), (BOB, 20_000)];
        assert_eq!(allotments(30_000, &wanted), [15_000, 5000, 5000, 5000]);
    }

    #[test]
    fn what_one_does_not_want_is_the_others() {
        let wanted = [(ALICE, 5000), (BOB, 50_000), (BOB, 2000)];
        assert_eq!(allotments(30_000, &wanted), [5000, 23_000, 2000]);
        assert_eq!(allotments(60_000, &wanted), [5000, 50_000, 2000]);
        assert_eq!(allotments(1000, &[]), [0; 0]);
    }

    #[test]
    fn only_who_gets_less_than_wanted_has_a_limit() {
        let streams = [
            (ALICE, Budget::new(2000, 96, 20)),
            (BOB, Budget::new(20_000, 96, 20)),
        ];
        assert_eq!(limits(None, &streams), [None, None]);
        assert_eq!(limits(Some(22_000), &streams), [None, None]);
        assert_eq!(limits(Some(12_000), &streams), [None, Some(7404)]);
    }

    fn sum(of: impl Iterator<Item = u32>) -> u64 {
        of.map(u64::from).sum()
    }

    proptest! {
        #[test]
        fn shares_are_max_min_fair_and_leave_nothing(
            total in 0u32..1_000_000,
            wanted in prop::collection::vec((1000u32..1005, 0u32..200_000), 0..12),
        ) {
            let wanted: Vec<_> = wanted.into_iter().map(|(uid, kbps)| (Uid(uid), kbps)).collect();
            let given = allotments(total, &wanted);
            prop_assert_eq!(given.len(), wanted.len());
            prop_assert!(given.iter().zip(&wanted).all(|(given, (_, want))| given <= want));
            // All is used that anybody wants.
            let wants = sum(wanted.iter().map(|(_, want)| *want));
            prop_assert_eq!(sum(given.iter().copied()), wants.min(total.into()));
            // Who gets less than wanted has no less than any other of the same account (but for what does not divide), ...
            let streams = given.iter().zip(&wanted);
            for (given, (user, want)) in streams.clone().filter(|(given, (_, want))| *given < want) {
                for (other, (_, _)) in streams.clone().filter(|(_, (of, _))| of == user) {
                    prop_assert!(*other <= given + 1, "{} of {} beside {}", given, want, other);
                }
                // ... and its account no less than any other account.
                let of = |user: Uid| sum(streams.clone().filter(|(_, (of, _))| *of == user).map(|(given, _)| *given));
                for (_, (other, _)) in streams.clone() {
                    prop_assert!(of(*other) <= of(*user) + 1, "{:?} {:?}", user, other);
                }
            }
        }
    }
}
