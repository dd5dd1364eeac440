#!/bin/bash
# test-sway-old.sh: a stream of the sway of Debian 12 (1.7), in a container: it has wlr-screencopy and not yet ext-image-copy-capture, and takes no output away, so that
# `auto` takes its monitor by the source `wlroots`; the picture at the test client, keys, text and pointer read back. BINDIR holds the binaries (default target/debug).
# Prints "ok   PROMISE" or "FAIL PROMISE" lines.
. "$(dirname "$0")/../lib.sh"
case ${1:-} in -h|--help) usage;; esac
top=$(cd "$RIGS/../.." && pwd); bin=${BINDIR:-$top/target/debug}
copy=$(mktemp -d "$CACHE/bin.XXXXXX"); trap 'rm -rf "$copy"' EXIT; chmod 755 "$copy"
for b in punktfunkd punktfunk-agent punktfunkctl punktfunk-testclient examples/known_window; do
  [ -x "$bin/$b" ] || die "$bin/$b is missing: cargo build --workspace --bins --examples"
  install -m755 "$bin/$b" "$copy/$(basename "$b")"
done
export RIG_EXTRA_PACKAGES="sway swaybg pipewire pipewire-bin wireplumber libspa-0.2-modules libpipewire-0.3-0 libxkbcommon0 wayland-utils python3"
timeout 600 "$RIGS/container.sh" -s bookworm -u alice -r "$copy:/opt/bin" -r "$top/scripts:/opt/scripts" -- /rig/session-sway /rig/check-monitor sway-old
