//! Who may have another stream, and with it an encoder.
use crate::{config::Config, ids::Uid};
use std::collections::BTreeSet;

/// The host's places, by configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::stream) struct Places {
    pub host: u32,
    pub per_user: u32,
    /// Nobody gets a second place that another account may need for its first.
    pub reserved: bool,
}

/// Why there is no place, for the person at the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error(
        "all {0} streams that this host serves at a time are taken (max-streams in its configuration); try again when somebody \
         has left"
    )]
    Full(u32),
    #[error(
        "the devices of this account have {0} streams already, and this host gives no account more (streams-per-user in its \
         configuration); end one of them first"
    )]
    OfUser(u32),
    #[error(
        "the streams that this host has left are kept for accounts that have none yet (reserve-places in its configuration); \
         end the stream on another of your devices first"
    )]
    Reserved,
}

impl Places {
    pub(in crate::stream) fn of(config: &Config) -> Self {
        Self {
            host: config.max_streams,
            per_user: config.streams_per_user,
            reserved: config.reserve_places,
        }
    }

    /// `taken`: whose the streams are that there are; `accounts`: those that may come and want one.
    pub(in crate::stream) fn refusal(
        &self,
        user: Uid,
        taken: &[Uid],
        accounts: &BTreeSet<Uid>,
    ) -> Option<Refusal> {
        let size = |places: u32| usize::try_from(places).unwrap_or(usize::MAX);
        let free = size(self.host).saturating_sub(taken.len());
        let own = taken.iter().filter(|of| **of == user).count();
        if free == 0 {
            return Some(Refusal::Full(self.host));
        }
        if own >= size(self.per_user) {
            return Some(Refusal::OfUser(self.per_user));
        }
        let without = |account: &&Uid| **account != user && !taken.contains(account);
        let waiting = accounts.iter().filter(without).count();
        (self.reserved && own > 0 && free <= waiting).then_some(Refusal::Reserved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALICE: Uid = Uid(1000);
    const BOB: Uid = Uid(1001);
    const PLACES: Places = Places {
        host: 3,
        per_user: 16,
        reserved: true,
    };

    #[test]
    fn the_last_places_are_kept_for_those_who_have_none() {
        let accounts = BTreeSet::from([ALICE, BOB]);
        let refusal = |user, taken: &[Uid]| PLACES.refusal(user, taken, &accounts);
        assert_eq!(refusal(ALICE, &[]), None);
        assert_eq!(refusal(ALICE, &[ALICE]), None);
        assert_eq!(refusal(ALICE, &[ALICE, ALICE]), Some(Refusal::Reserved));
        assert_eq!(refusal(BOB, &[ALICE, ALICE]), None);
        // Nobody else waits now.
        assert_eq!(refusal(ALICE, &[ALICE, BOB]), None);
        assert_eq!(refusal(BOB, &[ALICE, ALICE, BOB]), Some(Refusal::Full(3)));
    }

    #[test]
    fn without_the_reserve_who_comes_first_has_them() {
        let accounts = BTreeSet::from([ALICE, BOB]);
        let places = Places {
            reserved: false,
            ..PLACES
        };
        assert_eq!(places.refusal(ALICE, &[ALICE, ALICE], &accounts), None);
        let places = Places {
            per_user: 2,
            ..places
        };
        let refusal = places.refusal(ALICE, &[ALICE, ALICE], &accounts);
        assert_eq!(refusal, Some(Refusal::OfUser(2)));
    }

    proptest! {
        /// Whatever comes and goes: an account that has no stream finds no place only where no account has two.
        #[test]
        fn nobody_has_a_second_place_while_another_finds_no_first(
            host in 1u32..9, per_user in 1u32..9,
            events in prop::collection::vec((any::<bool>(), 0u32..6), 0..60),
        ) {
            let places = Places { host, per_user, reserved: true };
            let accounts: BTreeSet<Uid> = (0..6).map(Uid).collect();
            let mut taken: Vec<Uid> = Vec::new();
            for (begins, user) in events {
                let user = Uid(user);
                let of = |user: &Uid| taken.iter().filter(|of| *of == user).count();
                let first = of(&user) == 0;
                let twice = accounts.iter().any(|account| of(account) > 1);
                match (begins, places.refusal(user, &taken, &accounts)) {
                    (true, None) => taken.push(user),
                    (true, Some(_)) => prop_assert!(!(first && twice), "{:?} {:?}", user, taken),
                    (false, _) => {
                        if let Some(at) = taken.iter().position(|of| *of == user) {
                            taken.swap_remove(at);
                        }
                    }
                }
                prop_assert!(taken.len() <= usize::try_from(host).unwrap());
            }
        }
    }
}
