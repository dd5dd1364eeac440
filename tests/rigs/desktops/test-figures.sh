#!/bin/bash
# test-figures.sh [mutter|mutter-next|sway|portal|wlroots|gamescope]...: what the agent adds in real sessions in containers: pictures a second
# against the client's rate, the age of a picture when the agent has it, CPU of the capture, and how long a client waits for its first
# frame. mutter-next is testing's; the portal is sway's, as is the monitor that wlroots captures; the gamescope is the double. Prints lines of a table for docs/desktops.md, and "ok   PROMISE" or "FAIL PROMISE"; speed is never
# a failure. KWin's figures are test-kwin.sh's.
. "$(dirname "$0")/../lib.sh"
RIGS=$(cd "$(dirname "$0")/.." && pwd) top=$(cd "$(dirname "$0")/../../.." && pwd)
bin=$(realpath "${BINDIR:-$top/target/debug}"); [ $# -gt 0 ] || set -- mutter mutter-next sway portal wlroots gamescope
copy=$(mktemp -d "$CACHE/bin.XXXXXX"); trap 'rm -rf "$copy"' EXIT; chmod 755 "$copy"; mkdir "$copy/double"; bad=0
for b in punktfunkd punktfunk-agent punktfunkctl punktfunk-testclient examples/known_window examples/source_probe; do install -m755 "$bin/$b" "$copy/$(basename "$b")"; done
install -m755 "$bin/punktfunk-gamescope-double" "$copy/double/gamescope"
in_session() { # SUITE SESSION SOURCE
  "$RIGS/rootfs.sh" desktop "$1" >/dev/null || [ "$1" = trixie ] || { echo "skip figures of $3: no root filesystem of $1 (it moves; see the log)"; return; }
  timeout --foreground 840 "$RIGS/container.sh" -p desktop -s "$1" -u alice -r "$copy:/opt/bin" -r "$top/scripts:/opt/scripts" -- "/rig/session-$2" /rig/check-figures "$3" || bad=1
}
for t; do case $t in
  mutter) in_session trixie mutter mutter;;
  mutter-next) in_session forky mutter mutter;;
  sway) in_session forky sway sway;;
  portal|wlroots) in_session forky sway "$t";;
  gamescope) in_session trixie pipewire gamescope;;
  *) usage 2;; esac; done
exit $bad
