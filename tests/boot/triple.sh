#!/bin/sh
# A triple fault (tests/boot/triple.S) is explained before the reset: each fault of the chain, with the
# page-table entry, segment and gate to blame.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

for engine in interp auto; do
    ENGINE=$engine
    guest_start -display none -no-reboot -m 16 "$BUILD/tests/boot/triple.img"
    guest_end 30
    for text in 'triple fault' '#PF(0x0002) at 0008:' 'entry at 0x00001004 is 00000000' \
        '#NP(0x0019) at 0008:' 'selector 0x0018: GDT entry 3 is code.*not present' \
        '#GP(0x0043) at 0008:' 'IDT entry 8 is reserved' 'CR2 00400010 CR3 00001000'; do
        grep -q "$text" "$out" || fail "$engine: no '$text'"
    done
done
