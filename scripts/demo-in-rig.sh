#!/bin/bash
# demo-in-rig.sh SECONDS: inside a rig's desktop session: something that moves, then the demo; results go to /opt/out.
set -euo pipefail
( while :; do weston-simple-shm >/dev/null 2>&1 || sleep 0.5; done ) & mover=$!
trap 'kill $mover 2>/dev/null; pkill -P $mover 2>/dev/null || :' EXIT
cd /opt; /opt/scripts/demo.sh desktop "$1"
