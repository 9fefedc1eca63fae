#!/bin/sh
# Debian's kernel with its virtio drivers: a disk that is written, checked and discarded, network,
# entropy, console, and a balloon that gives memory back.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

kernel_file 686
kernel=$file
initrd_with_modules 686 virtio virtio_ring virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci \
    virtio_blk failover net_failover virtio_net virtio-rng virtio_console virtio_balloon
initrd=$file
"$PRESCIENT" img create -f qcow2 "$work/disk.qcow2" 64M || fail "img create"
nic=none
[ "${HAVE_SLIRP:-1}" = 1 ] && nic=user,model=virtio

guest_start -nographic -no-reboot -m 192 -kernel "$kernel" -initrd "$initrd" \
    -append 'console=ttyS0 panic=-1' -drive "file=$work/disk.qcow2,if=virtio" -nic $nic \
    -device virtio-rng-pci -device virtio-balloon-pci \
    -device "virtio-console,chardev=file:$work/console"
guest_wait 'prescient# ' 400
guest_type 'cd /modules; for m in virtio virtio_ring virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_blk failover net_failover virtio_net virtio-rng virtio_console virtio_balloon; do insmod $m.ko || echo BAD $m; done; cd\n'
guest_type 'ls -d /sys/bus/virtio/devices/*/driver | wc -l; echo probed\n'
guest_wait 'probed' 120
guest_type 'dd if=/dev/urandom of=file bs=1M count=8; dd if=file of=/dev/vda bs=1M seek=3 oflag=direct && dd if=/dev/vda bs=1M skip=3 count=8 iflag=direct 2>/dev/null | cmp - file && echo disk-is-g""ood\n'
guest_wait 'disk-is-good' 200
if [ $nic != none ]; then
    guest_type 'ifconfig eth0 up && udhcpc -n -q -i eth0 -s /dhcp\n'
    guest_wait 'dhcp: 10.0.2.15 router 10.0.2.2' 120
fi
guest_type 'dd if=/dev/hwrng bs=64 count=1 2>/dev/null | wc -c; echo through-the-console >/dev/hvc0; echo to""ld\n'
guest_wait '64' 60
guest_wait 'told' 60
grep -q through-the-console "$work/console" || fail "nothing came through the virtual console"
guest_type 'poweroff -f\n'
guest_end 60
"$PRESCIENT" img check "$work/disk.qcow2" || fail "the image is damaged"
