#!/bin/bash
# test-on-demand-gnome.sh: test-on-demand.sh with GNOME Shell. Prints "ok   PROMISE" or "FAIL PROMISE" lines.
set -euo pipefail
export COMPOSITORS=gnome RIG_EXTRA_PACKAGES="gnome-shell"
exec "$(dirname "$0")/../test-on-demand.sh"
