//! Which of the waiting devices is meant.
use crate::snapshot::Pairing;

#[derive(Debug, PartialEq)]
pub enum Choice<'a> {
    None,
    One(&'a Pairing),
    /// A person has to choose.
    Several(Vec<&'a Pairing>),
}

/// `wanted` is a name, an address or the number of the attempt, which alone tells two devices of one name behind one
/// address apart; without it every waiting device is meant.
pub fn choose<'a>(waiting: &'a [Pairing], wanted: Option<&str>) -> Choice<'a> {
    let meant = |pairing: &&Pairing| {
        wanted.is_none_or(|wanted| {
            pairing.name == wanted || pairing.address == wanted || pairing.id == wanted
        })
    };
    let mut meant: Vec<&Pairing> = waiting.iter().filter(meant).collect();
    match meant.len() {
        0 => Choice::None,
        1 => Choice::One(meant.remove(0)),
        _ => Choice::Several(meant),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(name: &str, address: &str) -> Pairing {
        Pairing {
            path: String::new(),
            id: String::new(),
            name: name.into(),
            address: address.into(),
            since: 0,
        }
    }

    #[test]
    fn two_devices_with_one_name_are_told_apart_by_address_and_never_guessed() {
        let waiting = [device("TV", "10.0.0.2"), device("TV", "10.0.0.3")];
        assert!(matches!(choose(&waiting, None), Choice::Several(_)));
        assert!(matches!(choose(&waiting, Some("TV")), Choice::Several(_)));
        assert_eq!(choose(&waiting, Some("10.0.0.3")), Choice::One(&waiting[1]));
        assert_eq!(choose(&waiting, Some("10.0.0.4")), Choice::None);
        assert_eq!(choose(&[], None), Choice::None);
    }

    #[test]
    fn two_devices_of_one_name_and_address_are_told_apart_by_their_numbers() {
        let mut waiting = [device("roth", "10.0.0.2"), device("roth", "10.0.0.2")];
        waiting[0].id = "6".into();
        waiting[1].id = "7".into();
        assert!(matches!(
            choose(&waiting, Some("10.0.0.2")),
            Choice::Several(_)
        ));
        assert_eq!(choose(&waiting, Some("7")), Choice::One(&waiting[1]));
    }
}
