#!/bin/sh
# The demo kernel boots, handles a page fault, a divide error, timer and clock, and powers off.
# SPDX-License-Identifier: MIT
set -u

"$PRESCIENT" -help 2>&1 | grep -q -e -kernel || {
    echo "this build cannot load a kernel yet"
    exit 77
}
out=$BUILD/results/demo.out
timeout 60 "$PRESCIENT" -display none -serial stdio -no-reboot -m 64 -kernel "$BUILD/roms/demo.elf" \
    -append "keys=mcpdtq" >"$out" 2>&1 </dev/null
status=$?
bad=0
[ $status = 0 ] || { echo "status $status"; bad=1; }
for text in 'This is the demo kernel' '64 MiB' 'CPUID: ' 'it now holds 2a' 'eax is ffffffff' \
    'timer interrupts since' 'Power off'; do
    grep -q "$text" "$out" || { echo "missing: $text"; bad=1; }
done
[ $bad = 0 ] || tail -n 30 "$out"
rm -f "$out"
exit $bad
