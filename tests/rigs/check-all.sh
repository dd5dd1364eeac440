#!/bin/bash
# check-all.sh [NAME...]: run the rigs' self-checks and print what passed; exit 1 if any failed. Logs: RIG_CACHE/check-NAME.log.
# Names: bus systemd mutter weston gamescope sway (default: all).
. "$(dirname "$0")/lib.sh"
case ${1:-} in -h|--help) usage;; esac
[ $# -gt 0 ] || set -- bus systemd mutter weston gamescope sway
p=0 f=0; cd "$RIGS"
for n in "$@"; do
  case $n in
    bus) c="./private-bus.sh";; systemd) c="./container.sh";;
    mutter|weston|gamescope) c="./container.sh -p desktop -u alice -- /rig/session-$n";;
    sway) c="./container.sh -p desktop -s forky -u bob -- /rig/session-sway";;
    *) die "no rig $n";; esac
  t0=$SECONDS; if timeout 900 $c >"$CACHE/check-$n.log" 2>&1; then r=ok; p=$((p + 1)); else r=FAIL; f=$((f + 1)); fi
  printf '%-5s %-11s %4d s  %s\n' $r $n $((SECONDS - t0)) "$(grep -h -e '^frames' -e '^FAIL' -e 'rig: FAIL' "$CACHE/check-$n.log" | head -2 | paste -sd' ')"
done
echo "$p passed, $f failed"; [ $f = 0 ]
