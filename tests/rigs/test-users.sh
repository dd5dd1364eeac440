#!/bin/bash
# test-users.sh: two users at once, with the installed service, a real systemd, logind and polkit: each pairs a client and streams the
# own session, both from one address; keys reach the own session alone; one of them listens to the whole bus and tries every method and
# property of the other's. Then what a stopped polkitd, a restarted logind and a restarted bus do to running streams. The agents are
# doubles that mark every frame with its stream and write down every key. BINDIR holds the binaries (default target/debug). Prints "ok   PROMISE" or "FAIL PROMISE" lines.
. "$(dirname "$0")/lib.sh"
top=$(cd "$RIGS/../.." && pwd)
bin=$(realpath "${BINDIR:-$top/target/debug}")
copy=$(mktemp -d "$CACHE/bin.XXXXXX"); trap 'rm -rf "$copy"' EXIT; chmod 755 "$copy"
for b in punktfunkd punktfunk-agent punktfunkctl punktfunk-testclient punktfunk-agent-double; do install -m755 "$bin/$b" "$copy/$b"; done
PUNKTFUNK_RECORDINGS=$copy/recordings "$copy/punktfunk-agent-double" --session none --recording h264:640x360@60 --only-record || die "no recording"
timeout --foreground 300 "$RIGS/container.sh" -p desktop -r "$copy:/opt/bin" -r "$top:/opt/src" -- bash /opt/src/tests/rigs/guest/check-users
