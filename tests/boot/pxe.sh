#!/bin/sh
# Network boot by iPXE's ROM of each card that has one: DHCP, and a script by TFTP.
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
