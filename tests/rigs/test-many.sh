#!/bin/bash
# test-many.sh [SECONDS]: nine streams for a minute (or SECONDS) on one port set: eight clients of one address, one of which is killed, and
# one on a network of its own that stops answering ARP in mid-stream. The others must lose nothing. Needs root (a network namespace) and
# the built tests; TESTS is where cargo put them (default: target/debug/deps). Prints "ok   PROMISE" or "FAIL PROMISE".
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
bin=${BINDIR:-$top/target/debug}
tests=${TESTS:-$bin/deps}
seconds=${1:-60}
promise="nine streams for $seconds s, one client killed, one unreachable: the others lose nothing"
[ "$(id -u)" = 0 ] || { echo "skip $promise: not root"; exit 0; }
program=$(ls -t "$tests"/e2e_many-* 2>/dev/null | grep -v '\.d$' | head -1)
[ -n "$program" ] || { echo "FAIL $promise: build the tests first (cargo test --no-run)"; exit 1; }

ns=pf-far-$$ link=pff$$ net=10.213.$((RANDOM % 250))
clean() { ip netns del "$ns" 2>/dev/null; ip link del "$link" 2>/dev/null; }
trap clean EXIT
if ! { ip netns add "$ns" && ip link add "$link" type veth peer name far netns "$ns" &&
       ip addr add "$net.1/24" dev "$link" && ip link set "$link" up &&
       ip -n "$ns" addr add "$net.2/24" dev far && ip -n "$ns" link set far up; }; then
  echo "skip $promise: no network namespace or veth pair can be made here"; exit 0
fi
# From here on nobody answers for the far address, and what the kernel knew is forgotten.
cut="ip -n $ns link set far arp off && ip neigh flush dev $link"

if PUNKTFUNK_BIN_DIR=$bin PUNKTFUNK_MANY_SECONDS=$seconds PUNKTFUNK_MANY_CUT=$cut \
   PUNKTFUNK_MANY_FAR="ip netns exec $ns" PUNKTFUNK_MANY_FAR_HOST=$net.1 \
   timeout $((seconds + 240)) "$program" --nocapture 2>&1; then
  echo "ok   $promise"
else
  echo "FAIL $promise"; exit 1
fi
