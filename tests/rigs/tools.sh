#!/bin/bash
# tools.sh: put the guest scripts and the compiled helpers (pwgrab, fake-gamescope, odd-producer) into one folder and print its path.
# The rigs show that folder to the guest as /rig (read-only).
. "$(dirname "$0")/lib.sh"
case ${1:-} in -h|--help) usage;; esac
apt_need gcc libc6-dev pkg-config libpipewire-0.3-dev
# A folder for each state of them: another checkout's rigs may run meanwhile.
key=$(cat "$RIGS"/guest/* "$RIGS"/src/*.c | sha256sum | cut -c1-10)
out=$CACHE/tools-$key; mkdir -p "$out"; exec 8>"$CACHE/.lock-tools"; flock 8
cp -p "$RIGS"/guest/* "$out/"; chmod 755 "$out"/*
for t in pwgrab fake-gamescope odd-producer; do
  [ -x "$out/$t" ] && [ ! "$RIGS/src/$t.c" -nt "$out/$t" ] || cc -O1 -w -o "$out/$t" "$RIGS/src/$t.c" $(pkg-config --cflags --libs libpipewire-0.3)
done
echo "$out"
