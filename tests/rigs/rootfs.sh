#!/bin/bash
# rootfs.sh [base|desktop|vm|kwin] [SUITE]: build (once, cached) a Debian root filesystem and print its path.
#   base     systemd, dbus, logind, polkit, pam_systemd                         about 150 MB, 25 s
#   vm       base + what the agent links to and Python, for vm.sh                  about 200 MB, 30 s
#   kwin     vm + KWin, PipeWire, Mesa and Wayland clients, for vm.sh                about 800 MB, 1-2 min
#   desktop  base + PipeWire, sway, Mutter, weston, portals, Mesa                about 1 GB, 1-3 min
# SUITE: trixie (default) or forky. Users alice and bob exist in it (uids 1000, 1001; groups video, render).
# RIG_EXTRA_PACKAGES="a b" adds packages (a separate cache entry). RIG_REBUILD=1 builds anew.
. "$(dirname "$0")/lib.sh"
case ${1:-} in -h|--help) usage;; esac
profile=${1:-base} suite=${2:-trixie}
base="systemd systemd-sysv dbus dbus-user-session polkitd pkexec libpam-systemd login passwd procps iproute2 udev kmod ca-certificates libglib2.0-bin"
desktop="pipewire pipewire-bin pipewire-pulse wireplumber libspa-0.2-modules pulseaudio-utils
 xdg-desktop-portal xdg-desktop-portal-wlr sway swaybg weston mutter mesa-vulkan-drivers libgl1-mesa-dri
 libegl-mesa0 python3
 python3-gi python3-dbus gir1.2-glib-2.0 wayland-utils wev wtype grim foot wlr-randr libeis1 libei1 liboeffis1 fonts-dejavu-core
 strace swaylock mako-notifier"
vm="libpipewire-0.3-0t64 python3-minimal"
# kwin-common holds KWin's screencast and EIS plugins; kwin-wayland only recommends it.
kwin="kwin-wayland kwin-common qt6-wayland pipewire pipewire-bin wireplumber libspa-0.2-modules weston mesa-vulkan-drivers libgl1-mesa-dri libegl-mesa0
 wayland-utils wev fonts-dejavu-core kbd"
case $profile in base) pk=$base;; kwin) pk="$base $vm $kwin";; vm) pk="$base $vm libxkbcommon0";; desktop) pk="$base $desktop";; *) usage 2;; esac
pk="$pk ${RIG_EXTRA_PACKAGES:-}"
list=$(printf '%s\n' $pk | sort -u | paste -sd,)
key=$(printf '%s %s v1' "$suite" "$list" | sha256sum | cut -c1-10)
dir=$CACHE/$suite-$profile-$key
exec 8>"$CACHE/.lock-$suite-$profile"; flock 8
[ -n "${RIG_REBUILD:-}" ] && rm -rf "$dir"
if [ ! -e "$dir/.rig-ready" ]; then
  apt_need mmdebstrap debian-archive-keyring libcap2-bin
  rm -rf "$dir" "$dir.tmp"; t0=$SECONDS; say "building $dir"
  # Check-Valid-Until: a machine whose clock runs ahead of the mirror would refuse testing's index otherwise.
  mmdebstrap --quiet --variant=minbase --include="$list" \
    --aptopt='Acquire::Languages "none"' --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='APT::Install-Recommends "false"' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    "$suite" "$dir.tmp" >"$dir.log" 2>&1 || { tail -20 "$dir.log" >&2; die "mmdebstrap $suite $profile"; }
  for u in alice bob; do
    chroot "$dir.tmp" useradd -m -s /bin/bash "$u"
    for g in video render; do chroot "$dir.tmp" usermod -aG "$g" "$u" 2>/dev/null || true; done
  done
  # A file capability outside this machine's bounding set makes exec fail with EPERM; the rigs need none.
  for f in "$dir.tmp"/usr/bin/{gamescope,mutter,kwin_wayland}; do [ -e "$f" ] && setcap -r "$f" 2>/dev/null || true; done
  for u in apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer e2scrub_reap.service man-db.timer fstrim.timer dpkg-db-backup.timer udisks2.service accounts-daemon.service; do
    ln -sf /dev/null "$dir.tmp/etc/systemd/system/$u"
  done
  # Notifications lie over the pictures that others test: this server runs where it is started, and is not started by the bus.
  rm -f "$dir.tmp"/usr/share/dbus-1/services/*mako* "$dir.tmp"/etc/systemd/user/*.wants/mako.service
  # Without a menu file KDE's service cache knows no application, and KWin finds no X-KDE-Wayland-Interfaces of any client.
  [ "$profile" != kwin ] || { mkdir -p "$dir.tmp/etc/xdg/menus"
    echo '<!DOCTYPE Menu PUBLIC "-//freedesktop//DTD Menu 1.0//EN" "http://www.freedesktop.org/standards/menu-spec/1.0/menu.dtd"><Menu><Name>Applications</Name><DefaultAppDirs/><DefaultDirectoryDirs/><Include><All/></Include></Menu>' >"$dir.tmp/etc/xdg/menus/applications.menu"; }
  : >"$dir.tmp/etc/machine-id"; mkdir -p "$dir.tmp/rig"; rm -f "$dir.tmp"/var/cache/apt/archives/*.deb
  touch "$dir.tmp/.rig-ready"; mv "$dir.tmp" "$dir"; say "built $(basename "$dir") in $((SECONDS - t0)) s, $(du -sh "$dir" | cut -f1)"
fi
echo "$dir"
