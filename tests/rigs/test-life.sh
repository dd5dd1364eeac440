#!/bin/bash
# test-life.sh: what becomes of a stream's picture when its session changes, with the installed service, a real logind and Mutter: the
# compositor is killed and comes back, hangs and goes on; the session is locked with and without the permission to unlock; the
# session is kept awake while streamed; a killed agent leaves nothing behind. BINDIR holds the binaries (default target/debug).
# Prints "ok   PROMISE" or "FAIL PROMISE" lines; exit 1 if any failed.
. "$(dirname "$0")/lib.sh"
top=$(cd "$RIGS/../.." && pwd)
bin=$(realpath "${BINDIR:-$top/target/debug}")
copy=$(mktemp -d "$CACHE/bin.XXXXXX"); trap 'rm -rf "$copy"' EXIT; chmod 755 "$copy"
for b in punktfunkd punktfunk-agent punktfunkctl punktfunk-testclient; do install -m755 "$bin/$b" "$copy/$b"; done
timeout --foreground 840 "$RIGS/container.sh" -p desktop -r "$copy:/opt/bin" -r "$top:/opt/src" -- bash /opt/src/tests/rigs/guest/check-life
