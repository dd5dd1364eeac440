# Sourced by the desktop rigs: in_vm CHECK SUITE [ARGUMENT]... runs tests/rigs/guest/CHECK in a virtual machine with KWin and a graphics card. The sources
# are at /opt/src there, the binaries and examples of BINDIR (default target/debug) in /opt/bin. Exits as the check does.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
in_vm() {
  local bin out b rc; bin=$(realpath "${BINDIR:-target/debug}")
  out=$(mktemp -d); trap 'rm -rf "$out"' EXIT
  mkdir "$out/bin" "$out/src" "$out/rig"
  for b in punktfunkd punktfunk-agent punktfunkctl punktfunk-testclient examples/source_probe examples/known_window; do
    [ -x "$bin/$b" ] || { echo "FAIL $bin/$b is not built: cargo build --workspace --bins --examples"; exit 1; }
    strip -o "$out/bin/$(basename "$b")" "$bin/$b" || exit 1
  done
  cp -r Cargo.toml scripts systemd dbus polkit service docs README.md "$out/src/"; mkdir -p "$out/src/tests/rigs"; cp -r tests/rigs/guest "$out/src/tests/rigs/"
  cp tests/rigs/guest/{as,session-lib.sh,session-kwin,heard.py,doctor-lib.sh} "$out/rig/"; chmod -R a+rX "$out"
  tests/rigs/vm.sh -s "$2" -p kwin -g -m 3072 -t "${RIG_LIMIT:-2000}" -b "$out/bin:/opt/bin" -b "$out/src:/opt/src" -b "$out/rig:/rig" -- \
    bash "/opt/src/tests/rigs/guest/$1" "${@:3}" 2> >(tee "$out/log" >&2); rc=$?
  [ $rc != 77 ] || { echo "skip $1 in a virtual machine: $(sed -n 's/.*no VM: //p' "$out/log" | tail -1)"; exit 0; }
  exit $rc
}
