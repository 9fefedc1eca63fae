#!/bin/sh
# No C code that may run on the machine thread computes in floating point: while guest code runs,
# MXCSR there is the guest's (cpu/fpu.h).
# SPDX-License-Identifier: MIT
set -u
cd "$BUILD" || exit 1

bad=0
for o in $(find cpu mmu translate hw -name '*.o' 2>/dev/null); do
    [ -f "$SRCDIR/${o%.o}.c" ] || continue
    n=$(objdump -d --no-show-raw-insn "$o" |
        grep -cE '\b(v?cvt[a-z0-9]+|v?(add|sub|mul|div|sqrt|min|max|comi|ucomi|round)[sp][sd])\b')
    [ "$n" = 0 ] || { echo "${o%.o}.c: $n floating-point instructions"; bad=1; }
done
exit $bad
