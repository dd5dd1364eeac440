# Sourced by check.sh and check-desktops.sh: named steps, and the totals of what they printed. Call finish last.
# The rigs run real desktops on whatever machine there is: one that fails is run once more, and so are single tests. What passes
# only then counts as passed and is named as unsteady, with what it said first: a fault to be found, not one to be hidden.
log=$(mktemp); trap 'rm -f "$log"' EXIT
passed=0 failed=0 skipped=0 failures=() unsteady=()
[ "$(id -u)" = 0 ] && as_root= || as_root="sudo -E"

run() { # NAME COMMAND...: its output is kept in $log
  local name=$1 t=$SECONDS rc; shift
  echo "== $name"
  "$@" 2>&1 | tee "$log"; rc=${PIPESTATUS[0]}
  echo "== $name: $([ "$rc" = 0 ] && echo passed || echo "FAILED (exit $rc)") after $((SECONDS - t)) s"
  return "$rc"
}
# Adds up what the last run printed: cargo's "test result" lines and the rigs' "ok"/"FAIL"/"skip" lines.
count() { # EXIT-STATUS
  local p f s
  p=$(awk '/^test result:/{n += $4} /^ok   /{n++} END{print n + 0}' "$log")
  f=$(awk '/^test result:/{n += $6} /^FAIL /{n++} END{print n + 0}' "$log")
  s=$(awk '/^test result:/{n += $8} /^skip /{n++} END{print n + 0}' "$log")
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
  [ "$1" = 0 ] || [ "$f" != 0 ] || failed=$((failed + 1))
}
step() { # NAME COMMAND...
  local name=$1 rc; shift
  run "$name" "$@"; rc=$?
  count "$rc"
  [ "$rc" = 0 ] || failures+=("$name")
}
tests() { # NAME SECONDS CARGO-TEST...: at most so long: whatever hangs fails, instead of holding up everything
  local name=$1 limit=$2 rc names before; shift 2
  run "$name" timeout "$limit" "$@"; rc=$?
  mapfile -t names < <(sed -n 's/^test \([^ ]*\)\( - should panic\)\? \.\.\. FAILED$/\1/p' "$log" | sort -u)
  if [ "$rc" != 0 ] && [ "$rc" != 124 ] && [ ${#names[@]} -gt 0 ] && [ ${#names[@]} -le 3 ]; then
    before=$failed; count "$rc"
    if run "$name, once more: ${names[*]}" timeout "$limit" "$@" -- --exact "${names[@]}" && grep -q '^test .* ok$' "$log"; then
      failed=$before passed=$((passed + ${#names[@]})); unsteady+=("${names[@]}")
    else failures+=("$name: ${names[*]}"); fi
    return
  fi
  count "$rc"
  [ "$rc" = 0 ] || failures+=("$name")
}
rigs() { # SECONDS RIG...: each as a step of at most so long
  local limit=$1 rig name rc; shift
  for rig; do
    name=$(basename "$rig" .sh)
    run "$name" timeout "$limit" $as_root env BINDIR="$PWD/target/debug" "$rig"; rc=$?
    if [ "$rc" != 0 ]; then
      local said; said=$(grep '^FAIL ' "$log" | head -3)
      run "$name, once more" timeout "$limit" $as_root env BINDIR="$PWD/target/debug" "$rig"; rc=$?
      [ "$rc" != 0 ] || unsteady+=("$name: ${said:-it ended without a word}")
    fi
    count "$rc"
    [ "$rc" = 0 ] || failures+=("$name")
  done
}
finish() { # prints the totals; false if anything failed
  [ ${#unsteady[@]} = 0 ] || printf 'unsteady, passed the second time: %s\n' "${unsteady[@]}"
  [ ${#failures[@]} = 0 ] || printf 'failed: %s\n' "${failures[@]}"
  echo "$passed passed, $failed failed, $skipped skipped, ${#unsteady[@]} unsteady"
  [ "$failed" = 0 ] && [ ${#failures[@]} = 0 ]
}
