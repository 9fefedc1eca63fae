#!/bin/sh
# Two machines on a cable of Unix sockets, with different cards: one sends a file to the other; what went over it is in
# the record (pcap).
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

kernel_file 686
kernel=$file
initrd_with_modules 686 e1000 mii 8139too
initrd=$file

# A file with text that each frame of it has, and the other machine's guest_ variables.
seq 1000000 1060000 >"$work/extra/sent"
sum=$(md5sum <"$work/extra/sent" | cut -d' ' -f1)
(cd "$work/extra" && echo sent | cpio -o -H newc -R 0:0 --quiet) | gzip -1n >"$work/sent.gz"
cat "$initrd" "$work/sent.gz" >"$work/initrd-sender.gz"

machine() # INITRD NIC-OPTIONS
{
    guest_start -nographic -no-reboot -m 96 -kernel "$kernel" -initrd "$1" -append 'console=ttyS0 panic=-1' -nic "$2"
}
machine "$initrd" "unix,local=$work/a,remote=$work/b,model=e1000,mac=52:54:00:00:00:01"
receiver=$guest_pid received=$out others=$guest_pid
exec 4>&3
guest_wait 'prescient# ' 400
printf 'insmod /modules/e1000.ko; ifconfig eth0 10.9.9.1 up; echo u""p; nc -l -p 99 | md5sum\n' >&4
guest_wait '^up' 60

out=$work/out-sender
machine "$work/initrd-sender.gz" "socket,local=$work/b,remote=$work/a,model=rtl8139,mac=52:54:00:00:00:02,pcap=$work/record"
guest_wait 'prescient# ' 400
guest_type 'insmod /modules/mii.ko; insmod /modules/8139too.ko; ifconfig eth0 10.9.9.2 up; until ping -c 1 -w 5 10.9.9.1; do :; done; until nc 10.9.9.1 99 </sent; do sleep 1; done; echo ga""ve\n'
guest_wait '1 packets received' 60
guest_wait 'gave' 120
guest_type 'poweroff -f\n'
guest_end 60

out=$received guest_pid=$receiver waited=0
guest_wait "$sum" 60
printf 'poweroff -f\n' >&4
guest_end 60
[ "$(od -An -tx4 -N 4 "$work/record" | tr -d ' ')" = a1b2c3d4 ] || fail "the record is not in the pcap format"
[ "$(grep -ac 1055555 "$work/record")" -gt 0 ] || fail "the record lacks what was sent"
