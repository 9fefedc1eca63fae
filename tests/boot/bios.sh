#!/bin/sh
# A real-mode program on BIOS services from a disk: tests/boot/bios.S says what it checks.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

image=$work/disk.img
cp "$BUILD/tests/boot/bios.img" "$image"
chmod 600 "$image"
guest_start -display none -serial stdio -no-reboot -m 16 -drive "file=$image,format=raw"
guest_wait DONE 120
guest_end 30
tr -d '\r' <"$out" | grep -a FAIL && fail "a check failed"
n=$(tr -d '\r' <"$out" | grep -ac ' ok$')
[ "$n" = 14 ] || fail "$n checks of 14"
# The written sector has reached the image.
[ "$(od -An -tx2 -j $((2880 * 512)) -N 2 "$image" | tr -d ' ')" = 5aa5 ] || fail "nothing written"
