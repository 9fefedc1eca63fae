#!/bin/sh
# Debian's 686-pae kernel (PAE paging, NX) with a busybox initramfs to a shell, through -kernel, with
# memory above 4 GiB: it is seen, processes live in it, and a disk reads into it. What is between 1 GiB
# and 3.5 GiB is taken from the kernel, which would use that first.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

modules='virtio virtio_ring virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_blk'
kernel_file 686-pae
kernel=$file
initrd_with_modules 686-pae $modules
initrd=$file
dd if=/dev/urandom of="$work/disk" bs=1M count=8 2>/dev/null

guest_start -nographic -no-reboot -m 5G -kernel "$kernel" -initrd "$initrd" \
    -append 'console=ttyS0 panic=-1 memmap=2560M$1G' -drive "file=$work/disk,format=raw,if=virtio,readonly=on"
guest_wait 'prescient# ' 300
guest_type 'echo $((6 * 7)) $(uname -m)\n'
guest_wait '42 i686' 30
guest_type 'grep MemTotal /proc/meminfo\n'
guest_wait 'MemTotal: *2[0-9]\{6\} kB' 30
# How often each page is mapped, 8 bytes a page: of those from 4 GiB on.
guest_type 'test $(dd if=/proc/kpagecount bs=1M skip=8 2>/dev/null | tr -d "\\\\0" | wc -c) -gt 100 && echo processes-hi""gh\n'
guest_wait 'processes-high' 60
guest_type "for m in $modules; do insmod /modules/\$m.ko; done\n"
guest_type 'dd if=/dev/vda bs=1M iflag=direct 2>/dev/null | sha256sum\n'
guest_wait "$(sha256sum <"$work/disk" | cut -c1-64)" 60
guest_type 'poweroff -f\n'
guest_end 60
