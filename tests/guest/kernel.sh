#!/bin/sh
# The test kernel on each engine, in lockstep, and by a counted clock.
# SPDX-License-Identifier: MIT
set -u

log=$BUILD/results/kernel.log
bad=0
run() # OPTION...
{
    timeout "${TEST_TIMEOUT:-300}" "$PRESCIENT" "$@" -m 64 -display none -serial null -no-reboot \
        -kernel "$BUILD/tests/guest/kernel.elf" -debugcon "file:$log" \
        -device isa-debug-exit,iobase=0x501 >"$log.err" 2>&1 </dev/null
    status=$?
    good=$(grep -ac '^pass ' "$log")
    echo "$*: $good passed, status $status"
    [ $status = 33 ] && [ "$good" -gt 10 ] && return
    bad=1
    sed -n '/^Booting from/,$p' "$log" | grep -av '^pass '
    tail -n 20 "$log.err"
}
run -engine interp
run -engine checked
run -engine direct
run -engine auto
run -engine direct -stress-windows 7
run -engine interp -clock icount,shift=0
run -engine checked -clock icount,shift=0
run -verify -clock icount
rm -f "$log" "$log.err"
exit $bad
