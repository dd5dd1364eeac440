#!/bin/bash
# test-sound.sh [-b BINDIR]: real PipeWire and WirePlumber, without a compositor: notes that a program plays into two, six and eight
# channels come out of the agent's half in GameStream's order. RIG_SOUND_RESTART=1 adds what is heard after PipeWire or its session
# manager was restarted, which is not reliable yet.
# Prints "ok   PROMISE" or "FAIL PROMISE" lines; exit 1 if any failed.
#   BINDIR  where the agent's examples are; default: $BINDIR/examples, else the debug build of this tree. Build them with
#           cargo build -p punktfunk-agent --examples
# With all of pipewire, wireplumber, pw-play, wpctl and python3 on this machine, and logind's folders in /run, it needs no container.
. "$(dirname "$0")/lib.sh"
bin=${BINDIR:-${CARGO_TARGET_DIR:-$RIGS/../../target}/debug}/examples
while [ $# -gt 0 ]; do case $1 in -b) bin=$2; shift;; -h|--help) usage;; *) usage 2;; esac; shift; done
[ -x "$bin/sound_probe" ] || die "$bin/sound_probe is missing: cargo build -p punktfunk-agent --examples"
copy=$(mktemp -d); trap 'rm -rf "$copy"' EXIT; chmod 755 "$copy"; install -m755 "$bin/sound_probe" "$copy/"
# WirePlumber does not start where logind's folders are missing.
[ -d /run/systemd/seats ] && [ -d /run/systemd/sessions ] && [ -d /run/systemd/users ] && [ -d /run/systemd/machines ] && direct=1
for tool in pipewire wireplumber pw-play wpctl python3 dbus-run-session; do
  [ -n "${direct:-}" ] && command -v $tool >/dev/null || { timeout --foreground 840 "$RIGS/container.sh" -p desktop -u alice -r "$copy:/opt/pf" -- /rig/session-sound /rig/check-sound /opt/pf/sound_probe; exit; }
done
timeout 840 "$RIGS/guest/session-sound" "$RIGS/guest/check-sound" "$copy/sound_probe"
