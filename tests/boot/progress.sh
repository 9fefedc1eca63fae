#!/bin/sh
# Progress bars: on a terminal (of script's making) for converting, checking and committing images and for
# saving and loading snapshots; wiped at the end; none where standard error is no terminal.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

command -v script >/dev/null || skip "script is not installed (Debian: bsdutils)"
cd "$work" || exit 1

on_terminal() # COMMAND, its input from the caller's: what the terminal got is in `seen`
{
    timeout $((120 * patience)) script -qec "$1" /dev/null >seen || fail "$1: status $?: $(cat seen)"
}

# The bar has grown from nothing to all, and nothing is left of it.
bar() # WHAT
{
    tr '\r' '\n' <seen >lines
    grep -aq "^$1 \[ \{40\}\]   0.0 %" lines || fail "$1: no empty bar: $(cat -v seen)"
    grep -aq "^$1 \[#\{40\}\] 100.0 %" lines || fail "$1: no full bar: $(cat -v seen)"
    grep -aq "$(printf '^\033\\[K')" lines || fail "$1: the bar is not wiped: $(cat -v seen)"
}

quiet() # COMMAND
{
    sh -c "$1" >said 2>&1 </dev/null || fail "$1: $(cat said)"
    ! grep -aq '\[#* *\]' said || fail "$1: a bar without a terminal: $(cat -v said)"
}

head -c 20000000 /dev/urandom >raw.img
on_terminal "$PRESCIENT img convert -O qcow2 raw.img a.qcow2" </dev/null
bar converting
quiet "$PRESCIENT img convert -y -O qcow2 raw.img a.qcow2"
on_terminal "$PRESCIENT img check a.qcow2" </dev/null
bar checking
quiet "$PRESCIENT img create -b a.qcow2 b.qcow2"
on_terminal "$PRESCIENT img commit b.qcow2" </dev/null
bar committing

machine="$PRESCIENT -display none -serial null -m 16 -S -monitor stdio -drive file=a.qcow2"
printf 'savevm one\nquit\n' | on_terminal "$machine"
bar saving
[ -s one.snap ] || fail "no snapshot"
printf 'loadvm one\nquit\n' | on_terminal "$machine"
bar loading
quiet "printf 'savevm one\\nloadvm one\\nquit\\n' | $machine"
