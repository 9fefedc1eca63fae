#!/bin/sh
# The strict mode over a boot of Linux with PAE paging: it has nothing to say against how Linux changes its
# page tables, uses flags and programs the interrupt controllers and the timer.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

kernel_file 686-pae
kernel=$file
initrd_file
guest_start -strict -nographic -no-reboot -m 128 -kernel "$kernel" -initrd "$file" \
    -append 'console=ttyS0 panic=-1 cryptomgr.notests'
guest_wait 'prescient# ' 300
guest_type 'ls -l /proc | wc -l; echo $((6 * 7))\n'
guest_wait '^42' 30
guest_type 'poweroff -f\n'
guest_end 60
grep -aq '^strict: nobody is at port 0x2e9' "$out" || fail "the strict mode is off"
grep -aA 1 -e '^strict: .*page [0-9a-f]* is used' -e '^strict: .*flag' -e '^strict: .*825[49].*\(while\|before\|without\)' \
    "$out" && fail "the strict mode tells of what is good"
exit 0
