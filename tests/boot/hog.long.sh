#!/bin/sh
# A guest that uses more address spaces than are kept, and more memory than its caches: a file of 1 GiB in
# memory, read at random, and 200 processes that compute at the same time.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

free=$(awk '/^MemAvailable/ { print int($2 / 1024) }' /proc/meminfo)
[ "$free" -gt 2048 ] || skip "the host has $free MiB free, 2048 are needed"
initrd_file
initrd=$file
kernel_file 686
guest_start -nographic -no-reboot -m 1400 -kernel "$file" -initrd "$initrd" \
    -append "console=ttyS0 panic=-1"
guest_wait 'prescient# ' 300
guest_type 'mkdir -p /m; mount -t tmpfs -o size=1200m none /m && echo mounted $((2 * 3))\n'
guest_wait 'mounted 6' 30
guest_type 'dd if=/dev/zero of=/m/x bs=1M count=1024 && echo filled $((3 * 5))\n'
guest_wait 'filled 15' 300
guest_type 'r=1; n=0; while [ $n -lt 300 ]; do r=$((r * 1103515245 + 12345 & 0x3ffff)); '
guest_type 'echo $n | dd of=/m/x bs=4k seek=$r conv=notrunc 2>/dev/null; n=$((n + 1)); done; '
guest_type 'tr -d "\\000" </m/x | wc -l | sed s/^/lines-/\n'
guest_wait 'lines-300' 600
guest_type 'work() { n=0; while [ $n -lt 2000 ]; do n=$((n + 1)); done; echo $n >>/m/done; }\n'
guest_type 'n=0; while [ $n -lt 200 ]; do work & n=$((n + 1)); done; wait; '
guest_type 'sort /m/done | uniq -c | sed "s/ */done-/;s/ /-of-/"\n'
guest_wait 'done-200-of-2000' 600
guest_type 'poweroff -f\n'
guest_end 60
