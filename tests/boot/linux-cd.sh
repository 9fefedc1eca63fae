#!/bin/sh
# Debian's 686 kernel and busybox from a CD: SeaBIOS, El Torito, ISOLINUX, ATAPI.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

command -v xorriso >/dev/null || skip "xorriso is not installed (Debian: xorriso)"
modules=/usr/lib/syslinux/modules/bios
[ -f $modules/ldlinux.c32 ] || skip "no $modules/ldlinux.c32 (Debian: syslinux-common)"
initrd_file
initrd=$file
kernel_file 686
kernel=$file
package_file amd64:isolinux /usr/lib/ISOLINUX/isolinux.bin

mkdir "$work/cd" "$work/cd/isolinux"
cp "$kernel" "$work/cd/vmlinuz" && cp "$initrd" "$work/cd/initrd.gz" || fail "cp"
cp "$file" $modules/ldlinux.c32 "$work/cd/isolinux" || fail "cp"
cat >"$work/cd/isolinux/isolinux.cfg" <<EOF2
SERIAL 0 115200
DEFAULT linux
PROMPT 0
LABEL linux
  KERNEL /vmlinuz
  INITRD /initrd.gz
  APPEND console=ttyS0 panic=-1
EOF2
xorriso -as mkisofs -quiet -V TESTCD -o "$work/cd.iso" -b isolinux/isolinux.bin \
    -c isolinux/boot.cat -no-emul-boot -boot-load-size 4 -boot-info-table "$work/cd" \
    >"$work/fetch" 2>&1 || fail "xorriso: $(tail -n 1 "$work/fetch")"

guest_start -nographic -no-reboot -m 128 -boot d -cdrom "$work/cd.iso"
guest_wait 'ISOLINUX' 120
guest_wait 'prescient# ' 400
guest_type 'cat /proc/cmdline\n'
guest_wait 'BOOT_IMAGE=/vmlinuz' 30
guest_type 'poweroff -f\n'
guest_end 60
