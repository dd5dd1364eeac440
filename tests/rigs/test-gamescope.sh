#!/bin/bash
# test-gamescope.sh: programs in a gamescope of their own, with punktfunk-gamescope-double as the gamescope (the real one needs a
# Vulkan device that this machine need not have) and a real PipeWire, in a session with a user manager: the agent by itself, then the
# whole way to the test client. At the end the command line is held against Debian 12's real gamescope, where that can be had.
# BINDIR holds the binaries (default target/debug). Prints "ok   PROMISE", "FAIL PROMISE" or "skip" lines; exit 1 if any failed.
. "$(dirname "$0")/lib.sh"
top=$(cd "$RIGS/../.." && pwd) bin=${BINDIR:-$(cd "$RIGS/../.." && pwd)/target/debug} bad=0
copy=$(mktemp -d "$CACHE/bin.XXXXXX"); trap 'rm -rf "$copy"' EXIT; chmod 755 "$copy"; mkdir "$copy/double"
for b in punktfunkd punktfunk-agent punktfunkctl punktfunk-testclient; do install -m755 "$bin/$b" "$copy/$b"; done
install -m755 "$bin/punktfunk-gamescope-double" "$copy/double/gamescope"
timeout --foreground 840 "$RIGS/container.sh" -p desktop -u alice -r "$copy:/opt/bin" -r "$top/scripts:/opt/scripts" -- /rig/session-pipewire /rig/check-gamescope || bad=1

# The real one: bookworm ships 3.11.49, which has the options for the mode and nothing to run without a window.
real=$CACHE/gamescope-bookworm
fetch() {
  [ -x "$real/usr/games/gamescope" ] && return
  grep -qs '^VERSION_CODENAME=bookworm' /etc/os-release && [ "$(dpkg --print-architecture)" = amd64 ] || return 1
  rm -rf "$real"; mkdir -p "$real/debs/partial"
  apt-get install -y --no-install-recommends --download-only -o Dir::Cache::archives="$real/debs" gamescope >"$real/log" 2>&1 || return 1
  for d in "$real"/debs/*.deb; do dpkg-deb -x "$d" "$real" || return 1; done; rm -rf "$real/debs"
}
with_real() { LD_LIBRARY_PATH=$real/usr/lib/x86_64-linux-gnu PATH=$real/usr/games:$PATH "$@"; }
p="Debian 12's gamescope has the options for size and rate"
if ! fetch || ! help=$(with_real gamescope --help 2>&1); then echo "skip $p: it cannot be had here"; else
  missing=; for o in --output-width --output-height --nested-width --nested-height --nested-refresh -W -H -w -h -r; do grep -q -- "  .*$o[ ,]" <<<"$help" || missing="$missing $o"; done
  if [ -z "$missing" ]; then echo "ok   $p (none of --backend and --headless in it)"; else echo "FAIL $p: not$missing"; bad=1; fi
  p="and is refused by name, because it cannot run without a window"
  run=$(mktemp -d "$CACHE/run.XXXXXX"); r=$(XDG_RUNTIME_DIR=$run with_real timeout 30 "$copy/punktfunk-agent" spike --source gamescope --seconds 1 --out "$run/x.h264" -- true 2>&1) || :; rm -rf "$run"
  if grep -q 'cannot run without a window' <<<"$r"; then echo "ok   $p"; else echo "FAIL $p: $r"; bad=1; fi
fi
exit $bad
