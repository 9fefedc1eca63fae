#!/bin/sh
# What is no Linux but looks like one, started by -kernel through its own real-mode setup code: iPXE with a command
# line that is a script, SYSLINUX's memdisk with a floppy image as its initial RAM disk. Then GNU Mach by multiboot,
# which trusts the size of memory that it is told.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

package_file amd64:ipxe /boot/ipxe.lkrn
guest_start -nographic -no-reboot -m 64 -kernel "$file" -append 'echo said ${platform} ${buildarch}'
guest_wait 'said pcbios i386' 120

package_file syslinux-common /usr/lib/syslinux/memdisk
truncate -s 720K "$work/floppy.img"
dd if="$BUILD/tests/boot/floppy.img" of="$work/floppy.img" conv=notrunc 2>/dev/null
guest_stop
guest_start -nographic -no-reboot -m 64 -kernel "$file" -initrd "$work/floppy.img" -append 'floppy c=80 h=2 s=9'
guest_wait 'Disk is fd0, 720 K, C/H/S = 80/2/9' 60
guest_wait 'booting' 60
guest_wait 'format 4f0109' 60

package_file gnumach-image-1.8-486 '/boot/gnumach-*.gz' gnumach.gz
gunzip -c "$file" >"$work/gnumach"
guest_stop
guest_start -nographic -no-reboot -m 256 -kernel "$work/gnumach" -append 'console=com0'
guest_wait 'bootstrap_create: No bootstrap code loaded with the kernel' 60
