#!/bin/bash
# test-debian-12.sh: test-package.sh on Debian 12, the oldest system that is supported, and what its systemd (252) says of the units.
# Prints "ok   PROMISE" or "FAIL PROMISE" lines.
set -euo pipefail
export PROFILE=base RIG_EXTRA_PACKAGES="libpipewire-0.3-0 libxkbcommon0"
exec "$(dirname "$0")/../test-package.sh" bookworm
