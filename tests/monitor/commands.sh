#!/bin/sh
# Every command of the monitor: those that have no test elsewhere, on both engines; and that each of the
# tables, command and topic, is in some conversation.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

here=$SRCDIR/tests/monitor
bad=0
sed "s|WORK|$work|" "$here/commands.talk" >"$work/talk"
for engine in interp checked direct; do
    demo_start -engine $engine -append keys=h
    talk "$work/talk" || bad=1
    demo_end
    [ "$(od -An -N 4 -c "$work/screen.png" | tr -d ' ')" = '211PNG' ] || { echo "no picture"; bad=1; }
    rm -f "$work/screen.png"
    [ $bad = 0 ] || { echo "with -engine $engine"; exit 1; }
done

# nobody but this host can reach monitor and gdb
for where in "-monitor tcp:0.0.0.0:4444" "-gdb tcp:192.0.2.1:1234"; do
    timeout $((60 * patience)) "$PRESCIENT" -display none -serial null -S $where >"$work/out" 2>&1 </dev/null &&
        { echo "$where is taken"; bad=1; }
    grep -q 'only 127.0.0.1, which other hosts cannot reach' "$work/out" || { cat "$work/out"; bad=1; }
done

# explanations name the code, and symbols that cannot be read are told of with no monitor as well
"$PRESCIENT" -display none -m 64 -serial null -kernel "$BUILD/roms/demo.elf" -append keys=mcpdtq -explain \
    >/dev/null 2>"$work/err"
grep -qE '#DE at 0008:[0-9a-f]{8} <fault_divide\+0x[0-9a-f]+>, div: DIV by zero' "$work/err" ||
    { cat "$work/err"; bad=1; }
timeout $((60 * patience)) "$PRESCIENT" -display none -serial null -symbols "$work/nothing" >/dev/null 2>"$work/err" </dev/null &&
    { echo "no symbols, no word"; bad=1; }
grep -q "symbols $work/nothing: No such file" "$work/err" || { cat "$work/err"; bad=1; }

printf 'help\ninfo\nquit\n' | "$PRESCIENT" -display none -serial null -S -monitor stdio >"$work/help" 2>/dev/null
sed -n 's/^\((prescient) \)*\([a-z][a-z|,?_-]*\) .*/\2/p; s/^\((prescient) \)*info \([a-z,]*\) .*/info \2/p' \
    "$work/help" | sed 's/?//; s/,$//; s/,/|/g; s/^info \(.*\)/info (\1)/' | sort -u >"$work/names"
[ "$(wc -l <"$work/names")" -gt 45 ] || { echo "the help lists only $(wc -l <"$work/names") commands"; bad=1; }
while read -r names; do
    grep -qhE "^> ($names)( |/|\$)" "$here"/*.talk "$here"/*.sh "$SRCDIR"/tests/boot/*.sh ||
        { echo "no conversation has the command $names"; bad=1; }
done <"$work/names"
exit $bad
