#!/bin/bash
# check.sh: every test of the project, from a bare checkout. Installs what is missing, builds, runs, and ends with the totals.
# SKIP_RIGS=1 leaves out the tests that need root and namespaces (and says so). The long desktop rigs are check-desktops.sh's.
set -uo pipefail
cd "$(dirname "$0")/.."
. scripts/steps.sh

# Once from nothing and never again: what a second build would start from takes as much disk as everything else, and time.
[ -z "${CI:-}" ] || export CARGO_INCREMENTAL=0
need=12 have=$(($(df --output=avail -k . | tail -1) / 1048576))
[ -d target ] || [ "$have" -ge $need ] || echo "note: $have GB are free here; a first run needs about $need (compiled programs and tests, root filesystems of the rigs)"

step "packages" scripts/packages.sh build check
step "formatting" cargo fmt --all --check
step "lints" cargo clippy --workspace --all-targets --locked -- -D warnings
# Programs and tests in one build: two builds would compile half of the dependencies twice, with other features.
step "build" cargo build --workspace --bins --tests --examples --locked
if [ ${#failures[@]} = 0 ]; then
  tests "unit and whole-system tests" 1500 cargo test --workspace --locked --no-fail-fast
  if [ -z "${SKIP_RIGS:-}" ]; then
    rigs 900 tests/rigs/test-*.sh
  else
    echo "skip the rigs: SKIP_RIGS is set"; skipped=$((skipped + 1))
  fi
  # Last, and no programs: those that the rigs run are the ones without FFmpeg.
  step "lints with FFmpeg" cargo clippy --workspace --all-targets --locked --features punktfunk-agent/ffmpeg -- -D warnings
  tests "encoders with FFmpeg" 900 cargo test --workspace --lib --locked --features punktfunk-agent/ffmpeg encode::
fi
finish
