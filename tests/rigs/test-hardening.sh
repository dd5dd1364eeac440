#!/bin/bash
# test-hardening.sh: what the installed service cannot do, and what it withstands: a program in the place of punktfunkd, in its very
# unit, tries what must be refused; a state directory that is full, read-only or corrupt; no polkitd; a message bus that is killed.
# BINDIR holds the binaries, and in examples/ the probe (default target/debug). Prints "ok   PROMISE" or "FAIL PROMISE" lines.
. "$(dirname "$0")/lib.sh"
top=$(cd "$RIGS/../.." && pwd)
bin=$(realpath "${BINDIR:-$top/target/debug}")
[ -x "$bin/examples/sandbox_probe" ] || die "$bin/examples/sandbox_probe is missing: cargo build -p punktfunk-service --examples"
copy=$(mktemp -d "$CACHE/bin.XXXXXX"); trap 'rm -rf "$copy"' EXIT; chmod 755 "$copy"
for b in punktfunkd punktfunk-agent punktfunkctl punktfunk-testclient examples/sandbox_probe; do install -m755 "$bin/$b" "$copy/"; done
timeout --foreground 840 "$RIGS/container.sh" -x -p desktop -r "$copy:/opt/bin" -r "$top:/opt/src" -- bash /opt/src/tests/rigs/guest/check-hardening
