#!/bin/bash
# test-handover.sh: a stream outlives the session that it shows, with the installed service and a real logind: from a greeter-class
# session to the session of the client's owner, over a killed agent, over a lock, to the seat and back, and a client that comes back after
# a restart of the service. The agents show their test pattern: no compositor is needed. Prints, for each, the longest gap that the
# client saw; asserts that its connection and its frame numbers went on, never a time. BINDIR holds the binaries (default target/debug).
. "$(dirname "$0")/lib.sh"
top=$(cd "$RIGS/../.." && pwd)
bin=$(realpath "${BINDIR:-$top/target/debug}")
copy=$(mktemp -d "$CACHE/bin.XXXXXX"); trap 'rm -rf "$copy"' EXIT; chmod 755 "$copy"
for b in punktfunkd punktfunk-agent punktfunkctl punktfunk-testclient; do install -m755 "$bin/$b" "$copy/$b"; done
timeout 300 "$RIGS/container.sh" -p desktop -r "$copy:/opt/bin" -r "$top:/opt/src" -- bash /opt/src/tests/rigs/guest/check-handover
