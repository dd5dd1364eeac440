# Sourced by demo.sh and run.sh: a private bus, the service in development mode and one agent, in $dir. Ends with the shell.
# In: BIN (binaries), BASE_PORT, SOURCE_NAME (empty: as configured later), AGENT (another agent's command). Out: dir, service_pid, agent_pid, DBUS_SYSTEM_BUS_ADDRESS.
BASE_PORT=${BASE_PORT:-47989}
dir=$(mktemp -d "${TMPDIR:-/tmp}/punktfunk.XXXXXX"); pids=()
end_host() {
  local p
  for p in "${pids[@]}"; do kill "$p" 2>/dev/null || :; done
  for p in "${pids[@]}"; do wait "$p" 2>/dev/null || :; done
  rm -rf "$dir"
}
give_up() { echo "FAILED: $*" >&2; for f in "$dir"/*.log; do echo "--- $(basename "$f")" >&2; tail -n 12 "$f" >&2; done; exit 1; }
wait_for() { # SECONDS WHAT COMMAND...: until it succeeds
  local end=$((SECONDS + $1)) what=$2; shift 2
  until "$@" >/dev/null 2>&1; do [ $SECONDS -lt $end ] || give_up "$what did not come up"; sleep 0.1; done
}
start_host() {
  trap end_host EXIT; trap 'exit 130' INT TERM
  sed "s|@dir@|$dir|" "$(dirname "${BASH_SOURCE[0]}")/private-bus.conf" >"$dir/bus.conf"
  dbus-daemon --config-file="$dir/bus.conf" --nofork >"$dir/bus.log" 2>&1 & pids+=($!)
  wait_for 10 "the private bus" test -S "$dir/bus"
  export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$dir/bus
  mkdir -p "$dir/state"
  ${SOURCE_NAME:+env PUNKTFUNK_VIDEO_SOURCE="$SOURCE_NAME"} "$BIN/punktfunkd" --dev --state-dir "$dir/state" --base-port "$BASE_PORT" >"$dir/service.log" 2>&1 & service_pid=$!; pids+=($!)
  wait_for 20 "punktfunkd" "$BIN/punktfunkctl" status
  ${AGENT:-"$BIN/punktfunk-agent" run --dev} >"$dir/agent.log" 2>&1 & agent_pid=$!; pids+=($!)
  wait_for 20 "punktfunk-agent" sh -c "'$BIN/punktfunkctl' agents --json | grep -q session"
}
