//! Which datagrams ENet gets to see.
//!
//! A CONNECT is admitted only with the connect data of a stream that waits, so strangers get no answer and make no
//! state. Everything else must be whole: every command known, every length within the datagram, every fragment small.
//! The ENet code below is a transpiled C library; it is not asked to judge what breaks these rules.
use std::{collections::HashMap, net::SocketAddr};

/// The peer number of a sender that has no connection yet.
const NO_PEER: u16 = 0x0FFF;
const COMPRESSED: u16 = 0x4000;
const SENT_TIME: u16 = 0x8000;
/// Commands in one datagram; ENet itself packs at most 32.
const MAX_COMMANDS: usize = 64;
/// The longest message that is put together from fragments.
pub(super) const MAX_MESSAGE: u32 = 4096;
/// CONNECTs (counted without repeats) that may be under way for one stream.
const MAX_ATTEMPTS: usize = 8;

const CONNECT: u8 = 2;
const SIZES: [usize; 13] = [0, 8, 48, 0, 8, 4, 6, 8, 24, 8, 12, 16, 24];

/// The connect data that may come in, with the attempts made.
#[derive(Debug, Default)]
pub(super) struct Admission {
    expected: HashMap<u32, Vec<(SocketAddr, u32)>>,
}

impl Admission {
    pub(super) fn expect(&mut self, connect_data: u32) {
        self.expected.entry(connect_data).or_default();
    }

    pub(super) fn forget(&mut self, connect_data: u32) {
        self.expected.remove(&connect_data);
    }

    /// May ENet see this datagram?
    pub(super) fn admits(&mut self, source: SocketAddr, datagram: &[u8]) -> bool {
        self.check(source, datagram).is_some()
    }

    fn check(&mut self, source: SocketAddr, datagram: &[u8]) -> Option<()> {
        let head = u16_at(datagram, 0)?;
        if head & COMPRESSED != 0 {
            return None;
        }
        let commands = datagram.get(if head & SENT_TIME != 0 { 4 } else { 2 }..)?;
        if head & NO_PEER == NO_PEER {
            return self.check_connect(source, commands);
        }
        let mut rest = commands;
        for _ in 0..MAX_COMMANDS {
            if rest.is_empty() {
                return Some(());
            }
            rest = rest.get(command_len(rest)?..)?;
        }
        None
    }

    /// Exactly one CONNECT, with the data of a stream that waits.
    fn check_connect(&mut self, source: SocketAddr, commands: &[u8]) -> Option<()> {
        if command(commands)? != CONNECT || commands.len() != *SIZES.get(usize::from(CONNECT))? {
            return None;
        }
        let connect_id = u32_at(commands, 40)?;
        let attempts = self.expected.get_mut(&u32_at(commands, 44)?)?;
        if !attempts.contains(&(source, connect_id)) {
            if attempts.len() >= MAX_ATTEMPTS {
                return None;
            }
            attempts.push((source, connect_id));
        }
        Some(())
    }
}

fn command(bytes: &[u8]) -> Option<u8> {
    bytes.first().map(|byte| byte & 0x0F)
}

