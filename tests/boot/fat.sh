#!/bin/sh
# Folders of the host as disks of Linux's, FAT16 and FAT32: what is in it is read, and what the guest changes, adds,
# renames and removes is so on the host.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

kernel_file 686
kernel=$file
modules="virtio virtio_ring virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_blk nls_cp437 nls_ascii fat vfat"
initrd_with_modules 686 $modules
initrd=$file

mkdir -p "$work/shared/folder/below" "$work/wide"
echo seen >"$work/wide/in a large one"
head -c 300000 /dev/urandom >"$work/shared/A file with a long name.data"
echo old >"$work/shared/changed.txt"
echo gone >"$work/shared/folder/below/removed"
echo moved >"$work/shared/folder/moved"
sum=$(md5sum <"$work/shared/A file with a long name.data" | cut -d' ' -f1)
guest_start -nographic -no-reboot -m 96 -kernel "$kernel" -initrd "$initrd" -nic none \
    -append 'console=ttyS0 panic=-1' -drive "file=fat:$work/shared,if=virtio" \
    -drive "file=fat:20G:$work/wide,if=virtio"
guest_wait 'prescient# ' 400
guest_type "cd /modules; for m in $modules; do insmod \$m.ko; done; cd /; mkdir -p /mnt; mount -t vfat /dev/vda1 /mnt; md5sum /mnt/A*\n"
guest_wait "$sum" 120
guest_type 'cd /mnt; echo new >changed.txt; cp A* "Another Copy.data"; mkdir -p made/deep; mv folder/moved made/deep/here\n'
guest_type 'mkdir -p /wide; mount -t vfat /dev/vdb1 /wide; cat "/wide/in a large one"; df -m /wide | tail -n 1\n'
guest_wait '^seen' 60
guest_wait 'vdb1 *204[0-9][0-9] ' 60
guest_type 'cp A\\ file* /wide/copy; rm "/wide/in a large one"; umount /wide\n'
guest_type 'rm -r folder/below; cd /; sync; echo syn""ced\n'
guest_wait 'synced' 60
# a second after the last write
await 60 grep -qx new "$work/shared/changed.txt" || fail "the folder is not brought up to date while the guest runs"
guest_type 'echo last >/mnt/made/last; umount /mnt; poweroff -f\n'
guest_end 60
[ "$(md5sum <"$work/shared/Another Copy.data" | cut -d' ' -f1)" = "$sum" ] || fail "the copy differs"
[ "$(cd "$work/wide" && ls)" = copy ] || fail "the large folder has $(ls "$work/wide")"
[ "$(md5sum <"$work/wide/copy" | cut -d' ' -f1)" = "$sum" ] || fail "the large folder's copy differs"
[ "$(cd "$work/shared" && find . | sort | tr '\n' ' ')" = \
    '. ./A file with a long name.data ./Another Copy.data ./changed.txt ./folder ./made ./made/deep ./made/deep/here ./made/last ' ] ||
    fail "the folder has $(cd "$work/shared" && find . | sort | tr '\n' ' ')"
[ "$(cat "$work/shared/made/deep/here" "$work/shared/made/last")" = "$(printf 'moved\nlast')" ] ||
    fail "a file has the wrong contents"
