#!/bin/sh
# The ACPI power button: Debian's kernel tells of it as a key, the guest powers off, and the program ends.
# Meanwhile the machine is stopped and goes on, by the monitor.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

kernel_file 686
kernel=$file
initrd_with_modules 686 evdev button
initrd=$file
# Types at the monitor, which is on a pseudo-terminal, and waits for its answer.
monitor() # TEXT ANSWER
{
    pty=$(grep -ao '/dev/pts/[0-9]*' "$out" | head -n 1)
    [ -n "$pty" ] || fail "no pseudo-terminal for the monitor"
    : >"$work/said"
    cat "$pty" >"$work/said" &
    reader=$!
    printf '%s\ninfo status\n' "$1" >"$pty"
    n=0
    until grep -q "$2; [0-9]* instructions" "$work/said"; do
        n=$((n + 1))
        [ $n -lt 300 ] || fail "no answer from the monitor to $1: $(cat "$work/said")"
        sleep 0.2
    done
    kill $reader
}

guest_start -nographic -monitor pty -no-reboot -m 96 -kernel "$kernel" -initrd "$initrd" -nic none \
    -append 'console=ttyS0 panic=-1'
guest_wait 'prescient# ' 400
guest_type 'insmod /modules/evdev.ko; insmod /modules/button.ko; (for e in /dev/input/event*; do hexdump -n 16 -e "8/2 \\"%%x \\" \\"\\\\n\\"" $e & done; wait) >/events & echo liste""ning\n'
guest_wait 'listening' 60
monitor stop paused
monitor cont running
guest_type 'echo goes o""n\n'
guest_wait 'goes on' 60
monitor system_powerdown running
guest_type 'until grep " 74 1 " /events; do sleep 1; done; poweroff -f\n'
guest_wait ' 74 1 ' 60
guest_end 60
