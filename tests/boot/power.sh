#!/bin/sh
# The ACPI power button: Debian's kernel tells of it as a key, the guest powers off, and the program ends.
# Meanwhile the machine is stopped and goes on, by the monitor: its clocks have stood still.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

kernel_file 686
kernel=$file
initrd_with_modules 686 evdev button
initrd=$file
guest_start -nographic -monitor pty -no-reboot -m 96 -kernel "$kernel" -initrd "$initrd" -nic none \
    -append 'console=ttyS0 panic=-1'
guest_wait 'prescient# ' 400
guest_type 'insmod /modules/evdev.ko; insmod /modules/button.ko; (for e in /dev/input/event*; do hexdump -n 16 -e "8/2 \\"%%x \\" \\"\\\\n\\"" $e & done; wait) >/events & echo liste""ning\n'
guest_wait 'listening' 60

# Its uptime and RTC in seconds; the host's before is the first moment at which that can have been, the one after the last.
clocks() # sets before, after, up, rtc
{
    read -r before rest </proc/uptime
    guest_type 'echo clo""cks $(cut -d. -f1 /proc/uptime) $(cat /sys/class/rtc/rtc0/since_epoch) e""nd\n'
    guest_wait '^clocks [0-9 ]* end' 60
    read -r after rest </proc/uptime
    set -- $(tr -d '\r' <"$out" | grep -a '^clocks' | tail -n 1)
    up=$2 rtc=$3 before=${before%.*} after=${after%.*}
}
clocks
first=$before first_up=$up first_rtc=$rtc
monitor stop
sleep 6
monitor cont
clocks
most=$((after + 1 - first - 5)) # however slow the host: without the pause it is so long at most
[ $((up - first_up)) -le $most ] || fail "after a pause, uptime jumped by $((up - first_up)) s, of $((after - first)) s"
[ $((rtc - first_rtc)) -le $((most + 1)) ] || fail "after a pause, the RTC jumped by $((rtc - first_rtc)) s"
guest_type 'echo goes o""n\n'
guest_wait 'goes on' 60
monitor system_powerdown
guest_type 'until grep " 74 1 " /events; do sleep 1; done; poweroff -f\n'
guest_wait ' 74 1 ' 60
guest_end 60
