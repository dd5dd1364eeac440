#!/bin/bash
# test-desktop.sh [-b BINDIR] [-o OUT] [mutter|sway|node]...: the agent's sources, input and sound in real sessions (all three by
# default). Prints "ok PROMISE" or "FAIL PROMISE" lines; exit 1 if any failed. OUT keeps pictures (PNG with ffmpeg) and logs.
#   BINDIR  where the agent's examples are; default: $BINDIR/examples, else the debug build of this tree. Build them with
#           cargo build -p punktfunk-agent --examples
. "$(dirname "$0")/lib.sh"
bin=${BINDIR:-${CARGO_TARGET_DIR:-$RIGS/../../target}/debug}/examples out=$(mktemp -d)
while [ $# -gt 0 ]; do case $1 in -b) bin=$2; shift;; -o) out=$2; shift;; -h|--help) usage;; -*) usage 2;; *) break;; esac; shift; done
[ $# -gt 0 ] || set -- mutter sway node
[ -x "$bin/source_probe" ] || die "$bin/source_probe is missing: cargo build -p punktfunk-agent --examples"
# Copies: a build that runs meanwhile must not change what is tested.
copy=$(mktemp -d "$CACHE/bin.XXXXXX"); trap 'rm -rf "$copy"' EXIT
cp "$bin"/{source_probe,sound_probe,known_window} "$copy/"; chmod 755 "$copy"; mkdir -p "$out"; chmod 777 "$out"; bad=0
in_session() {
  "$RIGS/rootfs.sh" desktop "$1" >/dev/null || [ "$1" = trixie ] || { echo "skip the session on sway: no root filesystem of $1 (it moves; see the log)"; return; }
  timeout --foreground 840 "$RIGS/container.sh" -p desktop -s "$1" -u alice -r "$copy:/opt/pf" -b "$out:/opt/out" -- "${@:2}" || bad=1
}
for t; do case $t in
  mutter) in_session trixie env XKB_DEFAULT_LAYOUT=de /rig/session-mutter /rig/check-desktop mutter;;
  sway) in_session forky /rig/session-sway /rig/check-desktop sway; in_session forky /rig/session-sway /rig/check-desktop portal;;
  node) in_session trixie /rig/session-gamescope /rig/check-node;;
  *) usage 2;; esac; done
! command -v ffmpeg >/dev/null || for f in "$out"/*.ppm; do [ ! -e "$f" ] || ffmpeg -v error -y -i "$f" "${f%.ppm}.png" </dev/null; done
say "pictures and logs are in $out"; exit $bad
