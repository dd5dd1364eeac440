#!/bin/sh
# packages.sh GROUP...: install the Debian packages of each group that are missing. Groups: build, demo, desktop, ffmpeg, check, deb, bench.
# As root directly, else through sudo. Nothing is touched when everything is there.
set -eu
build="gcc g++ libc6-dev make pkg-config cmake nasm clang libclang-dev libpipewire-0.3-dev libspa-0.2-dev libxkbcommon-dev"
demo="dbus-daemon libglib2.0-bin procps"
desktop="pipewire pipewire-bin wireplumber libspa-0.2-modules systemd-container mmdebstrap debian-archive-keyring libcap2-bin util-linux libwayland-dev libwayland-bin plasma-wayland-protocols"
vm="qemu-system-x86 seabios e2fsprogs kmod busybox-static cpio xz-utils zstd binutils"
deb="dpkg-dev binutils gzip xz-utils"
# to build with the Cargo feature "ffmpeg"
ffmpeg="libavcodec-dev libavformat-dev libavutil-dev"
check="$deb lintian mandoc strace $demo $desktop $ffmpeg dbus polkitd pkexec python3-dbusmock python3-dbus python3-gi qtbase5-dev ffmpeg systemd util-linux libva-dev libegl1 libgl1-mesa-dri valgrind libc6-dbg $vm curl openssl iproute2"

wanted=
for group in "$@"; do
  case $group in
    build) wanted="$wanted $build";;
    demo) wanted="$wanted $demo";;
    desktop) wanted="$wanted $desktop";;
    ffmpeg) wanted="$wanted $ffmpeg";;
    check) wanted="$wanted $check";;
    deb) wanted="$wanted $deb";;
    bench) wanted="$wanted libisal-dev libssl-dev";;
    *) echo "packages.sh: no group '$group' (build, demo, desktop, ffmpeg, check, deb, bench)" >&2; exit 2;;
  esac
done

missing=
for p in $wanted; do
  case " $missing " in *" $p "*) continue;; esac
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || missing="$missing $p"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then as_root=; elif command -v sudo >/dev/null; then as_root=sudo
else echo "These packages are missing and neither root nor sudo is at hand. Install them, then try again:$missing" >&2; exit 1; fi
echo "== installing Debian packages:$missing"
log=$(mktemp)
install() { $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing >"$log" 2>&1; }
install || { $as_root apt-get update >>"$log" 2>&1; install; } || {
  tail -n 15 "$log" >&2; echo "apt-get could not install:$missing (the whole log: $log)" >&2; exit 1; }
rm -f "$log"
