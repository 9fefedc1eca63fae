#!/bin/sh
# Debian's 686 kernel and busybox from a disk image (qcow2 on qcow2): SeaBIOS, MBR, SYSLINUX on FAT16.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

for tool in syslinux mformat mcopy; do
    command -v $tool >/dev/null || skip "$tool is not installed (Debian: syslinux mtools)"
done
initrd_file
initrd=$file
kernel_file 686
kernel=$file

# 32 MiB with one partition from sector 63 on, as 16 heads and 63 sectors have it.
disk=$work/disk.img
start=63
sectors=$((64 * 16 * 63 - start))
truncate -s $((64 * 16 * 63 * 512)) "$disk"
mformat -i "$disk@@$((start * 512))" -T $sectors -h 16 -s 63 -H $start :: || fail "mformat"
cat >"$work/syslinux.cfg" <<EOF
SERIAL 0 115200
DEFAULT linux
PROMPT 0
LABEL linux
  KERNEL vmlinuz
  INITRD initrd.gz
  APPEND console=ttyS0 panic=-1
EOF
mcopy -i "$disk@@$((start * 512))" "$kernel" ::vmlinuz &&
    mcopy -i "$disk@@$((start * 512))" "$initrd" ::initrd.gz &&
    mcopy -i "$disk@@$((start * 512))" "$work/syslinux.cfg" ::syslinux.cfg || fail "mcopy"
MTOOLS_SKIP_CHECK=1 syslinux -t $((start * 512)) -i "$disk" || fail "syslinux"
# The boot code, then an active FAT16 entry: start and length, little-endian; CHS is not used.
dd if=/usr/lib/syslinux/mbr/mbr.bin of="$disk" conv=notrunc bs=440 count=1 2>/dev/null || fail mbr
le32()
{
    printf '\\%03o\\%03o\\%03o\\%03o' $(($1 & 255)) $(($1 >> 8 & 255)) $(($1 >> 16 & 255)) \
        $(($1 >> 24 & 255))
}
printf "\\200\\001\\001\\000\\016\\017\\377\\377$(le32 $start)$(le32 $sectors)" |
    dd of="$disk" conv=notrunc bs=1 seek=446 2>/dev/null
printf '\125\252' | dd of="$disk" conv=notrunc bs=1 seek=510 2>/dev/null

# From an overlay on a compressed copy, where there is a tool that makes them.
format=raw
if "$PRESCIENT" img create -f qcow2 "$work/try" 1M 2>/dev/null; then
    "$PRESCIENT" img convert -c -O qcow2 "$disk" "$work/base.qcow2" || fail "img convert"
    disk=$work/top.qcow2
    "$PRESCIENT" img create -b base.qcow2 "$disk" || fail "img create"
    format=qcow2
fi
guest_start -nographic -no-reboot -m 128 -snapshot -drive "file=$disk,format=$format"
guest_wait 'SYSLINUX' 120
guest_wait 'prescient# ' 400
guest_type 'cat /proc/cmdline\n'
guest_wait 'BOOT_IMAGE=vmlinuz' 30
guest_type 'poweroff -f\n'
guest_end 60
