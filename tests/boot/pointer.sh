#!/bin/sh
# The absolute pointer: Debian's kernel finds VMware's port with its own driver, and the host's pointer
# over the window arrives as positions, without a grab.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

display_start
kernel_file 686
kernel=$file
initrd_with_modules 686 evdev psmouse
initrd=$file
guest_start -display sdl,status=off -serial stdio -no-reboot -m 96 -kernel "$kernel" -initrd "$initrd" \
    -nic none -append 'console=ttyS0 panic=-1' -name 'pointer of Linux'
guest_wait 'prescient# ' 400
guest_type 'insmod /modules/evdev.ko; insmod /modules/psmouse.ko; until grep "VMware VMMouse" /proc/bus/input/devices; do sleep 1; done\n'
guest_wait 'VirtualPS/2 VMware VMMouse' 60
guest_type '(for e in /dev/input/event*; do hexdump -v -e "8/2 \\"%%x \\" \\"\\\\n\\"" $e & done; wait) >/events & echo liste""ning\n'
guest_wait 'listening' 60
window_wait 'pointer of Linux'
eval "$(xdotool getwindowgeometry --shell "$window")"
guest_type 'until grep " 3 0 ffff 0" /events && grep " 3 1 ffff 0" /events; do sleep 1; done; echo arri""ved\n'
moved() # there and back, for those who were not listening yet
{
    xdotool mousemove --window "$window" $((WIDTH / 2)) 5
    xdotool mousemove --window "$window" $((WIDTH - 1)) $((HEIGHT - 1))
    sleep 1
    guest_said arrived
}
await 60 moved || fail "the pointer does not arrive"
guest_type 'poweroff -f\n'
guest_end 60
