#!/bin/sh
# A guest that starts itself anew by each of the ways that Linux knows on a PC, and one that the monitor resets: firmware
# and kernel begin again each time, in the same process.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

kernel_file 686
kernel=$file
initrd_file
guest_start -nographic -monitor pty -m 96 -kernel "$kernel" -initrd "$file" -nic none \
    -append 'console=ttyS0 cryptomgr.notests'
for way in kbd triple acpi pci bios; do
    guest_wait 'prescient# ' 400
    guest_type "echo $way >/sys/kernel/reboot/type; cat /sys/kernel/reboot/type; reboot -f\n"
    guest_wait "^$way" 60
    guest_wait 'Linux version' 200
done
guest_wait 'prescient# ' 400
monitor system_reset
guest_wait 'Linux version' 200
guest_wait 'prescient# ' 400
guest_type 'poweroff -f\n'
guest_end 60
