#!/bin/sh
# Linux with a frame buffer of VBE, which its setup code asks the BIOS for, and without the local APIC: then the HPET
# is its only clock, and reaches it through the 8259.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

kernel_file 686
kernel=$file
initrd_file
guest_start -nographic -no-reboot -m 128 -kernel "$kernel" -initrd "$file" \
    -append 'console=ttyS0 cryptomgr.notests vga=0x317 nolapic'
guest_wait 'hpet.* 64-bit' 120
guest_wait 'vesafb: mode is 1024x768x16' 60
guest_wait 'prescient# ' 120
guest_type 'sleep 0.5 && echo sl""ept\n'
guest_wait 'slept' 30
guest_type 'poweroff -f\n'
guest_end 60
