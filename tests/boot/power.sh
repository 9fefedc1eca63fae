#!/bin/sh
# The ACPI power button: Debian's kernel tells of it as a key, the guest powers off, and the program ends.
# Meanwhile the machine is stopped and goes on, by the monitor: its clocks have stood still.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

kernel_file 686
kernel=$file
initrd_with_modules 686 evdev button
initrd=$file
read -r begin rest </proc/uptime
epoch=$(date +%s)
guest_start -nographic -monitor pty -no-reboot -m 96 -kernel "$kernel" -initrd "$initrd" -nic none \
    -append 'console=ttyS0 panic=-1'
guest_wait 'prescient# ' 400
guest_type 'insmod /modules/evdev.ko; insmod /modules/button.ko; (for e in /dev/input/event*; do hexdump -n 16 -e "8/2 \\"%%x \\" \\"\\\\n\\"" $e & done; wait) >/events & echo liste""ning\n'
guest_wait 'listening' 60

# However slow the host, time is at most as long for the guest as for the host since the beginning, without the pause.
monitor stop
sleep 6
monitor cont
guest_type 'echo clo""cks $(cut -d. -f1 /proc/uptime) $(cat /sys/class/rtc/rtc0/since_epoch) e""nd\n'
guest_wait '^clocks [0-9 ]* end' 60
read -r after rest </proc/uptime
most=$((${after%.*} - ${begin%.*} - 5))
set -- $(guest_text | grep -a '^clocks [0-9]' | tail -n 1)
[ "$2" -le $most ] || fail "uptime went on in a pause: it is $2 s, not $most"
[ "$3" -le $((epoch + most + 1)) ] || fail "the RTC went on in a pause: it is $3, not $((epoch + most + 1))"
guest_type 'echo goes o""n\n'
guest_wait 'goes on' 60
monitor system_powerdown
guest_type 'until grep " 74 1 " /events; do sleep 1; done; poweroff -f\n'
guest_wait ' 74 1 ' 60
guest_end 60
