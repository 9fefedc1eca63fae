#!/bin/sh
# Debian installed by debootstrap, from a package mirror onto a qcow2 disk, in a guest that has e2fsprogs, perl and
# dpkg-deb in its initramfs; then that system boots, installs a package, serves a file through a forwarded port
# and shuts down by the power button. For where a mirror has packages, but not those of Debian's installer.
# Limit: 7200 s
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"
. "$(dirname "$0")/installed"

mirror_find
kernel_file 686
kernel=$file
modules="scsi_common scsi_mod libata ata_piix ata_generic crct10dif_common crct10dif_generic crc-t10dif crc64
    crc64_rocksoft_generic crc64-rocksoft t10-pi sd_mod crc32c_generic crc16 mbcache jbd2 ext4 e1000"
initrd_with_modules 686 $modules
debs=$("$boot/fetch-debs" "$cache" debootstrap dash perl-base libc6 libcrypt1 e2fsprogs libext2fs2 libcom-err2 libss2 \
    libblkid1 libuuid1 dpkg libmd0 libselinux1 libpcre2-8-0 zlib1g liblzma5 libzstd1 libbz2-1.0 tar libacl1 \
    libattr1 coreutils libgmp10 2>"$work/fetch") || skip "$(tail -n 1 "$work/fetch")"
for deb in $debs; do
    dpkg-deb -x "$deb" "$work/extra" || fail "dpkg-deb -x $deb"
done
rm -rf "$work/extra/usr/share/doc" "$work/extra/usr/share/man" "$work/extra/usr/share/locale"
cat >"$work/extra/install" <<END
set -eu
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
cd /modules
for again in 1 2 3 4 5 6; do
    for m in *.ko; do insmod \$m 2>/dev/null || true; done
done
cd /
/lease eth0
echo nameserver 10.0.2.3 >/etc/resolv.conf
# One partition of type 83h from 1 MiB on: start and length, little-endian.
printf '\200\040\041\000\203\376\377\377\000\010\000\000\000\370\177\000' |
    dd of=/dev/sda bs=1 seek=446 conv=notrunc 2>/dev/null
printf '\125\252' | dd of=/dev/sda bs=1 seek=510 conv=notrunc 2>/dev/null
blockdev --rereadpt /dev/sda
/sbin/mke2fs -q -F -t ext4 /dev/sda1
mkdir -p /mnt
mount -t ext4 /dev/sda1 /mnt
echo stage: debootstrap
export http_proxy='$proxy'
[ "\$http_proxy" ] || unset http_proxy
debootstrap --arch=i386 --variant=minbase --no-check-gpg --include=udev,systemd-sysv,dbus,libpam-systemd,ifupdown,isc-dhcp-client,kmod \
    bookworm /mnt $mirror || { tail -n 20 /mnt/debootstrap/debootstrap.log; exit 1; }
cd /mnt
echo '/dev/sda1 / ext4 errors=remount-ro 0 1' >etc/fstab
echo guest >etc/hostname
echo '127.0.0.1 localhost guest' >etc/hosts
echo nameserver 10.0.2.3 >etc/resolv.conf
printf 'auto lo\niface lo inet loopback\nauto eth0\niface eth0 inet dhcp\n' >etc/network/interfaces
echo 'deb $mirror bookworm main' >etc/apt/sources.list
[ ! '$proxy' ] || echo 'Acquire::http::Proxy "$proxy";' >etc/apt/apt.conf.d/proxy
mkdir -p etc/initramfs-tools/conf.d etc/default
echo MODULES=dep >etc/initramfs-tools/conf.d/modules
mount --bind /dev dev
mount -t proc proc proc
mount -t sysfs sysfs sys
export DEBIAN_FRONTEND=noninteractive
echo stage: apt-get
chroot . apt-get -q update
echo stage: kernel
chroot . apt-get -q -y --no-install-recommends install linux-image-686 grub-pc
sed -i 's/^GRUB_CMDLINE_LINUX=.*/GRUB_CMDLINE_LINUX="console=tty0 console=ttyS0 net.ifnames=0 systemd.show_status=1"/
    s/^GRUB_TIMEOUT=.*/GRUB_TIMEOUT=1/' etc/default/grub
echo root:secret | chroot . chpasswd
echo stage: grub
chroot . grub-install /dev/sda
chroot . update-grub
umount sys proc dev
cd /
umount /mnt
echo stage: installed
END
(cd "$work/extra" && find . | cpio -o -H newc -R 0:0 --quiet) | gzip -1n >"$work/tools.gz"
cat "$cache/initrd.gz" "$work/tools.gz" >"$work/initrd.gz"

guest_start $machine -kernel "$kernel" -initrd "$work/initrd.gz" -append 'console=ttyS0 panic=-1'
guest_wait 'prescient# ' 400
guest_type 'dash /install || echo stage: it has fai""led\n'
for stage in debootstrap apt-get kernel grub installed; do
    guest_wait "^stage: $stage\|^stage: it has failed" 2400
    picture "$stage"
    ! grep -aq '^stage: it has failed' "$out" || fail "the installation has failed"
done
guest_type 'poweroff -f\n'
guest_end 120
"$PRESCIENT" img check "$disk" || fail "the image is damaged after the installation"
installed_use