/// The length of the command in front, with its data. `None` for what a client never says.
fn command_len(bytes: &[u8]) -> Option<usize> {
    let command = command(bytes)?;
    let size = *SIZES.get(usize::from(command))?;
    if size == 0 || command == CONNECT || bytes.len() < size {
        return None;
    }
    let data = match command {
        6 => u16_at(bytes, 4)?,
        7 | 9 => u16_at(bytes, 6)?,
        8 | 12 => {
            let (len, count, number) = (u16_at(bytes, 6)?, u32_at(bytes, 8)?, u32_at(bytes, 12)?);
            let (total, offset) = (u32_at(bytes, 16)?, u32_at(bytes, 20)?);
            let end = offset.checked_add(u32::from(len))?;
            if len == 0 || total > MAX_MESSAGE || count > total || number >= count || end > total {
                return None;
            }
            len
        }
        _ => 0,
    };
    size.checked_add(usize::from(data))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn source(port: u16) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, 1], port))
    }

    fn connect(data: u32, connect_id: u32) -> Vec<u8> {
        let mut bytes = vec![0x8F, 0xFF, 0, 0, 0x82, 0xFF, 0, 1];
        bytes.extend_from_slice(&[0; 36]);
        bytes.extend_from_slice(&connect_id.to_be_bytes());
        bytes.extend_from_slice(&data.to_be_bytes());
        bytes
    }

    #[test]
    fn a_connect_is_admitted_only_with_the_data_of_a_waiting_stream() {
        let mut admission = Admission::default();
        assert!(!admission.admits(source(1), &connect(7, 1)));
        admission.expect(7);
        assert!(admission.admits(source(1), &connect(7, 1)));
        assert!(!admission.admits(source(1), &connect(8, 1)));
        // Whatever else hangs on to it is not looked at by ENet either.
        let mut longer = connect(7, 1);
        longer.extend_from_slice(&[0x85, 0xFF, 0, 2]);
        assert!(!admission.admits(source(1), &longer));
        admission.forget(7);
        assert!(!admission.admits(source(1), &connect(7, 1)));
    }

    #[test]
    fn connects_of_one_stream_are_counted_without_their_repeats() {
        let mut admission = Admission::default();
        admission.expect(7);
        for _ in 0..100 {
            assert!(admission.admits(source(1), &connect(7, 1)));
        }
        let admitted = (0..100)
            .filter(|port| admission.admits(source(*port), &connect(7, 9)))
            .count();
        assert_eq!(admitted, 7);
    }

    #[test]
    fn broken_commands_are_not_passed_on() {
        let mut admission = Admission::default();
        let mut admits = |bytes: &[u8]| admission.admits(source(1), bytes);
        // A ping; a reliable message of three bytes; both in one datagram.
        assert!(admits(&[0x80, 0, 0, 1, 0x85, 0xFF, 0, 1]));
        assert!(admits(&[0x80, 0, 0, 1, 0x86, 0, 0, 1, 0, 3, 1, 2, 3]));
        assert!(admits(&[
            0, 0, 0x05, 0xFF, 0, 1, 0x06, 0, 0, 1, 0, 3, 1, 2, 3
        ]));
        // Cut off, longer than the datagram, compressed, unknown, a VERIFY_CONNECT, a CONNECT on a connection.
        assert!(!admits(&[0x80]));
        assert!(!admits(&[0x80, 0, 0, 1, 0x85, 0xFF, 0]));
        assert!(!admits(&[
            0x80, 0, 0, 1, 0x86, 0, 0, 1, 0xFF, 0xFF, 1, 2, 3
        ]));
        assert!(!admits(&[0xC0, 0, 0, 1, 0x85, 0xFF, 0, 1]));
        assert!(!admits(&[0x80, 0, 0, 1, 0x8D, 0xFF, 0, 1]));
        let verify = [&[0x80, 0, 0, 1, 0x83, 0xFF, 0, 1][..], &[0; 40]].concat();
        assert!(!admits(&verify));
        let again = [&[0x80, 0, 0, 1, 0x82, 0xFF, 0, 1][..], &[0; 44]].concat();
        assert!(!admits(&again));
    }

    #[test]
    fn a_fragment_cannot_ask_for_much_memory() {
        let mut admission = Admission::default();
        let mut fragment = |total: u32, count: u32, number: u32, offset: u32| {
            let mut bytes = vec![0x80, 0, 0, 1, 0x88, 0, 0, 1, 0, 1, 0, 2];
            for field in [count, number, total, offset] {
                bytes.extend_from_slice(&field.to_be_bytes());
            }
            bytes.extend_from_slice(&[1, 2]);
            admission.admits(source(1), &bytes)
        };
        assert!(fragment(4000, 5, 4, 3998));
        assert!(!fragment(5000, 5, 4, 0));
        assert!(!fragment(4000, 1_000_000, 4, 0));
        assert!(!fragment(4000, 5, 5, 0));
        assert!(!fragment(4000, 5, 4, 3999));
        assert!(!fragment(4000, 5, 4, u32::MAX));
    }

    proptest! {
        #[test]
        fn no_stranger_is_admitted_whatever_it_sends(mut bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut admission = Admission::default();
            admission.expect(0x1234_5678);
            if let [first, second, ..] = bytes.as_mut_slice() {
                *first |= 0x0F;
                *second = 0xFF;
            }
            prop_assert!(!admission.admits(source(1), &bytes));
        }
    }
}
