#!/bin/sh
# iPXE from its CD image to its prompt: SeaBIOS, ISOLINUX, real-mode switching.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

package_file amd64:ipxe /usr/lib/ipxe/ipxe.iso
guest_start -nographic -no-reboot -m 64 -boot d -cdrom "$file"
guest_wait 'initialising devices' 120
# Two seconds are given for the answer, which is too short for a busy host: it is there before.
prompted()
{
    guest_type '\002'
    guest_said 'iPXE> '
}
await 120 prompted || fail "no prompt of iPXE"
