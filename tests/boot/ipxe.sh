#!/bin/sh
# iPXE from its CD image to its prompt: SeaBIOS, ISOLINUX, real-mode switching.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

package_file amd64:ipxe /usr/lib/ipxe/ipxe.iso
guest_start -nographic -no-reboot -m 64 -boot d -cdrom "$file"
screen_wait 'initialising devices' 120
screen_wait 'Press Ctrl-B' 120
guest_type '\002'
screen_wait 'iPXE> ' 120
