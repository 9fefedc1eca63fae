#!/bin/sh
# The monitor on a terminal: completion, editing keys, history.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

command -v script >/dev/null || { echo "script (bsdutils) is not installed"; exit 77; }
# "info status" by completion; "p 6*7" with a digit put in; "p 0x15" twice by history; a symbol
printf 'inf\tstatu\t\rp 6*\033[D\033[C7\rp 0x5\033[D1\r\033[A\rp /x kernel_m\t\rquit\r' >"$work/keys"
timeout 60 script -qec "$PRESCIENT -display none -m 16 -serial null -monitor stdio -S \
    -kernel $BUILD/roms/demo.elf" /dev/null <"$work/keys" >"$work/out" 2>&1
tr -d '\r' <"$work/out" >"$work/text"
bad=0
has() # COUNT REGEX
{
    [ "$(grep -cE "$2" "$work/text")" = "$1" ] || { echo "not $1 times: $2"; bad=1; }
}
has 1 '^paused; 0 instructions$'
has 1 '^0x2a$'
has 2 '^0x15$'
has 1 '<kernel_main>$'
[ $bad = 0 ] || cat -v "$work/text"
exit $bad
