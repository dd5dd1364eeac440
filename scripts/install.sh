#!/bin/sh
# install.sh DESTDIR PREFIX [install|uninstall]: put the built binaries (target/release, or $BINDIR) and every system file in place,
# or take them away. It enables nothing: `systemctl enable --now punktfunk` afterwards does.
# Programs and their pages go below PREFIX. What other programs look for goes below /usr whatever PREFIX is: polkit, the message bus
# and firewalld look nowhere else.
set -eu
dest=${1:-} prefix=${2:-/usr} what=${3:-install}
cd "$(dirname "$0")/.."
from=${BINDIR:-target/release}
identity=/var/lib/punktfunk-identity
# Whatever the caller's: the bus, polkit and every user read these files.
umask 022
case $prefix in /*) ;; *) echo "install: PREFIX=$prefix must be an absolute path" >&2; exit 2;; esac
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)

# Every text file that is installed: where it is here, and where it goes.
files() {
  cat <<LIST
systemd/punktfunk.service                 /usr/lib/systemd/system/punktfunk.service
systemd/punktfunk-agent.service           /usr/lib/systemd/user/punktfunk-agent.service
systemd/punktfunk-session@.service        /usr/lib/systemd/system/punktfunk-session@.service
polkit/50-punktfunk-session.rules         /usr/share/polkit-1/rules.d/50-punktfunk-session.rules
systemd/90-punktfunk.system-preset        /usr/lib/systemd/system-preset/90-punktfunk.preset
systemd/90-punktfunk.preset               /usr/lib/systemd/user-preset/90-punktfunk.preset
systemd/punktfunk.catalog                 /usr/lib/systemd/catalog/punktfunk.catalog
systemd/org.punktfunk.Agent.desktop       /usr/share/applications/org.punktfunk.Agent.desktop
systemd/sysusers.conf                     /usr/lib/sysusers.d/punktfunk.conf
systemd/tmpfiles.conf                     /usr/lib/tmpfiles.d/punktfunk.conf
systemd/sysctl.conf                       /usr/lib/sysctl.d/60-punktfunk.conf
systemd/72-punktfunk.rules                /usr/lib/udev/rules.d/72-punktfunk.rules
systemd/modules-load.conf                 /usr/lib/modules-load.d/punktfunk.conf
systemd/firewalld.xml                     /usr/lib/firewalld/services/punktfunk.xml
systemd/ufw.profile                       /etc/ufw/applications.d/punktfunk
polkit/org.punktfunk.host.policy          /usr/share/polkit-1/actions/org.punktfunk.host.policy
dbus/bus/org.punktfunk.Host1.conf         /usr/share/dbus-1/system.d/org.punktfunk.Host1.conf
dbus/bus/org.punktfunk.Host1.service      /usr/share/dbus-1/system-services/org.punktfunk.Host1.service
docs/man/punktfunkd.8                     $prefix/share/man/man8/punktfunkd.8
docs/man/punktfunkctl.1                   $prefix/share/man/man1/punktfunkctl.1
docs/man/punktfunk-agent.1                $prefix/share/man/man1/punktfunk-agent.1
docs/man/punktfunk.toml.5                 $prefix/share/man/man5/punktfunk.toml.5
README.md                                 $prefix/share/doc/punktfunk/README.md
LIST
  for page in docs/*.md; do echo "$page $prefix/share/doc/punktfunk/docs/$(basename "$page")"; done
  for x in dbus/interfaces/*.xml; do echo "$x /usr/share/dbus-1/interfaces/$(basename "$x")"; done
}
programs="punktfunkd punktfunk-agent punktfunkctl"
# The administrator's: never replaced, and left where it was changed.
configuration=/etc/punktfunk/punktfunk.toml
# Where each shell looks for completions.
completions() { cat <<LIST
bash $prefix/share/bash-completion/completions/punktfunkctl
zsh $prefix/share/zsh/site-functions/_punktfunkctl
fish $prefix/share/fish/vendor_completions.d/punktfunkctl.fish
LIST
}
running() { [ -z "$dest" ] && [ -d /run/systemd/system ]; }

place() { # FROM TO: with the paths of this installation written in
  mkdir -p "$dest$(dirname "$2")"; rm -f "$dest$2"
  sed -e "s|@bindir@|$prefix/bin|g" -e "s|@identitydir@|$identity|g" -e "s|@unitdir@|/usr/lib/systemd/system|g" -e "s|@docdir@|$prefix/share/doc/punktfunk|g" -e "s|@version@|$version|g" "$1" >"$dest$2"
  chmod 644 "$dest$2"
}
put_everything() {
  for b in $programs; do
    [ -x "$from/$b" ] || { echo "install: $from/$b is not built: run 'make build' first" >&2; exit 1; }
    install -D -m755 "$from/$b" "$dest$prefix/bin/$b"
  done
  files | while read -r source target; do place "$source" "$target"; done
  completions | while read -r shell target; do
    mkdir -p "$dest$(dirname "$target")"
    "$from/punktfunkctl" completions "$shell" >"$dest$target"; chmod 644 "$dest$target"
  done
  mkdir -p "$dest/etc/punktfunk/punktfunk.toml.d" "$dest/etc/punktfunk/on-demand.d"
  [ -e "$dest$configuration" ] || place service/punktfunk.toml $configuration
}
take_everything() {
  for b in $programs; do rm -f "$dest$prefix/bin/$b"; done
  { files; completions; } | while read -r _ target; do rm -f "$dest$target"; done
  place service/punktfunk.toml "$configuration.new"
  cmp -s "$dest$configuration.new" "$dest$configuration" && rm -f "$dest$configuration"
  rm -f "$dest$configuration.new"
  for d in "$prefix/share/doc/punktfunk/docs" "$prefix/share/doc/punktfunk" /etc/punktfunk/punktfunk.toml.d /etc/punktfunk/on-demand.d /etc/punktfunk; do
    rmdir "$dest$d" 2>/dev/null || :; done
}

case $what in
install)
  put_everything
  if running; then
    systemd-sysusers punktfunk.conf; systemd-tmpfiles --create punktfunk.conf; systemctl daemon-reload
    /usr/lib/systemd/systemd-sysctl 60-punktfunk.conf 2>/dev/null || :
    journalctl --update-catalog 2>/dev/null || :
    # For gamepads; a container has neither modules nor udev.
    modprobe -qa uinput uhid 2>/dev/null || :
    udevadm control --reload 2>/dev/null && udevadm trigger --settle --subsystem-match=misc 2>/dev/null || :
    systemctl --global enable punktfunk-agent.service
    systemctl reload dbus.service 2>/dev/null || :
    systemctl try-restart punktfunk.service
    echo "installed. Start the host with: systemctl enable --now punktfunk   then check with: punktfunkctl doctor"
  fi;;
uninstall)
  if running; then
    systemctl disable --now punktfunk.service 2>/dev/null || :
    # Sessions on demand: nobody would be left to end them.
    systemctl stop 'punktfunk-session@*.service' 2>/dev/null || :
    systemctl --global disable punktfunk-agent.service 2>/dev/null || :
    systemctl list-units --no-legend 'user@*.service' | sed -n 's/.*user@\([0-9]*\)\.service.*/\1/p' | while read -r uid; do
      systemctl --user --machine "$uid@.host" stop punktfunk-agent.service 2>/dev/null </dev/null || :
    done
  fi
  take_everything
  if running; then
    systemctl daemon-reload; systemctl reload dbus.service 2>/dev/null || :
    journalctl --update-catalog 2>/dev/null || :
    udevadm control --reload 2>/dev/null && udevadm trigger --subsystem-match=misc 2>/dev/null || :
    echo "removed. Pairings and the host's identity are kept in /var/lib/punktfunk and $identity"
  fi;;
*) echo "install.sh: '$what' is neither install nor uninstall" >&2; exit 2;;
esac
