#!/bin/bash
# test-on-demand.sh: sessions on demand, with the installed service, a real systemd, logind, polkit and PAM, and sway, Mutter and a double
# of gamescope without a screen: carol is not logged in and enabled, dave is not enabled. What the polkit rule lets the service's account
# do, and what not, also with near-matching names, transient units and the template gone. Prints the times to the first frame and to the
# end. BINDIR holds the binaries; PROFILE and SUITE name another root filesystem, COMPOSITORS those that are in it.
. "$(dirname "$0")/lib.sh"
top=$(cd "$RIGS/../.." && pwd)
bin=$(realpath "${BINDIR:-$top/target/debug}")
copy=$(mktemp -d "$CACHE/bin.XXXXXX"); trap 'rm -rf "$copy"' EXIT; chmod 755 "$copy"
for b in punktfunkd punktfunk-agent punktfunkctl punktfunk-testclient punktfunk-gamescope-double; do install -m755 "$bin/$b" "$copy/$b"; done
timeout --foreground 600 "$RIGS/container.sh" -p "${PROFILE:-desktop}" -s "${SUITE:-trixie}" -e COMPOSITORS="${COMPOSITORS:-sway mutter gamescope}" -r "$copy:/opt/bin" -r "$top:/opt/src" -- bash /opt/src/tests/rigs/guest/check-on-demand
