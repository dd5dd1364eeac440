#!/bin/bash
# check.sh: every test of the project, from a bare checkout. Installs what is missing, builds, runs, and ends with the totals.
# SKIP_RIGS=1 leaves out the tests that need root and namespaces (and says so).
set -uo pipefail
cd "$(dirname "$0")/.."
log=$(mktemp); trap 'rm -f "$log"' EXIT
passed=0 failed=0 skipped=0 failures=()
[ "$(id -u)" = 0 ] && as_root= || as_root="sudo -E"

# Adds up what a step printed: cargo's "test result" lines and the rigs' "ok"/"FAIL"/"skip" lines.
count() {
  local p f s
  p=$(awk '/^test result:/{n += $4} /^ok   /{n++} END{print n + 0}' "$log")
  f=$(awk '/^test result:/{n += $6} /^FAIL /{n++} END{print n + 0}' "$log")
  s=$(awk '/^test result:/{n += $8} /^skip /{n++} END{print n + 0}' "$log")
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
  [ "$1" = 0 ] || [ "$f" != 0 ] || failed=$((failed + 1))
}
step() { # NAME COMMAND...
  local name=$1 t=$SECONDS rc; shift
  echo "== $name"
  "$@" 2>&1 | tee "$log"; rc=${PIPESTATUS[0]}
  count "$rc"
  [ "$rc" = 0 ] || failures+=("$name")
  echo "== $name: $([ "$rc" = 0 ] && echo passed || echo "FAILED (exit $rc)") after $((SECONDS - t)) s"
}

step "packages" scripts/packages.sh build check
step "formatting" cargo fmt --all --check
step "lints" cargo clippy --workspace --all-targets --locked -- -D warnings
step "build" cargo build --workspace --bins --locked
if [ ${#failures[@]} = 0 ]; then
  # Whatever hangs fails, instead of holding up everything.
  step "unit and whole-system tests" timeout 1500 cargo test --workspace --locked --no-fail-fast
  if [ -z "${SKIP_RIGS:-}" ]; then
    for rig in tests/rigs/test-*.sh; do
      step "$(basename "$rig" .sh)" timeout 900 $as_root env BINDIR="$PWD/target/debug" "$rig"
    done
  else
    echo "skip the rigs: SKIP_RIGS is set"; skipped=$((skipped + 1))
  fi
fi

[ ${#failures[@]} = 0 ] || printf 'failed: %s\n' "${failures[@]}"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ] && [ ${#failures[@]} = 0 ]
