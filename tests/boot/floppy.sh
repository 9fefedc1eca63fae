#!/bin/sh
# Boots from floppy images of every usual format: tests/boot/floppy.S says what it checks. Then GRUB's
# rescue floppy, whose image ends with what it holds.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

truncate -s 737280 "$work/b.img"

# One format: the image, and what int 13h says of it (last cylinder, head, sector).
boots() # KIB LAST
{
    image=$work/a.img
    cp "$BUILD/tests/boot/floppy.img" "$image"
    chmod 600 "$image"
    truncate -s "$1K" "$image"
    printf '\046\131\101\061' | dd of="$image" bs=1 seek=$(($1 * 1024 - 512)) conv=notrunc 2>/dev/null
    guest_start -display none -serial stdio -no-reboot -m 16 -boot a -fda "$image" \
        -drive "file=$work/b.img,if=floppy,readonly=on"
    guest_wait "format $2" 60
    guest_wait DONE 60
    guest_end 30
    tr -d '\r' <"$out" | grep -a FAIL && fail "a check failed with $1 KiB"
    n=$(tr -d '\r' <"$out" | grep -ac ' ok$')
    [ "$n" = 7 ] || fail "$n checks of 7 with $1 KiB"
    # The copied sector has reached the image, and a formatted one.
    last=$((0x${2#????}))
    first=$(($1 * 2 - last))
    [ "$(od -An -tx4 -j $((first * 512)) -N 4 "$image" | tr -d ' ')" = 31415926 ] ||
        fail "nothing written with $1 KiB"
    [ "$(od -An -tx4 -j $(((first - 3 * last) * 512)) -N 4 "$image" | tr -d ' ')" = f6f6f6f6 ] ||
        fail "nothing formatted with $1 KiB"
}

boots 1440 4f0112
boots 360 270109
boots 720 4f0109
boots 1200 4f010f
boots 2880 4f0124

package_file amd64:grub-rescue-pc /usr/lib/grub-rescue/grub-rescue-floppy.img
guest_start -nographic -no-reboot -m 64 -boot a -snapshot -fda "$file"
guest_wait 'GRUB' 60
guest_wait 'highlighted entry\|grub> ' 120
