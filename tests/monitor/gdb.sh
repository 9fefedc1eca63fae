#!/bin/sh
# The real gdb against the demo kernel, from real mode on, on both engines: breakpoints, watchpoints,
# steps, registers, memory, monitor commands. tests/monitor/demo.gdb is the session.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

command -v gdb >/dev/null || skip "gdb is not installed"
bad=0
for engine in interp checked direct; do
    demo_start -engine $engine -gdb "unix:$work/gdb"
    gdb_session "$SRCDIR/tests/monitor/demo.gdb" -ex "file $BUILD/roms/demo.elf"
    grep -q '^the session is over$' "$work/session" || { tail -n 20 "$work/session"; bad=1; }
    grep '^wrong: ' "$work/session" && bad=1
    [ $bad = 0 ] || echo "with -engine $engine"
    demo_end
    rm -f "$work/gdb"
done
exit $bad
