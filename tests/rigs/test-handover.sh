#!/bin/bash
# test-handover.sh: a stream outlives the sessions that it shows, with the installed service and a real logind: one connection from a
# greeter-class session to the owner's, over a killed agent and a lock, from the seat and back, past another user to the log-in screen and
# on; then a restart of the service. The agents show their test pattern: no compositor is needed. Prints how long the client
# waited each time, and asserts that connection, frame numbers and owner stayed, never a time. BINDIR holds the binaries (default target/debug).
. "$(dirname "$0")/lib.sh"
top=$(cd "$RIGS/../.." && pwd)
bin=$(realpath "${BINDIR:-$top/target/debug}")
copy=$(mktemp -d "$CACHE/bin.XXXXXX"); trap 'rm -rf "$copy"' EXIT; chmod 755 "$copy"
for b in punktfunkd punktfunk-agent punktfunkctl punktfunk-testclient; do install -m755 "$bin/$b" "$copy/$b"; done
timeout --foreground 840 "$RIGS/container.sh" -p desktop -r "$copy:/opt/bin" -r "$top:/opt/src" -- bash /opt/src/tests/rigs/guest/check-handover
