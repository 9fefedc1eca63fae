#!/bin/sh
# A counted clock: the same boot on the interpreter and in translated code says the same, to the last
# microsecond.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

initrd_file
initrd=$file
kernel_file 686
for engine in interp checked auto; do
    timeout 600 "$PRESCIENT" -engine $engine -clock icount -limit 4000000000 \
        -rtc base=2020-01-01T00:00:00 -nographic -no-reboot -m 128 -kernel "$file" \
        -initrd "$initrd" -append "console=ttyS0 panic=-1" </dev/null >"$work/$engine" 2>/dev/null ||
        fail "-engine $engine ended with status $?"
    grep -aq 'Linux version' "$work/$engine" || fail "-engine $engine: Linux did not start"
    cmp "$work/interp" "$work/$engine" || fail "-engine $engine differs"
done
