#!/bin/sh
# Debian's kernel with its virtio drivers, as devices of VIRTIO 1.0 and as legacy ones: a disk that is written, checked
# and discarded, network, entropy, console both ways, and a balloon that gives memory back to the host.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

modules='virtio virtio_ring virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_blk failover net_failover
    virtio_net virtio-rng virtio_console virtio_balloon'
kernel_file 686
kernel=$file
initrd_with_modules 686 $modules
initrd=$file
nic=none
[ "${HAVE_SLIRP:-1}" = 1 ] && nic=user,model=virtio

# MiB of the host's memory that the guest's RAM takes.
ram_resident()
{
    for fd in "/proc/$guest_pid/fd"/*; do
        case $(readlink "$fd") in
        /memfd:*ram*) echo $(($(stat -L -c %b "$fd") / 2048)) && return ;;
        esac
    done
    fail "the guest's RAM is not among the program's files"
}

# Waits until it takes less.
ram_below() # MIB WHY
{
    await 120 ram_is_below "$1" || fail "$2: the guest's RAM still takes $(ram_resident) MiB of the host's memory"
}

ram_is_below() # MIB
{
    [ "$(ram_resident)" -lt "$1" ]
}

# What has been written is read back, by requests as large as Linux makes them when it is let; then half of the disk is discarded, and the image shrinks.
disk()
{
    guest_type 'cd /sys/block/vda/queue; cat max_hw_sectors_kb >max_sectors_kb; cd; dd if=/dev/urandom of=file bs=1M count=8; dd if=file of=/dev/vda bs=8M seek=3M oflag=direct,seek_bytes && dd if=/dev/vda bs=8M skip=3M count=1 iflag=direct,skip_bytes 2>/dev/null | cmp - file && echo disk-is-g""ood\n'
    guest_wait 'disk-is-good' 200
    before=$(stat -c %b "$work/disk.qcow2")
    guest_type 'rm file; blkdiscard -o 3M -l 7M /dev/vda; echo disca""rded; dd if=/dev/vda bs=1M skip=3 count=7 iflag=direct 2>/dev/null | tr -d "\\000" | wc -c\n'
    guest_wait 'discarded' 60
    guest_wait '^0' 60
    await 60 has_shrunk "$work/disk.qcow2" "$before" 7 || fail "discarding 7 MiB did not free 7 MiB"
}

console()
{
    guest_type 'head -n 1 /dev/hvc0 >heard & echo op""en\n'
    guest_wait 'open' 60
    exec 4<>"$(pseudo_terminals | head -n 1)" || fail "no pseudo-terminal for the virtual console"
    echo to-the-guest >&4
    guest_type 'wait; cat heard; echo through-the-console >/dev/hvc0\n'
    guest_wait '^to-the-guest' 60
    timeout $((120 * patience)) grep -q -m 1 through-the-console <&4 || fail "nothing came through the virtual console"
    exec 4>&-
}

# Asks the balloon for a size, and waits until it has taken so much.
balloon_wait() # SIZE TAKEN
{
    monitor "balloon $1"
    await 120 balloon_has "$2" || fail "the balloon has not taken $2 MiB: $(cat "$work/said")"
}

balloon_has() # MIB
{
    monitor 'info balloon'
    grep -q "back $1 MiB" "$work/said"
}

# 100 MiB are used and freed again: they go back without being asked for (free page reporting). Then the balloon takes
# what the guest can do without, and gives it back.
balloon()
{
    guest_type 'dd if=/dev/zero of=/fill bs=1M count=100 2>/dev/null; echo fil""led\n'
    guest_wait 'filled' 60
    [ "$(ram_resident)" -ge 100 ] || fail "100 MiB of files take $(ram_resident) MiB"
    guest_type 'rm /fill; echo remo""ved\n'
    guest_wait 'removed' 60
    ram_below 100 'after a file of 100 MiB was removed'
    balloon_wait 72 120
    ram_below 74 'with a balloon of 120 of 192 MiB'
    balloon_wait 192 0
    guest_type 'seq 1 500000 >s; w() { for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do cat s; done; }; w >fill; w | cmp - fill && wc -c fill && echo memory-is-g""ood\n'
    guest_wait 'memory-is-good' 200
}

machine() # PARAMETER-OF-virtio_pci DRIVERS-AND-FEATURE-BITS-32
{
    rm -f "$work/in" "$work/disk.qcow2"
    "$PRESCIENT" img create -f qcow2 "$work/disk.qcow2" 64M || fail "img create"
    guest_start -nographic -no-reboot -m 192 -kernel "$kernel" -initrd "$initrd" -monitor pty \
        -append 'console=ttyS0 panic=-1' -drive "file=$work/disk.qcow2,if=virtio" -nic $nic \
        -device virtio-rng-pci -device virtio-balloon-pci -device virtio-console,chardev=pty
    guest_wait 'prescient# ' 400
    guest_type "cd /modules; for m in $(echo $modules); do p=; [ \$m = virtio_pci ] && p=$1; insmod \$m.ko \$p || echo BAD \$m; done; cd\n"
    guest_type 'for d in /sys/bus/virtio/devices/*; do ls -d $d/driver | wc -l; cut -c 33 $d/features; done | sort | uniq -c | tr -s " \\n" " "; echo probed\n'
    guest_wait "$2probed" 120
    disk
    if [ $nic != none ]; then
        guest_type '/lease eth0\n'
        guest_wait 'dhcp: 10.0.2.15 router 10.0.2.2' 120
    fi
    guest_type 'dd if=/dev/hwrng bs=64 count=1 2>/dev/null | wc -c\n'
    guest_wait '^64' 60
    console
    balloon
    guest_type 'poweroff -f\n'
    guest_end 60
    image_agrees "$work/disk.qcow2"
}

devices=5
[ $nic = none ] && devices=4
machine force_legacy=0 "^ $((2 * devices)) 1 "
machine force_legacy=1 "^ $devices 0 $devices 1 "
