#!/bin/sh
# The monitor on a terminal: completion, editing keys, history; on the serial console's terminal.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

command -v script >/dev/null || skip "script (bsdutils) is not installed"
edit=$(sed -n 's/^#define HAVE_EDIT //p' "$BUILD/config.h")
bad=0
keys() # KEYS OPTION...: types them at a terminal
{
    printf "$1" >"$work/keys"
    shift
    TERM=xterm timeout $((60 * patience)) script -qec "$PRESCIENT -display none -m 16 -S \
        -kernel $BUILD/roms/demo.elf $*" /dev/null <"$work/keys" >"$work/out" 2>&1
    tr -d '\r' <"$work/out" >"$work/text"
}
has() # COUNT REGEX
{
    [ "$(grep -cE "$2" "$work/text")" = "$1" ] || { echo "not $1 times: $2, in"; cat -v "$work/text"; bad=1; }
}

if [ "$edit" = 1 ]; then
    # "info status" by completion; "p 6*7" with a digit put in; "p 0x15" twice by history; a symbol
    keys 'inf\tstatu\t\rp 6*\033[D\033[C7\rp 0x5\033[D1\r\033[A\rp /x kernel_m\t\rp co\t\rquit\r' \
        -serial null -monitor stdio
    has 1 '^paused; 0 instructions'
    has 1 '^0x2a$'
    has 2 '^0x15$'
    has 1 '<kernel_main>$'
    has 1 'console_init  console_put .*'
fi
# what every build understands: letters and the backspace key; the line survives Ctrl-A c
keys '\001cp 6*8\177\001c\001c7\rquit\r' -nographic
has 1 '^0x2a$'
has 2 '^monitor; Ctrl-A c leads back'
exit $bad
