#!/bin/bash
# test-zero-copy.sh: pictures that lie in the GPU's memory, the whole way: a producer in a real PipeWire lends them, the agent's capture
# negotiates and takes them, the simulated NVENC and VAAPI drivers import them (src of both: tests/nvenc-double, tests/vaapi-double; EGL and OpenGL
# are Mesa's), ring, service, test client, and what that decodes is looked at. "GPU memory" is declared so: files of the kernel's. The drivers'
# books say that each buffer was imported once, that nothing went through the host's memory, and that nothing is left when a producer was killed.
# BINDIR holds a build with its tests (default target/debug). Prints "ok   PROMISE" or "FAIL PROMISE" lines; exit 1 if any failed.
. "$(dirname "$0")/lib.sh"
case ${1:-} in -h|--help) usage;; ?*) usage 2;; esac
top=$(cd "$RIGS/../.." && pwd) bin=${BINDIR:-$(cd "$RIGS/../.." && pwd)/target/debug}
copy=$(mktemp -d "$CACHE/bin.XXXXXX"); trap 'rm -rf "$copy"' EXIT; chmod 755 "$copy"; mkdir -p "$copy"/{double,nvenc,vaapi}
for b in punktfunkd punktfunk-agent punktfunkctl punktfunk-testclient; do install -m755 "$bin/$b" "$copy/$b"; done
install -m755 "$bin/punktfunk-gamescope-double" "$copy/double/gamescope"
double() { [ -e "$bin/deps/$1" ] || die "$bin/deps/$1 is missing: cargo build --workspace --tests"; install -m755 "$bin/deps/$1" "$copy/$2"; }
double libcuda_double.so nvenc/libcuda.so.1; double libnvenc_double.so nvenc/libnvidia-encode.so.1; double libegl_double.so nvenc/libEGL.so.1
double libvaapi_double.so vaapi/libva.so.2; ln -s libva.so.2 "$copy/vaapi/libva-drm.so.2"  # one library: its displays are those of both
bad=0
for card in nvenc vaapi "nvenc, that refuses" "vaapi, that refuses" "nvenc, that is lost" "vaapi, that is lost"; do
  timeout --foreground 300 "$RIGS/container.sh" -p desktop -u alice -r "$copy:/opt/bin" -r "$top/scripts:/opt/scripts" -- /rig/session-pipewire /rig/check-zero-copy "$card" || bad=1
done
exit $bad
