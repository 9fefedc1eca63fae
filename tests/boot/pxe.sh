#!/bin/sh
# Network boot by iPXE's ROM of each card that has one: DHCP, and by TFTP a script, and PXELINUX with its modules.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

[ "${HAVE_SLIRP:-1}" = 1 ] || skip "this build has no user network"
grep -q 'PRESCIENT_IPXE_DIR "/' "$BUILD/config.h" || skip "iPXE's ROMs are not installed (ipxe-qemu)"
mkdir "$work/tftp"
printf '#!ipxe\necho fetched ${filename} for ${net0/mac}\nsanboot --drive 0x80\n' >"$work/tftp/boot.ipxe"
for model in e1000 rtl8139 ne2k_pci virtio; do
    guest_start -nographic -no-reboot -m 64 -boot n \
        -nic "user,model=$model,mac=52:54:00:aa:bb:cc,tftp=$work/tftp,bootfile=boot.ipxe"
    guest_wait 'fetched boot.ipxe for 52:54:00:aa:bb:cc' 300
    guest_stop
done

# PXELINUX with a network stack of its own, which drives the card through the ROM, by interrupts.
package_file amd64:pxelinux /usr/lib/PXELINUX/lpxelinux.0
cp "$file" "$work/tftp"
package_file syslinux-common /usr/lib/syslinux/modules/bios/ldlinux.c32
cp "$file" "$work/tftp"
mkdir "$work/tftp/pxelinux.cfg"
printf 'SERIAL 0\nDEFAULT linux\nLABEL linux\nKERNEL absent\n' >"$work/tftp/pxelinux.cfg/default"
for model in e1000 rtl8139 ne2k_pci virtio; do
    guest_start -display none -serial stdio -no-reboot -m 64 -boot n \
        -nic "user,model=$model,tftp=$work/tftp,bootfile=lpxelinux.0"
    guest_wait 'Loading absent' 300
    guest_stop
done
