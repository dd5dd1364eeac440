#!/bin/bash
# deb.sh [OUTDIR]: make punktfunk_VERSION_ARCH.deb of the built binaries (target/release, or $BINDIR), with dpkg-deb alone, as any user.
# VERSION_SUFFIX is appended to the version; DEB_COMPRESSION="gzip -z1" is for tests. The path of the package is the last line printed.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-target/deb}
umask 022
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)${VERSION_SUFFIX:-}
arch=$(dpkg --print-architecture)
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
root=$work/root; mkdir -p "$root/DEBIAN" "$out"

scripts/install.sh "$root" /usr
strip --strip-unneeded --remove-section=.comment --remove-section=.note "$root"/usr/bin/*
# Reproducible: nothing but the sources decides about times.
stamp=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || stat -c %Y CHANGELOG.md)}
doc=$root/usr/share/doc/punktfunk
install -m644 scripts/deb/copyright "$doc/copyright"
{ echo "punktfunk ($version) unstable; urgency=medium"; echo
  sed -n '/^## /,$p' CHANGELOG.md | awk '/^\* /{if (t) print t; t = substr($0, 3); next} /^  /{t = t " " substr($0, 3); next} {if (t) print t; t = ""} END{if (t) print t}' |
    while IFS= read -r entry; do printf '%s\n' "$entry" | fold -s -w 74 | sed -e '1s/^/  * /' -e '2,$s/^/    /' -e 's/ *$//'; done
  echo; echo " -- punktfunk developers <punktfunk@localhost.localdomain>  $(LC_ALL=C date -u -R -d "@$stamp")"; } >"$work/changelog"
gzip -9nc "$work/changelog" >"$doc/changelog.gz"
gzip -9n "$root"/usr/share/man/man*/*
install -D -m644 scripts/deb/lintian-overrides "$root/usr/share/lintian/overrides/punktfunk"

# What the programs are linked to, as the package manager knows it.
mkdir -p "$work/debian"; printf 'Source: punktfunk\n\nPackage: punktfunk\nArchitecture: any\n' >"$work/debian/control"
linked=$(cd "$work" && dpkg-shlibdeps -O "$root"/usr/bin/* 2>"$work/shlibdeps.log" | sed -n 's/^shlibs:Depends=//p') || { cat "$work/shlibdeps.log" >&2; exit 1; }
[ -n "$linked" ] || { cat "$work/shlibdeps.log" >&2; echo "deb.sh: dpkg-shlibdeps found no library" >&2; exit 1; }
sed -e "s|@version@|$version|" -e "s|@arch@|$arch|" -e "s|@linked@|$linked|" \
  -e "s|@size@|$(du -k -s --apparent-size "$root" | cut -f1)|" scripts/deb/control >"$root/DEBIAN/control"
for script in postinst prerm postrm; do install -m755 "scripts/deb/$script" "$root/DEBIAN/$script"; done
(cd "$root" && find etc -type f | sed 's|^|/|' | sort) >"$root/DEBIAN/conffiles"
(cd "$root" && find usr -type f -print0 | sort -z | xargs -0 md5sum) >"$root/DEBIAN/md5sums"
chmod 644 "$root"/DEBIAN/{control,conffiles,md5sums}
find "$root" -newermt "@$stamp" -exec touch -h -d "@$stamp" {} +
deb=$out/punktfunk_${version}_$arch.deb
SOURCE_DATE_EPOCH=$stamp dpkg-deb --root-owner-group -Z${DEB_COMPRESSION:-xz} --build "$root" "$deb" >/dev/null
echo "$deb"
