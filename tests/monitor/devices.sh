#!/bin/sh
# The monitor's view of the board: PCI, interrupt controllers, drives whose media are changed, and what
# `show` and `trace` tell on standard error.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

truncate -s 1474560 "$work/a.img" "$work/b.img" "$work/c.img"
truncate -s 20M "$work/large.img"
sed "s|WORK|$work|" "$SRCDIR/tests/monitor/devices.talk" >"$work/talk"
bad=0
for engine in interp checked direct; do
    demo_start -engine $engine -fda "$work/a.img"
    talk "$work/talk" || bad=1
    demo_end
    grep -qE '^ +[0-9]+ 0008:[0-9a-f]+ <.*>.*: .*: +e8 .* call .*<[a-z_]+>' "$work/out" || { echo "no calls"; bad=1; }
    [ "$(grep -cE '^ +[0-9]+ [0-9a-f]{8}: ' "$work/out")" = 3 ] || { echo "trace on: not three lines"; bad=1; }
    grep -qE '<.*>.*: #PF, .*address 10000000: a page that is not present; ' "$work/out" || { echo "no exception"; bad=1; }
    [ $bad = 0 ] || { echo "with -engine $engine"; head -n 40 "$work/out"; break; }
done
exit $bad
