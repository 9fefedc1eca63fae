#!/bin/sh
# A thousand single steps of the demo kernel by gdb and by the monitor, on both engines, against the
# interpreter's trace of the same run: the same instruction pointers.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

bad=0
say() { echo "$*"; bad=1; }
same="-clock icount -rtc base=2026-01-01T00:00:00"
"$PRESCIENT" -display none -m 64 -serial null -engine interp $same -kernel "$BUILD/roms/demo.elf" \
    -append "keys=mcpdtq" -trace "$work/t,insn,range=0x100000..0x1fffff" >/dev/null 2>&1
"$PRESCIENT" trace "$work/t" | sed -n '/<kernel_main> /,$p' | awk 'NR <= 1000 { print $3 }' >"$work/trace"
[ "$(wc -l <"$work/trace")" = 1000 ] || say "no trace of a thousand instructions"

cat >"$work/talk" <<'END'
> lb kernel_main
> c
<kernel_main>
> trace on
> step 1000
> quit
END
for engine in interp checked direct auto; do
    demo_start -engine $engine $same
    talk "$work/talk" || bad=1
    demo_end
    awk '/^ +[0-9]+ [0-9a-f]+: / { sub(":", "", $2); print $2 }' "$work/out" >"$work/monitor-steps"
    cmp -s "$work/trace" "$work/monitor-steps" || say "the monitor's steps differ"
    [ $bad = 0 ] || { echo "with -engine $engine"; break; }
done

command -v gdb >/dev/null || skip "gdb is not installed"
demo_start -engine checked $same -gdb "unix:$work/gdb"
gdb_session "$SRCDIR/tests/monitor/steps.gdb" -ex "file $BUILD/roms/demo.elf"
demo_end
sed -n 's/^step //p' "$work/session" >"$work/gdb-steps"
cmp -s "$work/trace" "$work/gdb-steps" || { tail -n 5 "$work/session"; say "gdb's steps differ"; }
exit $bad
