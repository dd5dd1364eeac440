//! Which ports are bound on this machine, from the tables of /proc/net.
use std::collections::BTreeSet;

/// State of a TCP socket that listens, in /proc/net/tcp.
const TCP_LISTEN: &str = "0A";

/// Ports by protocol.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listening {
    pub tcp: BTreeSet<u16>,
    pub udp: BTreeSet<u16>,
}

impl Listening {
    /// `None` where /proc/net cannot be read.
    pub fn read() -> Option<Self> {
        let table = |name: &str| std::fs::read_to_string(format!("/proc/net/{name}"));
        let mut listening = Self::default();
        listening.add_tcp(&table("tcp").ok()?);
        listening.add_udp(&table("udp").ok()?);
        // Absent where IPv6 is off.
        listening.add_tcp(&table("tcp6").unwrap_or_default());
        listening.add_udp(&table("udp6").unwrap_or_default());
        Some(listening)
    }

    fn add_tcp(&mut self, table: &str) {
        let listening = sockets(table).filter(|(_, state)| *state == TCP_LISTEN);
        self.tcp.extend(listening.map(|(port, _)| port));
    }

    fn add_udp(&mut self, table: &str) {
        self.udp.extend(sockets(table).map(|(port, _)| port));
    }
}

/// The local port and the state of each line: `sl local_address rem_address st ...`.
fn sockets(table: &str) -> impl Iterator<Item = (u16, &str)> {
    table.lines().skip(1).filter_map(|line| {
        let mut columns = line.split_whitespace().skip(1);
        let (_, port) = columns.next()?.rsplit_once(':')?;
        let state = columns.nth(1)?;
        Some((u16::from_str_radix(port, 16).ok()?, state))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TCP: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:BB75 00000000:0000 0A 00000000:00000000 00:00000000 00000000   998        0 1 1 0
   1: 0100007F:BB70 0100007F:C001 01 00000000:00000000 00:00000000 00000000   998        0 2 1 0
   2: nonsense
";

    #[test]
    fn only_listening_sockets_count_for_tcp_and_all_bound_ones_for_udp() {
        let mut listening = Listening::default();
        listening.add_tcp(TCP);
        listening.add_udp(TCP);
        assert_eq!(listening.tcp, BTreeSet::from([47989]));
        assert_eq!(listening.udp, BTreeSet::from([47984, 47989]));
    }
}
