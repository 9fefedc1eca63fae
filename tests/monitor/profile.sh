#!/bin/sh
# The profiler over the demo kernel, on both engines: stacks with symbols, counts by function, the top
# list in the monitor.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

bad=0
say() { echo "$*"; bad=1; }
for engine in interp checked direct; do
    "$PRESCIENT" -display none -m 64 -serial null -engine $engine -clock icount \
        -kernel "$BUILD/roms/demo.elf" -append "keys=mcpdtq" -profile "$work/p,period=5" \
        >/dev/null 2>"$work/err" || { cat "$work/err"; say "no run"; }
    # every line is stack and count; the counts add up to the run's virtual time by the period
    grep -vE '^(kernel|user);[^ ]+;\[(idle|interpreted|translated|direct|emulator)\] [0-9]+$' "$work/p" &&
        say "a line is wrong"
    grep -qE '^kernel;.*console_put;\[' "$work/p" || say "no console_put"
    total=$(awk '{ n += $NF } END { print n + 0 }' "$work/p")
    [ "$total" -gt 5000 ] || say "only $total samples"
    [ $bad = 0 ] || { echo "with -engine $engine"; break; }
done
cat >"$work/talk" <<'END'
> info profile
^0 samples|^[0-9]+ samples
> lb paging_fault
> c
<paging_fault>
> info profile
^[1-9][0-9]* samples, one each 5 us: \[idle\]
^ samples +callouts +walks +events +ports +devices +translated  function
[1-9][0-9]* +[a-z_]+$
> quit
END
demo_start -clock icount -profile "$work/q,period=5"
talk "$work/talk" || bad=1
demo_end
"$PRESCIENT" -profile "$work/x,period=0" -display none 2>"$work/err" && say "a period of 0 passes"
grep -q 'is not period=' "$work/err" || say "what is wrong with period=0?"
exit $bad
