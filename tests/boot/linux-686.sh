#!/bin/sh
# Debian's 686 kernel with a busybox initramfs to a shell, through -kernel.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

initrd_file
initrd=$file
kernel_file 686
guest_start -nographic -no-reboot -m 128 -kernel "$file" -initrd "$initrd" \
    -append "console=ttyS0 panic=-1"
guest_wait 'prescient# ' 300
guest_type 'echo $((6 * 7)) $(uname -m)\n'
guest_wait '42 i686' 30
guest_type 'poweroff -f\n'
guest_end 60
