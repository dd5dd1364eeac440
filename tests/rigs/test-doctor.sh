#!/bin/bash
# test-doctor.sh: `punktfunkctl doctor` in a user's session with one thing broken at a time: it names the cause and the remedy, and is
# content before and after. BINDIR holds the binaries (default target/debug). Prints "ok   PROMISE" or "FAIL PROMISE" lines.
. "$(dirname "$0")/lib.sh"
top=$(cd "$RIGS/../.." && pwd)
bin=$(realpath "${BINDIR:-$top/target/debug}")
copy=$(mktemp -d "$CACHE/bin.XXXXXX"); trap 'rm -rf "$copy"' EXIT; chmod 755 "$copy"
for b in punktfunkd punktfunk-agent punktfunkctl; do install -m755 "$bin/$b" "$copy/$b"; done
timeout --foreground 840 "$RIGS/container.sh" -p desktop -r "$copy:/opt/bin" -r "$top:/opt/src" -- bash /opt/src/tests/rigs/guest/check-doctor
