#!/bin/sh
# The real gdb against the demo kernel, from real mode on, on both engines: breakpoints, watchpoints,
# steps, registers, memory, monitor commands. tests/monitor/demo.gdb is the session.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

command -v gdb >/dev/null || { echo "gdb is not installed"; exit 77; }
bad=0
for engine in interp checked direct; do
    demo_start -engine $engine -gdb "unix:$work/gdb"
    for n in 1 2 3 4 5 6 7 8 9 10; do
        [ -S "$work/gdb" ] && break
        sleep 0.5
    done
    timeout 120 gdb -nx -batch -ex "set tcp connect-timeout 30" -ex "file $BUILD/roms/demo.elf" \
        -ex "target remote $work/gdb" -x "$SRCDIR/tests/monitor/demo.gdb" >"$work/session" 2>&1 </dev/null
    grep -q '^the session is over$' "$work/session" || { tail -n 20 "$work/session"; bad=1; }
    grep '^wrong: ' "$work/session" && bad=1
    [ $bad = 0 ] || echo "with -engine $engine"
    demo_end
    rm -f "$work/gdb"
done
exit $bad
