#!/bin/sh
# Linux saved and brought back, in the same machine and in a new one on the other engine, with its disk;
# a damaged snapshot is refused and nothing is lost.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

kernel_file 686
kernel=$file
initrd_with_modules 686 virtio virtio_ring virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci \
    virtio_blk
initrd=$file
"$PRESCIENT" img create -f qcow2 "$work/disk.qcow2" 64M || fail "img create"
export XDG_RUNTIME_DIR="$work" # a list of its own
machine="-nographic -monitor pty -no-reboot -m 96 -kernel $kernel -initrd $initrd -nic none
    -drive file=$work/disk.qcow2,if=virtio -name the-machine"

guest_start $machine -append 'console=ttyS0 panic=-1' -engine auto
guest_wait 'prescient# ' 400
"$PRESCIENT" list >"$work/list"
[ "$(cat "$work/list")" = "$(printf '%s\tthe-machine\tpty' "$guest_pid")" ] || fail "prescient list: $(cat "$work/list")"
guest_type 'cd /modules; for m in virtio virtio_ring virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_blk; do insmod $m.ko; done\n'
guest_type 'x=first; echo disk-fir""st >/dev/vda; sync; head -c 9000000 /dev/urandom >/tmp/f; (cd /tmp; md5sum f >sum); echo rea""dy\n'
guest_wait 'ready' 120
monitor "savevm $work/one.snap"
guest_type 'x=second; echo disk-sec""ond >/dev/vda; sync; rm /tmp/f; echo do""ne\n'
guest_wait 'done' 60
monitor "loadvm $work/one.snap"
monitor "savevm $work/two.snap" # most of memory has not been looked at yet
guest_type 'echo 3 >/proc/sys/vm/drop_caches; echo x is $x, on $(head -n 1 /dev/vda | tr -d "\\\\000")\n'
guest_wait 'x is first, on disk-first' 60
guest_type 'cd /tmp; md5sum -c sum\n'
guest_wait 'f: OK' 60

head -c 100000 "$work/one.snap" >"$work/short.snap"
{ head -c 60000 "$work/one.snap"; printf x; tail -c +60002 "$work/one.snap"; } >"$work/bad.snap"
for bad in short bad none; do
    monitor "loadvm $work/$bad.snap"
    grep -q "$bad.snap: " "$work/said" || fail "$bad.snap was not refused"
    guest_type 'echo still $x\n'
    guest_wait 'still first' 60
done
guest_type 'echo disk-third >/dev/vda; sync; poweroff -f\n'
guest_end 60

guest_start $machine -append 'console=ttyS0 panic=-1' -engine interp -loadvm "$work/two.snap" -S
guest_wait '/dev/pts/' 60 # stopped: it prints nothing but where the monitor is
guest_type '\necho too early\n'
monitor 'info status'
grep -q paused "$work/said" || fail "-S with -loadvm has not stopped the machine: $(cat "$work/said")"
monitor cont
guest_type '\necho again x is $x, on $(head -n 1 /dev/vda | tr -d "\\\\000")\n'
guest_wait 'again x is first, on disk-first' 120
guest_type 'cd /tmp; md5sum -c sum\n'
guest_wait 'f: OK' 60
guest_type 'poweroff -f\n'
guest_end 60
[ -z "$("$PRESCIENT" list 2>/dev/null)" ] || fail "a machine is left in the list"
image_agrees "$work/disk.qcow2"
