#!/bin/sh
# A TAP interface of the host (in a network namespace of the test's own): ping, files both ways with TCP
# through each card, and the record as tcpdump reads it.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

for tool in bash ip tcpdump unshare; do
    command -v $tool >/dev/null || skip "$tool is not installed (Debian: bash iproute2 tcpdump util-linux)"
done
models="e1000 rtl8139 ne2k_pci ne2k_isa virtio"
kernel_file 686
kernel=$file

# What tcpdump says of a record: all frames are whole, and the guest's checksums are right, whoever has made them.
record_check() # MODEL
{
    tcpdump -n -v -r - <"$work/record-$1" >"$work/frames" 2>"$work/said" || fail "$1: $(cat "$work/said")"
    grep -i -m 3 'truncated\|malformed\|bad-len\|bad cksum' "$work/frames" "$work/said" && fail "$1: a damaged frame"
    grep -A 1 '^ *10.8.8.2\|IP (' "$work/frames" | grep -m 3 '^ *10.8.8.2.*incorrect' && fail "$1: a wrong checksum"
    grep -q 'ICMP echo request' "$work/frames" && grep -q 'ICMP echo reply' "$work/frames" || fail "$1: no ping in it"
    [ "$(grep -c '^ *10.8.8.2.81 > 10.8.8.1.* (correct).* length [1-9]' "$work/frames")" -gt 100 ] || fail "$1: no data in it"
}

if [ "${1:-}" != inside ]; then
    netns_find 'ip tuntap add dev tap0 mode tap'
    $netns "$0" inside "$work" || exit 1
    for model in $models; do
        record_check $model
    done
    exit 0
fi
modules="e1000 mii 8139too 8390 ne2k-pci 8390p virtio virtio_ring virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci failover
    net_failover virtio_net ne"
initrd_with_modules 686 $modules
ip tuntap add dev tap0 mode tap && ip address add 10.8.8.1/24 dev tap0 && ip link set tap0 up || fail "ip"
seq 1 700000 >"$work/sent"
sum=$(md5sum <"$work/sent" | cut -d' ' -f1)

send_file()
{
    bash -c "cat '$work/sent' >/dev/tcp/10.8.8.2/80" 2>/dev/null
}

take_file()
{
    bash -c 'cat </dev/tcp/10.8.8.2/81' >"$work/back" 2>/dev/null
}

for model in $models; do
    guest_start -nographic -no-reboot -m 128 -kernel "$kernel" -initrd "$file" -append 'console=ttyS0 panic=-1' \
        -nic "tap,ifname=tap0,model=$model,mac=52:54:00:00:00:08,pcap=$2/record-$model"
    guest_wait 'prescient# ' 400
    guest_type "for m in $(echo $modules); do p=; [ \$m = ne ] && p='io=0x300 irq=5'; insmod /modules/\$m.ko \$p; done; ifconfig eth0 10.8.8.2 up; until ping -c 1 -w 5 10.8.8.1 >/dev/null; do :; done; ping -c 2 10.8.8.1\n"
    guest_wait '2 packets received' 60
    guest_type 'echo re""ady; nc -l -p 80 >got; md5sum got; nc -l -p 81 <got\n'
    guest_wait '^ready' 60
    await 60 send_file || fail "$model: no connection to the guest"
    guest_wait "$sum" 120
    await 60 take_file || fail "$model: no connection back"
    cmp "$work/sent" "$work/back" || fail "$model: what came back differs"
    guest_type 'poweroff -f\n'
    guest_end 60
done
