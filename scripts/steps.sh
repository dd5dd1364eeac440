# Sourced by check.sh and check-desktops.sh: named steps, and the totals of what they printed. Call finish last.
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
rigs() { # SECONDS RIG...: each as a step of at most so long
  local limit=$1 rig; shift
  for rig; do step "$(basename "$rig" .sh)" timeout "$limit" $as_root env BINDIR="$PWD/target/debug" "$rig"; done
}
finish() { # prints the totals; false if anything failed
  [ ${#failures[@]} = 0 ] || printf 'failed: %s\n' "${failures[@]}"
  echo "$passed passed, $failed failed, $skipped skipped"
  [ "$failed" = 0 ] && [ ${#failures[@]} = 0 ]
}
