#!/bin/bash
# test-gamepads.sh: gamepads in a virtual machine with real systemd, udev, uinput, uhid and the kernel's drivers: the installed service,
# an agent, the test client, and programs of two users. BINDIR holds the binaries (default target/debug). Prints "ok   PROMISE",
# "FAIL PROMISE" or "skip REASON" lines.
set -uo pipefail
cd "$(dirname "$0")/../.."
bin=$(realpath "${BINDIR:-target/debug}")
out=$(mktemp -d); trap 'rm -rf "$out"' EXIT
mkdir "$out/bin" "$out/src" "$out/rig"
for b in punktfunkd punktfunk-agent punktfunkctl punktfunk-testclient; do strip -o "$out/bin/$b" "$bin/$b" || exit 1; done
cp -r Cargo.toml scripts systemd dbus polkit service docs README.md "$out/src/"; mkdir -p "$out/src/tests/rigs"; cp -r tests/rigs/guest "$out/src/tests/rigs/"
cp tests/rigs/guest/as "$out/rig/"; chmod 755 "$out/rig/as"
tests/rigs/vm.sh -t "${RIG_LIMIT:-600}" -b "$out/bin:/opt/bin" -b "$out/src:/opt/src" -b "$out/rig:/rig" -- bash /opt/src/tests/rigs/guest/check-gamepads 2> >(tee "$out/log" >&2); rc=$?
[ $rc != 77 ] || { echo "skip gamepads in a virtual machine: $(sed -n 's/.*no VM: //p' "$out/log" | tail -1)"; exit 0; }
exit $rc
