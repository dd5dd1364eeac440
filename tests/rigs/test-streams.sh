#!/bin/bash
# test-streams.sh [mutter|sway]...: the whole way in real desktop sessions: the compositor's pictures reach the test client through
# agent, ring and service at three sizes with the colours of a known pattern, and a key typed at the client is read back by a program in the
# session.
# BINDIR holds the binaries (default target/debug). Prints "ok   PROMISE" or "FAIL PROMISE" lines; exit 1 if any failed.
. "$(dirname "$0")/lib.sh"
top=$(cd "$RIGS/../.." && pwd)
bin=${BINDIR:-$top/target/debug}; [ $# -gt 0 ] || set -- mutter sway
copy=$(mktemp -d "$CACHE/bin.XXXXXX"); trap 'rm -rf "$copy"' EXIT; chmod 755 "$copy"; bad=0
for b in punktfunkd punktfunk-agent punktfunkctl punktfunk-testclient; do install -m755 "$bin/$b" "$copy/$b"; done
[ -x "$bin/examples/known_window" ] || die "$bin/examples/known_window is missing: cargo build -p punktfunk-agent --examples"
install -m755 "$bin/examples/known_window" "$copy/"
in_session() { timeout --foreground 840 "$RIGS/container.sh" -p desktop -s "$1" -u alice -w rig -r "$copy:/opt/bin" -r "$top/scripts:/opt/scripts" -- env XKB_DEFAULT_LAYOUT="$4" "$2" /rig/check-stream "$3" || bad=1; }
for t; do case $t in
  mutter) in_session trixie /rig/session-mutter mutter rig,de;;
  sway) in_session forky /rig/session-sway sway us,de;;
  *) usage 2;; esac; done
exit $bad
