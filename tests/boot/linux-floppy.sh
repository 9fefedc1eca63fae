#!/bin/sh
# Linux's own floppy driver: a disk is formatted, another copied to it, and both compared outside.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

command -v cpio >/dev/null || skip "cpio is not installed (Debian: cpio)"
initrd_file
initrd=$file
kernel_file 686
kernel=$file
deb=$("$boot/fetch-debs" "$cache" linux-image-686 2>"$work/fetch") || skip "$(tail -n 1 "$work/fetch")"
mkdir "$work/more" && dpkg-deb --fsys-tarfile "$deb" |
    tar -xO --wildcards './lib/modules/*/floppy.ko' >"$work/more/floppy.ko" || fail "no module in $deb"
[ "${HAVE_M32:-yes}" = yes ] || skip "32-bit programs cannot be built here"
${CC:-cc} -m32 -O1 -static -nostdlib -fno-pie -no-pie -fno-stack-protector -o "$work/more/fdformat" \
    "$boot/fdformat.c" || fail "fdformat.c does not compile"
(cd "$work/more" && printf 'floppy.ko\nfdformat\n' | cpio -o -H newc 2>/dev/null | gzip -1) |
    cat "$initrd" - >"$work/initrd.gz"

head -c 1474560 "$kernel" >"$work/a.img"
head -c 1474560 "$kernel" | tr '\0-\377' '\1-\377\0' >"$work/b.img"
guest_start -nographic -no-reboot -m 128 -fda "$work/a.img" -fdb "$work/b.img" \
    -kernel "$kernel" -initrd "$work/initrd.gz" -append 'console=ttyS0 quiet panic=-1'
guest_wait 'prescient# ' 300
guest_type 'insmod /floppy.ko && dmesg | tail -n 5\n'
guest_wait 'fd0 is 1.44M, fd1 is 1.44M' 60
guest_wait 'is an 82078' 60
guest_type '/fdformat && sync && tr -d "\\\\366" </dev/fd1 | wc -c | sed "s/^/other bytes: /"\n'
guest_wait '^000 failed' 120
guest_wait '^other bytes: 0' 60
guest_type 'dd if=/dev/fd0 of=/dev/fd1 bs=60k && sync && echo copied $?\n'
guest_wait 'copied 0' 120
guest_type 'poweroff -f\n'
guest_end 60
cmp "$work/a.img" "$work/b.img" || fail "the copy differs"
