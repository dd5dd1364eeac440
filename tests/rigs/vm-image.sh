#!/bin/bash
# vm-image.sh ROOTFS: make (once, cached) what vm.sh boots from a root filesystem of rootfs.sh: kernel, initrd, disk. Prints the folder.
. "$(dirname "$0")/lib.sh"
case ${1:-} in -h|--help|"") usage;; esac
root=$1 vm=$CACHE/vm-$(basename "$root")-$(sha256sum "$0" | cut -c1-8)
exec 7>"$CACHE/.lock-vm"; flock 7
if [ ! -e "$vm/ready" ]; then
  rm -rf "$vm"; mkdir -p "$vm/tree"; t0=$SECONDS; say "building the VM's image"
  # The kernel package is unpacked, not installed: no initramfs hooks, no boot loader.
  chroot "$root" apt-get update -qq >/dev/null 2>&1 || die "apt-get update in $root"
  k=$(chroot "$root" apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -1)
  rm -rf "$root/tmp/k"; mkdir "$root/tmp/k"
  chroot "$root" sh -c "cd /tmp/k && apt-get download -qq $k \$(apt-cache depends $k | sed -n 's/.*Depends: \(linux-\(binary\|modules\)-.*\)/\1/p') >/dev/null 2>&1" || die "download $k"
  for d in "$root"/tmp/k/*.deb; do dpkg-deb -x "$d" "$vm/k"; done; rm -rf "$root/tmp/k"
  m=$vm/k/usr/lib/modules; [ -d "$m" ] || m=$vm/k/lib/modules; kv=$(basename "$m"/*)
  # Only what a guest without hardware can use.
  tree=$vm/tree; cp -a "$root/." "$tree/"; mkdir -p "$tree/usr/lib/modules/$kv/kernel"
  # Kernel packages of testing bring no lists with their modules; depmod makes what is needed.
  cp -a "$m/$kv"/modules.* "$tree/usr/lib/modules/$kv/" 2>/dev/null || :
  (cd "$m/$kv/kernel"; cp -a --parents arch crypto lib fs/ext4 fs/jbd2 fs/mbcache* fs/autofs drivers/input drivers/hid drivers/leds drivers/power drivers/virtio drivers/block drivers/char drivers/net/virtio_net* drivers/net/net_failover* net/core drivers/dma-buf drivers/gpu/drm/virtio drivers/gpu/drm/clients drivers/gpu/drm/*.ko* drivers/video/*.ko* "$tree/usr/lib/modules/$kv/kernel/" 2>/dev/null) || :
  depmod -b "$tree" "$kv"
  cat >"$tree/usr/local/sbin/rig-run" <<'EOT'
#!/bin/bash
# Run what the second disk says, report its exit status on the second serial line, and switch off.
mkdir -p /payload && mount -o ro /dev/vdb /payload
while read -r d; do mkdir -p "$d" && mount --bind "/payload/$d" "$d"; done </payload/.shows
cd / && bash -c "$(cat /payload/.command)"; rc=$?
echo "rig-exit $rc"; sleep 1; echo o >/proc/sysrq-trigger
EOT
  chmod 755 "$tree/usr/local/sbin/rig-run"
  cat >"$tree/etc/systemd/system/rig.service" <<'EOT'
[Unit]
After=dbus.service systemd-logind.service systemd-user-sessions.service systemd-udevd.service
[Service]
ExecStart=/usr/local/sbin/rig-run
Environment=HOME=/root LC_ALL=C.UTF-8
StandardOutput=file:/dev/ttyS1
StandardError=file:/dev/ttyS1
[Install]
WantedBy=multi-user.target
EOT
  ln -sf ../rig.service "$tree/etc/systemd/system/multi-user.target.wants/rig.service" 2>/dev/null ||
    { mkdir -p "$tree/etc/systemd/system/multi-user.target.wants"; ln -sf ../rig.service "$tree/etc/systemd/system/multi-user.target.wants/"; }
  size=$(($(du -sm "$tree" | cut -f1) * 5 / 4 + 300)); truncate -s "${size}M" "$vm/disk"; mke2fs -q -F -t ext4 -O ^has_journal -d "$tree" "$vm/disk"
  i=10; mkdir -p "$vm"/i/{bin,dev,proc,sys,new,mods}; cp /bin/busybox "$vm/i/bin/"; for c in sh mount insmod switch_root sleep; do ln -s busybox "$vm/i/bin/$c"; done
  for f in $(for n in virtio_pci virtio_blk ext4; do modprobe -d "$tree" -S "$kv" --show-depends $n 2>/dev/null; done | awk '$1=="insmod" && !s[$2]++ {print $2}'); do
    b=$(basename "$f"); case $f in *.xz) xz -dc "$f";; *.zst) zstd -dcq "$f";; *) cat "$f";; esac >"$vm/i/mods/$i-${b%%.ko*}.ko"; i=$((i + 1)); done
  cat >"$vm/i/init" <<'EOT'
#!/bin/sh
mount -t proc p /proc; mount -t sysfs s /sys; mount -t devtmpfs d /dev
echo "rig: kernel" >/dev/ttyS0
for m in /mods/*.ko; do insmod $m; done
i=0; while [ ! -b /dev/vda ] && [ $i -lt 300 ]; do sleep 0.1; i=$((i+1)); done
mount -t ext4 /dev/vda /new || exec sh
mount -o move /dev /new/dev; mount -o move /proc /new/proc; mount -o move /sys /new/sys
exec switch_root /new /sbin/init
EOT
  chmod +x "$vm/i/init"; (cd "$vm/i"; find . | cpio -o -H newc --quiet | gzip -1 >"$vm/initrd"); cp "$(find "$vm/k" -name "vmlinuz*" -type f | head -1)" "$vm/vmlinuz"
  rm -rf "$vm/k" "$vm/i" "$vm/tree"; touch "$vm/ready"; say "image built in $((SECONDS - t0)) s, $(du -sh "$vm" | cut -f1)"
fi
echo "$vm"
