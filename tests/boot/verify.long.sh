#!/bin/sh
# Debian's 686 kernels to a shell in lockstep: each translated block beside the interpreter.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

initrd_file
initrd=$file
for flavour in 686 686-pae; do
    kernel_file $flavour
    guest_start -verify -clock icount -nographic -no-reboot -m 128 -kernel "$file" \
        -initrd "$initrd" -append "console=ttyS0 panic=-1 cryptomgr.notests"
    guest_wait 'prescient# ' 3000
    guest_type 'echo $((6 * 7)) $(uname -m)\n'
    guest_wait '42 i686' 300
    guest_type 'poweroff -f\n'
    guest_end 600
    grep -aq ': 0 differences' "$out" || fail "no report of -verify"
done
