#!/bin/bash
# test-moonlight.sh [ACT]...: a stranger's client. Moonlight's own library, unmodified, pairs, streams, listens, types, loses packets and comes back,
# against the real service: with the real agent and its test picture, with the simulated NVENC driver, with the agent double. In a network namespace of its own,
# where packets are dropped one by one by nftables. BINDIR holds the binaries (default target/debug). Prints "ok   PROMISE", "FAIL PROMISE"
# or "skip REASON" lines.
. "$(dirname "$0")/lib.sh"
top=$(cd "$RIGS/../.." && pwd)
bin=${BINDIR:-$top/target/debug}
if [ -z "${IN_NETNS:-}" ]; then
  if [ "$(id -u)" != 0 ] || ! unshare -n true 2>/dev/null; then echo "skip Moonlight's library: no network namespace can be made here"; exit 0; fi
  apt_need python3-pip python3-cffi python3-cryptography python3-requests python3-numpy python3-av python3-pil python3-zeroconf nftables ethtool iproute2
  wants=$top/tests/moonlight/requirements.txt
  library=$CACHE/moonlight-$(sha256sum <"$wants" | cut -c1-10)
  if [ ! -d "$library" ]; then
    /usr/bin/python3 -m pip install -q --no-deps --no-compile --require-hashes --root-user-action ignore -r "$wants" --target "$library.new" ||
      die "Moonlight's library cannot be fetched from the Python package index"
    mv "$library.new" "$library"
  fi
  exec unshare -n env IN_NETNS=1 PYTHONPATH="$library" "$0" "$@"
fi

ip link set lo up
# A network to be found on by mDNS.
ip link add home type veth peer name away && ip addr add 10.213.0.1/24 dev home && ip link set home up && ip link set away up
# One datagram at a time passes the rules below, as it would on a wire.
ethtool -K lo gso off gro off tso off tx-udp-segmentation off
nft add table inet moonlight && nft 'add chain inet moonlight arriving { type filter hook input priority 0; }' ||
  { echo "skip Moonlight's library: no nftables in this kernel"; exit 0; }

work=$(mktemp -d); hosts=()
trap 'kill "${hosts[@]}" 2>/dev/null || :; wait "${hosts[@]}" 2>/dev/null || :; rm -rf "$work"' EXIT
host() { # NAME PORT: a service with its agent, AGENT or the real one; its bus's address goes to NAME.bus
  (
    export BIN=$bin BASE_PORT=$2 SOURCE_NAME=synthetic
    . "$top/scripts/dev-host.sh"
    start_host
    echo "$DBUS_SYSTEM_BUS_ADDRESS $dir" >"$work/$1.new" && mv "$work/$1.new" "$work/$1.bus"
    wait "$service_pid"
  ) >"$work/$1.log" 2>&1 & hosts+=($!)
}
export PUNKTFUNK_RECORDINGS=$CACHE/recordings
recordings="--recording h264:640x360@30 --recording h265:640x360@30 --recording av1:640x360@30"
"$bin/punktfunk-agent-double" --session none $recordings --only-record || die "no recordings"
host synthetic 47989
AGENT="$bin/punktfunk-agent-double --session dev --invalidates-refs $recordings" host double 51111
mkdir -p "$work/nvenc/lib" "$work/nvenc/books"
ln -s "$bin/deps/libcuda_double.so" "$work/nvenc/lib/libcuda.so.1"; ln -s "$bin/deps/libnvenc_double.so" "$work/nvenc/lib/libnvidia-encode.so.1"
[ -e "$work/nvenc/lib/libnvidia-encode.so.1" ] || die "the NVENC double is missing: cargo build --workspace --tests"
LD_LIBRARY_PATH=$work/nvenc/lib CUDA_DOUBLE_BOOKS=$work/nvenc/books NVENC_DOUBLE_BOOKS=$work/nvenc/books host nvenc 52222
for name in synthetic nvenc double; do
  for _ in $(seq 300); do [ -s "$work/$name.bus" ] && break; sleep 0.1; done
  [ -s "$work/$name.bus" ] || { cat "$work/$name.log"; die "the $name host did not come up"; }
done
read -r synthetic_bus synthetic_dir <"$work/synthetic.bus"; read -r double_bus double_dir <"$work/double.bus"; read -r nvenc_bus _ <"$work/nvenc.bus"
rc=0
SYNTHETIC_PORT=47989 SYNTHETIC_BUS=$synthetic_bus NVENC_PORT=52222 NVENC_BUS=$nvenc_bus DOUBLE_PORT=51111 DOUBLE_BUS=$double_bus DOUBLE_LOG=$double_dir/agent.log \
  WORK=$work PUNKTFUNKCTL=$bin/punktfunkctl PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 "$top/tests/moonlight/promises.py" "$@" || rc=$?
if [ -s "$work/nvenc/books/nvenc.faults" ] || [ -s "$work/nvenc/books/cuda.faults" ]; then
  echo "FAIL no call that a real driver would have refused: $(cat "$work"/nvenc/books/*.faults)"; rc=1
fi
[ $rc = 0 ] || tail -n 30 "$synthetic_dir/service.log" "$double_dir/service.log"
exit $rc
