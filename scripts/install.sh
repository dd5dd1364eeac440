#!/bin/sh
# install.sh DESTDIR PREFIX: put the built binaries (target/release, or $BINDIR) and every system file in place.
# It enables nothing: `systemctl enable --now punktfunk` afterwards does.
set -eu
dest=${1:-} prefix=${2:-/usr}
cd "$(dirname "$0")/.."
from=${BINDIR:-target/release}
identity=/var/lib/punktfunk-identity
for b in punktfunkd punktfunk-agent punktfunkctl; do
  [ -x "$from/$b" ] || { echo "install: $from/$b is not built: run 'make build' first" >&2; exit 1; }
  install -D -m755 "$from/$b" "$dest$prefix/bin/$b"
done
place() { # FROM TO: with the paths of this installation written in
  install -d "$dest$(dirname "$2")"
  sed -e "s|@bindir@|$prefix/bin|g" -e "s|@identitydir@|$identity|g" "$1" >"$dest$2"; chmod 644 "$dest$2"
}
place systemd/punktfunk.service       "$prefix/lib/systemd/system/punktfunk.service"
place systemd/punktfunk-agent.service "$prefix/lib/systemd/user/punktfunk-agent.service"
place systemd/org.punktfunk.Agent.desktop "$prefix/share/applications/org.punktfunk.Agent.desktop"
place systemd/90-punktfunk.preset     "$prefix/lib/systemd/user-preset/90-punktfunk.preset"
place systemd/sysusers.conf           "$prefix/lib/sysusers.d/punktfunk.conf"
place systemd/tmpfiles.conf           "$prefix/lib/tmpfiles.d/punktfunk.conf"
place systemd/sysctl.conf             "$prefix/lib/sysctl.d/60-punktfunk.conf"
place systemd/72-punktfunk.rules      "$prefix/lib/udev/rules.d/72-punktfunk.rules"
place systemd/modules-load.conf       "$prefix/lib/modules-load.d/punktfunk.conf"
place polkit/org.punktfunk.host.policy "$prefix/share/polkit-1/actions/org.punktfunk.host.policy"
place dbus/bus/org.punktfunk.Host1.conf    "$prefix/share/dbus-1/system.d/org.punktfunk.Host1.conf"
place dbus/bus/org.punktfunk.Host1.service "$prefix/share/dbus-1/system-services/org.punktfunk.Host1.service"
for x in dbus/interfaces/*.xml; do place "$x" "$prefix/share/dbus-1/interfaces/$(basename "$x")"; done
place README.md "$prefix/share/doc/punktfunk/README.md"
[ -e "$dest/etc/punktfunk/punktfunk.toml" ] || place service/punktfunk.toml /etc/punktfunk/punktfunk.toml
if [ -z "$dest" ] && [ -d /run/systemd/system ]; then
  systemd-sysusers; systemd-tmpfiles --create punktfunk.conf; systemctl daemon-reload
  # For gamepads; a container has neither modules nor udev.
  modprobe -qa uinput uhid 2>/dev/null || :
  udevadm control --reload 2>/dev/null && udevadm trigger --settle --subsystem-match=misc 2>/dev/null || :
  systemctl --global enable punktfunk-agent.service
  systemctl reload dbus.service 2>/dev/null || :
  echo "installed. Start the host with: systemctl enable --now punktfunk   then check with: punktfunkctl doctor"
fi
