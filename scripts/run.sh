#!/bin/bash
# run.sh SOURCE: keep a host running for a real Moonlight client; Ctrl-C ends it and leaves nothing behind.
set -euo pipefail
cd "$(dirname "$0")/.."
BIN=${BIN:-$PWD/target/release} SOURCE_NAME=synthetic
[ "${1:-synthetic}" = synthetic ] || SOURCE_NAME=auto
. scripts/dev-host.sh
start_host
addresses=$(hostname -I 2>/dev/null | tr ' ' '\n' | grep -v : | head -3 | paste -sd' ' || :)
cat <<T
punktfunk is running (source: $SOURCE_NAME).
  Address for Moonlight: ${addresses:-127.0.0.1}$([ "$BASE_PORT" = 47989 ] || echo " port $BASE_PORT")
  To pair: choose "Add PC" in Moonlight, then in another terminal:
      DBUS_SYSTEM_BUS_ADDRESS=$DBUS_SYSTEM_BUS_ADDRESS $BIN/punktfunkctl pair
  and type the PIN that Moonlight shows.
  Ctrl-C ends service and agent and forgets this run's pairings. Nothing of the system was changed.
T
tail -n +1 -F "$dir/service.log" "$dir/agent.log" 2>/dev/null & pids+=($!)
wait "$service_pid"
