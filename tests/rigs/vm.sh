#!/bin/bash
# vm.sh [options] -- COMMAND...: boot a virtual machine (Debian's kernel, real systemd, udev, logind, two users) and run COMMAND in it
# as root; its output and exit status are returned. It has what a container has not: uinput, uhid and evdev of its own.
#   -b SRC:DST   show a host folder at DST in the guest, read-only (several times)     -m MIB  memory (1024)
#   -s SUITE     trixie (default) or forky                                              -t S    give up after S seconds (280)
#   -p PROFILE   of rootfs.sh: vm (default), kwin                                       -g      with a graphics card: /dev/dri, virtual terminals
# RIG_ACCEL=kvm|tcg: how it runs; by default KVM if the guest kernel boots with it here, else emulated: 15-30 times slower, no /dev node
# needed. Exit 77: no VM can be had on this machine (the reason is printed). Every boot starts from the clean image.
. "$(dirname "$0")/lib.sh"
suite=trixie mem=1024 limit=280 profile=vm shows=() devices=()
while [ $# -gt 0 ]; do case $1 in
  -s) suite=$2; shift;; -p) profile=$2; shift;; -g) devices+=(-device virtio-gpu-pci,max_outputs=2);; -m) mem=$2; shift;; -t) limit=$2; shift;; -b) shows+=("$2"); shift;;
  -h|--help) usage;; --) shift; break;; -*) usage 2;; *) break;; esac; shift; done
[ $# -gt 0 ] || usage 2
[ "$(uname -m)" = x86_64 ] || { say "no VM: only x86_64 is provided for"; exit 77; }
(apt_need qemu-system-x86 seabios e2fsprogs kmod busybox-static cpio xz-utils zstd) || { say "no VM: QEMU is not to be had"; exit 77; }
root=$("$RIGS/rootfs.sh" "$profile" "$suite") && vm=$("$RIGS/vm-image.sh" "$root") || { say "no VM: its image could not be built"; exit 77; }
run=$(mktemp -d "$CACHE/run.XXXXXX"); qp=
stop() { [ -z "$qp" ] || { kill "$qp" 2>/dev/null || :; wait "$qp" 2>/dev/null || :; qp=; }; }
trap 'stop; rm -rf "$run"' EXIT

# What the guest is shown travels on a disk of its own.
mkdir -p "$run/disk"
for s in "${shows[@]}"; do mkdir -p "$run/disk/${s##*:}"; cp -a "${s%%:*}/." "$run/disk/${s##*:}/"; printf '%s\n' "${s##*:}" >>"$run/disk/.shows"; done
printf '%q ' "$@" >"$run/disk/.command"
truncate -s $(($(du -sm "$run/disk" | cut -f1) * 5 / 4 + 16))M "$run/show"
mke2fs -q -F -t ext4 -O ^has_journal -d "$run/disk" "$run/show"; rm -rf "$run/disk"

start() { # ACCEL
  local cpu=host
  # TCG's AVX2 is not right on every QEMU version.
  [ "$1" = kvm ] || cpu=max,avx=off,avx2=off,f16c=off,fma=off
  : >"$run/out"; : >"$run/console"
  qemu-system-x86_64 -M q35 -accel "$([ "$1" = kvm ] && echo kvm || echo tcg,thread=multi,tb-size=512)" -cpu "${RIG_CPU:-$cpu}" -smp 2 -m "$mem" \
    -nodefaults -display none -vga none -no-reboot -serial "file:$run/console" -serial "file:$run/out" -kernel "$vm/vmlinuz" -initrd "$vm/initrd" \
    -append "console=ttyS0 quiet mitigations=off net.ifnames=0 systemd.show_status=0 systemd.mask=serial-getty@ttyS0.service" \
    -drive "file=$vm/disk,format=raw,if=virtio,snapshot=on" -drive "file=$run/show,format=raw,if=virtio,readonly=on" -device virtio-rng-pci "${devices[@]}" \
    </dev/null >"$run/qemu" 2>&1 & qp=$!
}
alive() { kill -0 "$qp" 2>/dev/null; }
booted() { # SECONDS: the guest's kernel has reached its first program
  for _ in $(seq $(($1 * 5))); do grep -q '^rig: kernel' "$run/console" && return 0; alive || return 1; sleep .2; done; return 1
}
t0=$SECONDS accel=${RIG_ACCEL:-}
if [ -z "$accel" ]; then
  accel=tcg
  # Some nested KVMs start a guest and then cannot run a stock kernel: tried once, remembered.
  if [ -w /dev/kvm ] && [ ! -e "$vm/no-kvm" ]; then
    start kvm
    if booted 10; then accel=kvm; else stop; touch "$vm/no-kvm"; fi 2>/dev/null
  fi
fi
[ -n "$qp" ] || start "$accel"
booted 120 || { tail -5 "$run/qemu" "$run/console" >&2; say "no VM: the guest's kernel does not boot ($accel)"; exit 77; }
say "$accel: kernel up after $((SECONDS - t0)) s"
# Show the output as it comes; the last line is the command's exit status.
tail -n +1 -F "$run/out" --pid="$qp" 2>/dev/null | sed -u -e 's/\r$//' -e '/^rig-exit /d' & shown=$!
while alive && ! grep -q '^rig-exit ' "$run/out"; do
  [ $((SECONDS - t0)) -lt "$limit" ] || { say "FAIL: not done within $limit s"; tail -n 20 "$run/console" >&2; stop; wait $shown 2>/dev/null; exit 124; }
  sleep .3
done
rc=$(sed -n 's/^rig-exit \([0-9]*\).*/\1/p' "$run/out" | tail -1)
sleep .3; stop; wait $shown 2>/dev/null || :
[ -n "$rc" ] || { tail -n 20 "$run/qemu" "$run/console" >&2; die "the guest ended before its command did"; }
say "done after $((SECONDS - t0)) s"; exit "$rc"
