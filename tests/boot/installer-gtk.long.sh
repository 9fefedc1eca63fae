#!/bin/sh
# Debian's graphical installer (netboot, gtk) to its first menu on the frame buffer, compared with a
# picture that was looked at: tests/boot/installer-gtk.ref.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

command -v python3 >/dev/null || skip "no python3 to compare pictures with"
images=/usr/lib/debian-installer/images/12/i386/gtk/debian-installer/i386
package_file debian-installer-12-netboot-i386 $images/linux installer-gtk-linux
kernel=$file
package_file debian-installer-12-netboot-i386 $images/initrd.gz installer-gtk-initrd.gz
initrd=$file

guest_start -display none -serial stdio -no-reboot -m 768 -kernel "$kernel" -initrd "$initrd" \
    -append "priority=low console=ttyS0 console=tty0" -screenshot "$work/screen.png"
# The serial console's menu is ready first; the window system takes its time.
guest_wait 'Choose language\|Select a language' 400
left=$((30 * ${TEST_PATIENCE:-1}))
while [ $left -gt 0 ]; do
    left=$((left - 1))
    kill -USR1 "$guest_pid" || fail "it ended"
    sleep 5
    distance=$("$boot/picture-distance" "$work/screen.png" "$boot/installer-gtk.ref" 2>&1)
    [ "$distance" -le 4 ] 2>/dev/null && exit 0
done
cp "$work/screen.png" "$BUILD/installer-gtk.png"
fail "the screen differs by $distance from the reference: see $BUILD/installer-gtk.png"
