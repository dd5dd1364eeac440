#!/bin/bash
# test-package.sh [SUITE]: the .deb on a clean root filesystem with a real systemd, dbus, logind and polkit: installed under umask 077,
# enabled, a stream, settings and their reload, the journal, upgraded, removed, installed again, purged; and what lintian says of it.
# BINDIR holds the binaries (default target/debug). Prints "ok   PROMISE" or "FAIL PROMISE" lines.
. "$(dirname "$0")/lib.sh"
top=$(cd "$RIGS/../.." && pwd)
bin=$(realpath "${BINDIR:-$top/target/debug}")
apt_need dpkg-dev binutils lintian mandoc
copy=$(mktemp -d "$CACHE/deb.XXXXXX"); trap 'rm -rf "$copy"' EXIT; chmod 755 "$copy"
bad=0
one=$(umask 077; BINDIR=$bin DEB_COMPRESSION="gzip -z1" "$top/scripts/deb.sh" "$copy" | tail -1) || { echo "FAIL the package is built"; exit 1; }
# The next version is the same tree under another number.
dpkg-deb -R "$one" "$copy/next"; sed -i 's/^Version: .*/&+1/' "$copy/next/DEBIAN/control"
dpkg-deb --root-owner-group -Znone -b "$copy/next" "$copy/next.deb" >/dev/null; mv "$one" "$copy/one.deb"
(lintian --allow-root --no-tag-display-limit --fail-on error,warning "$copy/one.deb") >"$copy/lintian.log" 2>&1 & linting=$!
install -m755 "$bin/punktfunk-testclient" "$copy/"
for page in "$top"/docs/man/*; do
  said=$(mandoc -T lint -W warning "$page") || { echo "FAIL manual pages are clean: $said"; bad=1; }
done
timeout --foreground 300 "$RIGS/container.sh" -p "${PROFILE:-desktop}" -s "${1:-trixie}" -r "$copy:/opt/deb" -r "$RIGS/guest:/opt/guest" -- bash /opt/guest/check-package || bad=1
if wait $linting; then echo "ok   lintian finds nothing but what is listed with its reason"; else echo "FAIL lintian finds nothing but what is listed with its reason"; cat "$copy/lintian.log"; bad=1; fi
exit $bad
