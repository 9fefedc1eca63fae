#!/bin/sh
# Debian's kernel with its drivers for the RTL8139 and the NE2000, on PCI and on ISA: DHCP and a file by
# TFTP through each.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

[ "${HAVE_SLIRP:-1}" = 1 ] || skip "this build has no user network"
kernel_file 686
kernel=$file
initrd_with_modules 686 mii 8139too 8390 ne2k-pci 8390p ne
initrd=$file

mkdir "$work/tftp"
head -c 100000 /dev/urandom >"$work/tftp/file"
sum=$(md5sum <"$work/tftp/file" | cut -d' ' -f1)
guest_start -nographic -no-reboot -m 128 -kernel "$kernel" -initrd "$initrd" \
    -append 'console=ttyS0 panic=-1' -nic "user,model=rtl8139,tftp=$work/tftp" \
    -nic "user,model=ne2k_pci,tftp=$work/tftp" -nic "user,model=ne2k_isa,tftp=$work/tftp"
guest_wait 'prescient# ' 400
guest_type 'cd /modules; insmod mii.ko; insmod 8139too.ko; insmod 8390.ko; insmod ne2k-pci.ko; insmod 8390p.ko; insmod ne.ko io=0x300 irq=5; cd /\n'
for card in eth0 eth1 eth2; do
    guest_type "/lease $card\n"
    guest_wait 'dhcp: 10.0.2.15 router 10.0.2.2' 120
    guest_type 'rm -f file; tftp -g -r file 10.0.2.2 && md5sum file\n'
    guest_wait "$sum" 200
    guest_type "ifconfig $card down; echo $card d\"\"one\n"
    guest_wait "$card done" 60
done
guest_type 'poweroff -f\n'
guest_end 60
