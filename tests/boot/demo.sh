#!/bin/sh
# The demo kernel boots, handles a page fault, a divide error, timer and clock, and powers off; the
# screen is saved as it was then.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

guest_start -display none -serial stdio -no-reboot -m 64 -kernel "$BUILD/roms/demo.elf" \
    -append "keys=mcpdtq" -screenshot "$work/screen.png"
guest_end 60
for text in 'This is the demo kernel' '64 MiB' 'CPUID: ' 'it now holds 2a' 'eax is ffffffff' \
    'timer interrupts since' 'Power off'; do
    grep -q "$text" "$out" || fail "missing: $text"
done
# A PNG of the text mode's size.
[ "$(od -An -tx1 -N 24 "$work/screen.png" | tr -d ' \n')" = \
    89504e470d0a1a0a0000000d49484452000002d000000190 ] || fail "no picture of 720 x 400"
