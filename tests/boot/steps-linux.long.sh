#!/bin/sh
# A Linux kernel that boots: gdb, on the translator, stops at a function that is found without any symbol
# file and makes a thousand steps; the monitor, on the interpreter, does the same. The clock is counted in
# instructions, so that both see the same boot: the instruction pointers are the same.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

command -v gdb >/dev/null || skip "gdb is not installed"
kernel_file 686
kernel=$file
initrd_file
initrd=$file
boot() # OPTION...
{
    "$PRESCIENT" -display none -serial null -m 128 -clock icount -rtc base=2026-01-01T00:00:00 -S \
        -kernel "$kernel" -initrd "$initrd" -append "console=ttyS0 nokaslr" "$@" \
        >/dev/null 2>"$work/err" </dev/null &
    pid=$!
}

# where the unpacked kernel starts, then a function of it
cat >"$work/talk" <<'END'
> lb 0x1000000
> c
breakpoint 1
> linux-symbols
^[0-9]+ symbols
> lb vfs_caches_init
> delete 1
> c
<vfs_caches_init>
> trace on
> step 1000
> quit
END
boot -engine interp -monitor "unix:$work/monitor"
"$BUILD/tests/monitor/talk" "$work/monitor" "$work/talk" || fail "the monitor's session"
wait "$pid"
awk '/^ +[0-9]+ [0-9a-f]+: / { sub(":", "", $2); print $2 }' "$work/err" >"$work/steps"
[ "$(wc -l <"$work/steps")" = 1000 ] || fail "the interpreter made $(wc -l <"$work/steps") steps"

cat >"$work/gdb.script" <<'END'
set confirm off
set pagination off
hbreak *0x1000000
continue
monitor linux-symbols
monitor lb vfs_caches_init once
delete
continue
set $n=0
while $n<1000
    printf "step %08x\n", $pc
    stepi
    set $n=$n+1
end
kill
END
boot -engine auto -gdb "unix:$work/gdb"
gdb_session "$work/gdb.script" -ex 'set architecture i386'
wait "$pid"
sed -n 's/^step //p' "$work/session" >"$work/gdb-steps"
cmp "$work/steps" "$work/gdb-steps" || { tail -n 5 "$work/session"; fail "gdb's steps differ"; }
