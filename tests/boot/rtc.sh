#!/bin/sh
# The RTC's alarm reaches Linux, by the RTC's own interrupt and by the HPET in its place; the year ends meanwhile.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

kernel_file 686
kernel=$file
initrd_file
initrd=$file
alarm() # WORDS FOR THE KERNEL
{
    guest_start -nographic -no-reboot -m 96 -kernel "$kernel" -initrd "$initrd" -nic none \
        -rtc base=2031-12-31T23:59:58 -append "console=ttyS0 panic=-1 $1"
    guest_wait 'prescient# ' 400
    guest_type 'cd /sys/class/rtc/rtc0; count() { grep "^ *8:" /proc/interrupts | tr -s " " | cut -d" " -f3; }; a=$(count); until echo $((3 + $(cat since_epoch))) >wakealarm; at=$(cat wakealarm); [ "$at" ]; do :; done; echo "set for $at"; until [ -z "$(cat wakealarm)" ]; do usleep 200000; done; echo alarm $(($(count) - a)) at $(cat date) y""es\n'
    guest_wait '^set for 195652[0-9]*' 60
    guest_wait '^alarm [1-9][0-9]* at 2032-01-01 yes' 200
    guest_type 'poweroff -f\n'
    guest_end 60
}
alarm hpet=disable
alarm ''
