#!/bin/sh
# The GRUB rescue CD to its prompt, and its view of the machine.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

package_file amd64:grub-rescue-pc /usr/lib/grub-rescue/grub-rescue-cdrom.iso
guest_start -nographic -no-reboot -m 64 -boot d -cdrom "$file"
guest_wait 'highlighted entry' 240
guest_type 'c'
guest_wait 'grub> ' 60
guest_type_slowly 'echo $grub_platform-$grub_cpu'
guest_type '\r'
guest_wait 'pc-i386' 60
