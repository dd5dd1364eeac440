#!/bin/bash
# test-on-demand-debian-12.sh: test-on-demand.sh on Debian 12 (systemd 252), with sway. Prints "ok   PROMISE" or "FAIL PROMISE" lines.
set -euo pipefail
export PROFILE=base SUITE=bookworm COMPOSITORS="sway gamescope"
export RIG_EXTRA_PACKAGES="libpipewire-0.3-0 libxkbcommon0 pipewire pipewire-bin wireplumber libspa-0.2-modules sway python3"
exec "$(dirname "$0")/../test-on-demand.sh"
