#!/bin/sh
# memtest86+ through its first tests with no error.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

package_file memtest86+ /boot/memtest86+ia32.bin
guest_start -nographic -no-reboot -m 16 -kernel "$file" -append "console=ttyS0,115200 nosmp"
guest_wait 'Memtest86+' 120
# a test that is over before the screen is drawn again is not seen
guest_wait '#[0-9]* *\[' 500
guest_wait '#\([6-9]\|10\) *\[' 900
grep -ao 'Errors: *[0-9]*' "$out" | grep -v 'Errors: *0$' && fail "memory errors"
exit 0
