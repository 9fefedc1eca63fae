#!/bin/sh
# Debian's installer (netboot, i386) to its first language menu, in text.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

images=/usr/lib/debian-installer/images/12/i386/text/debian-installer/i386
package_file debian-installer-12-netboot-i386 $images/linux installer-linux
kernel=$file
package_file debian-installer-12-netboot-i386 $images/initrd.gz installer-initrd.gz
initrd=$file
guest_start -nographic -no-reboot -m 512 -kernel "$kernel" -initrd "$initrd" \
    -append "console=ttyS0 priority=low"
guest_wait 'Choose language\|Select a language' 560
