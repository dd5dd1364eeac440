#!/bin/bash
# demo.sh SOURCE SECONDS: the main job, seen working. Service and agent on a private bus, the test client paired by PIN, a stream
# of 1280x720 at 60 frames a second; leaves demo.h264, demo.png and demo-report.txt. SOURCE: synthetic or desktop.
set -euo pipefail
cd "$(dirname "$0")/.."
source=${1:-synthetic} seconds=${2:-10}
BIN=${BIN:-$PWD/target/release} OUT=${OUT:-$PWD} BASE_PORT=${BASE_PORT:-48989}

if [ "$source" = desktop ] && [ -z "${DEMO_IN_SESSION:-}" ] && [ -z "${WAYLAND_DISPLAY:-}" ]; then
  echo "== no desktop session here: bringing up a headless one (Mutter) in a root filesystem of Debian 13; the first time this takes minutes"
  scripts/packages.sh desktop
  [ "$(id -u)" = 0 ] && as_root= || as_root=sudo
  results=$(mktemp -d); chmod 777 "$results"; rc=0
  $as_root tests/rigs/container.sh -p desktop -u alice -r "$BIN:/opt/bin" -r "$PWD/scripts:/opt/scripts" -b "$results:/opt/out" \
    -e DEMO_IN_SESSION=1 -e BIN=/opt/bin -e OUT=/opt/out -- /rig/session-mutter /opt/scripts/demo-in-rig.sh "$seconds" || rc=$?
  mkdir -p "$OUT"; cp "$results"/demo* "$OUT/" 2>/dev/null || :; $as_root rm -rf "$results"
  [ $rc = 0 ] && echo "== copied to $OUT"
  exit $rc
fi
case $source in
  synthetic) SOURCE_NAME=synthetic;;
  desktop) SOURCE_NAME=${SOURCE_NAME:-auto};;
  *) echo "demo: SOURCE is 'synthetic' or 'desktop', not '$source'" >&2; exit 2;;
esac
. scripts/dev-host.sh
echo "== starting a private bus, punktfunkd and punktfunk-agent (source: $SOURCE_NAME)"
start_host
client="$BIN/punktfunk-testclient" at=127.0.0.1:$BASE_PORT
echo "== pairing the test client"
"$BIN/punktfunkctl" pair --pin 4711 --name "demo client" --wait 30 >"$dir/ctl-pair.log" 2>&1 & ctl=$!
"$client" pair --host "$at" --state "$dir/client" --pin 4711 >"$dir/client-pair.log" 2>&1 || give_up "pairing (client)"
wait $ctl || give_up "pairing (host)"
cat "$dir/ctl-pair.log"

ticks() { awk '{print $14 + $15}' "/proc/$1/stat"; }
echo "== streaming $seconds s at 1280x720, 60 frames a second, 20 Mbit/s"
mkdir -p "$OUT"
s0=$(ticks $service_pid) a0=$(ticks $agent_pid) t0=$(date +%s%N)
"$client" stream --host "$at" --state "$dir/client" --width 1280 --height 720 --fps 60 --bitrate 20000 --seconds "$seconds" \
  --out "$OUT/demo.h264" --png "$OUT/demo.png" --report "$dir/client.json" $([ "$source" = synthetic ] && echo --expect-counters) & stream=$!
while kill -0 $stream 2>/dev/null; do
  "$BIN/punktfunkctl" streams --json >"$dir/now.json" 2>/dev/null && grep -q frames_sent "$dir/now.json" && mv "$dir/now.json" "$dir/service.json"
  sleep 0.5
done
wait $stream && rc=0 || rc=$?
wall=$(($(date +%s%N) - t0)); hz=$(getconf CLK_TCK)
cpu() { echo "$2 $1 $hz $wall" | awk '{printf "%.1f %%", ($1 - $2) / $3 / ($4 / 1e9) * 100}'; }
cpu_service=$(cpu "$s0" "$(ticks $service_pid)") cpu_agent=$(cpu "$a0" "$(ticks $agent_pid)")
value() { grep -o "\"$2\": *[0-9.]*" "$1" 2>/dev/null | head -1 | grep -o '[0-9.]*$' || echo "?"; }
stage() { printf '  %-34s %8s %8s %8s\n' "$1" "$(value "$dir/service.json" "$2_p50_us")" "$(value "$dir/service.json" "$2_p90_us")" "$(value "$dir/service.json" "$2_p99_us")"; }
{
  echo "punktfunk demo, source $SOURCE_NAME, 1280x720 at 60, $seconds s"
  echo "  frames received                    $(value "$dir/client.json" frames_received)"
  echo "  frames decoded                     $(value "$dir/client.json" frames_decoded)"
  echo "  frames lost                        $(value "$dir/client.json" frames_lost)"
  echo "  repaired shards                    $(value "$dir/client.json" repaired_shards)"
  echo "  latency in microseconds                 p50      p90      p99"
  stage "capture -> encoded" capture_to_encoded
  stage "encoded -> handed over" encoded_to_handed_over
  stage "handed over -> first packet sent" handed_over_to_first_packet
  stage "handed over -> last packet sent" handed_over_to_last_packet
  stage "capture -> last packet sent" total
  echo "  CPU of the service                 $cpu_service of a core, $(awk '/VmRSS/{print int($2/1024)}' /proc/$service_pid/status) MB resident"
  echo "  CPU of the agent                   $cpu_agent of a core"
} | tee "$OUT/demo-report.txt"
cp "$dir/client.json" "$OUT/demo-report.json"
[ $rc = 0 ] || give_up "the test client found faults (exit $rc)"
echo "== left: $OUT/demo.h264  $OUT/demo.png  $OUT/demo-report.txt  $OUT/demo-report.json"
