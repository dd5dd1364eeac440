#!/bin/bash
# test-apps.sh: applications under a real user manager: unit, slice, owner, what is run before and after, and a new agent.
# BINDIR holds the binaries (default target/debug). Prints "ok   PROMISE" or "FAIL PROMISE" lines.
set -euo pipefail
cd "$(dirname "$0")/../.."
bin=$(realpath "${BINDIR:-target/debug}")
out=$(mktemp -d); trap 'rm -rf "$out"' EXIT
for b in punktfunkd punktfunk-agent punktfunkctl punktfunk-testclient; do install -m755 "$bin/$b" "$out/$b"; done
tests/rigs/container.sh -p desktop -b "$out:/opt/bin" -r "$PWD:/opt/src" -- bash /opt/src/tests/rigs/guest/check-apps
