#!/bin/sh
# Linux's ATA driver with a raw and a qcow2 disk, whose images shrink when it discards, and which nobody else can open
# meanwhile; a disk whose writes are forgotten; the CD drive that each machine has: a CD put into it, changed while Linux
# has it mounted, and after.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

command -v xorriso >/dev/null || skip "xorriso is not installed (Debian: xorriso)"
modules="scsi_common scsi_mod libata ata_piix crct10dif_common crct10dif_generic crc-t10dif crc64 crc64_rocksoft_generic
    crc64-rocksoft t10-pi sd_mod cdrom sr_mod isofs"
kernel_file 686
kernel=$file
initrd_with_modules 686 $modules
initrd=$file
for cd in first second; do
    mkdir "$work/$cd"
    echo "the $cd CD" >"$work/$cd/name"
    xorriso -as mkisofs -quiet -V "$cd" -o "$work/$cd.iso" "$work/$cd" >"$work/fetch" 2>&1 || fail "xorriso"
done
truncate -s 64M "$work/raw.img"
"$PRESCIENT" img create -f qcow2 "$work/disk.qcow2" 64M || fail "img create"
"$PRESCIENT" img create -f raw "$work/kept.img" 1M || fail "img create"

guest_start -nographic -no-reboot -m 128 -kernel "$kernel" -initrd "$initrd" -nic none -monitor pty \
    -append 'console=ttyS0 panic=-1' -drive "file=$work/raw.img,format=raw,index=0" \
    -drive "file=$work/disk.qcow2,index=1" -drive "file=$work/kept.img,format=raw,snapshot=on,index=3"
guest_wait 'prescient# ' 400
guest_type "cd /modules; for m in $(echo $modules); do insmod \$m.ko; done; cd /; echo in\"\"serted\n"
guest_wait '^inserted' 60
# Linux looks at several disks at the same time, and gives them their names as they answer.
guest_type 'disk() { until [ -b "/dev/$(ls /sys/bus/scsi/devices/$1/block)" ]; do sleep 1; done 2>/dev/null; ln -s /dev/$(ls /sys/bus/scsi/devices/$1/block) /$2; }\n'
guest_type 'disk 0:0:0:0 raw; disk 0:0:1:0 qcow2; disk 1:0:1:0 kept; disk 1:0:0:0 cd-drive; cat /sys/block/sd?/queue/write_cache; echo the""re\n'
guest_wait 'write back' 60
guest_wait '^there' 60

holds() # FILE MIB: file systems may count late
{
    [ "$(stat -c %b "$1")" -ge $(($2 * 2048)) ]
}

# Data, then holes. A file system's sync is a FLUSH CACHE.
guest_type 'dd if=/dev/urandom of=/file bs=1M count=16 2>/dev/null; for d in raw qcow2; do dd if=/file of=/$d bs=1M seek=8 conv=fsync 2>/dev/null; done; echo writ""ten\n'
guest_wait '^written' 120
for image in raw.img disk.qcow2; do
    await 60 holds "$work/$image" 16 || fail "$image does not hold what was written"
done
raw_blocks=$(stat -c %b "$work/raw.img")
qcow2_blocks=$(stat -c %b "$work/disk.qcow2")
guest_type 'for d in raw qcow2; do blkdiscard -o 12M -l 12M /$d || echo bad; dd if=/$d bs=1M skip=8 count=16 2>/dev/null | md5sum; done; (dd if=/file bs=1M count=4; dd if=/dev/zero bs=1M count=12) 2>/dev/null | md5sum; echo disca""rded\n'
guest_wait '^discarded' 60
[ "$(tr -d '\r' <"$out" | grep -a '^[0-9a-f]\{32\}  -$' | sort -u | wc -l)" = 1 ] || fail "what was discarded does not read as zeros"
await 60 has_shrunk "$work/raw.img" "$raw_blocks" 10 || fail "discarding 12 of 16 MiB has not made raw.img smaller"
await 60 has_shrunk "$work/disk.qcow2" "$qcow2_blocks" 10 || fail "discarding 12 of 16 MiB has not made disk.qcow2 smaller"
guest_type 'echo forgotten >/kept; sync; head -c 9 /kept; echo\n'
guest_wait '^forgotten' 60

# Locks: against a second Prescient, and QEMU.
for image in raw.img disk.qcow2; do
    "$PRESCIENT" -display none -limit 1 "$work/$image" >"$work/said" 2>&1 && fail "a second machine got $image"
    grep -q "$image.*in use" "$work/said" || fail "said of a second use: $(cat "$work/said")"
    "$PRESCIENT" img resize "$work/$image" +1M >"$work/said" 2>&1 && fail "the tool got $image"
    command -v qemu-io >/dev/null || continue
    case $image in *.img) format=raw ;; *) format=qcow2 ;; esac
    qemu-io -f $format -c 'write 0 4k' "$work/$image" >"$work/said" 2>&1 && fail "QEMU got $image"
    grep -q 'lock' "$work/said" || fail "QEMU said of a second use: $(cat "$work/said")"
done

# The CD drive, which is empty as nobody has asked for one. Linux locks the tray of what it has mounted; later it is told of a new medium.
guest_type 'mkdir /cd; mount -t iso9660 /dev/sr0 /cd; echo em""pty $?\n'
guest_wait '^empty [1-9]' 60
monitor "change ide1-cd0 $work/first.iso"
guest_type 'until mount -t iso9660 /dev/sr0 /cd; do sleep 1; done; cat /cd/name\n'
guest_wait '^the first CD' 60
monitor "change ide1-cd0 $work/second.iso"
grep -q 'locked' "$work/said" || fail "a mounted CD was taken away: $(cat "$work/said")"
guest_type 'echo 3 >/proc/sys/vm/drop_caches; cat /cd/name\n'
guest_wait '^the first CD' 60
guest_type 'printf "#!/bin/sh\\n[ \\"\\$DISK_MEDIA_CHANGE\\" ] && echo \\$DEVNAME chan""ged\\n" >/event; chmod +x /event; echo 200 >/sys/block/sr0/events_poll_msecs; umount /cd; uevent /event & echo liste""ns\n'
guest_wait '^listens' 60
monitor "change ide1-cd0 $work/second.iso"
grep -q 'locked' "$work/said" && fail "the CD is still locked"
guest_wait 'sr0 changed' 60
guest_type 'mount -t iso9660 /dev/sr0 /cd; cat /cd/name; umount /cd\n'
guest_wait '^the second CD' 60
monitor 'eject ide1-cd0'
guest_type 'mount -t iso9660 /dev/sr0 /cd; echo stat""us $?\n'
guest_wait 'No medium found' 60
guest_wait '^status [1-9]' 60
guest_type 'poweroff -f\n'
guest_end 60
[ "$(tr -d '\000' <"$work/kept.img" | wc -c)" = 0 ] || fail "an image with snapshot=on was written to"
image_agrees "$work/disk.qcow2"
