#!/bin/bash
# check-desktops.sh [RIG]...: the desktop rigs that take minutes each (virtual machines), or those named, with the totals of all.
set -uo pipefail
cd "$(dirname "$0")/.."
. scripts/steps.sh
[ $# -gt 0 ] || set -- tests/rigs/desktops/test-*.sh

step "packages" scripts/packages.sh build check
step "build" cargo build --workspace --bins --examples --locked
[ ${#failures[@]} != 0 ] || rigs 2400 "$@"
finish
