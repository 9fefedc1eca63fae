#!/bin/sh
# gdb drives a Linux that boots: a breakpoint at a kernel symbol that is found without any symbol file,
# a thousand steps, a watchpoint; then Linux goes on as if nothing had been.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

command -v gdb >/dev/null || skip "gdb is not installed"
kernel_file 686-pae
kernel=$file
initrd_file
guest_start -engine auto -display none -serial stdio -m 128 -kernel "$kernel" -initrd "$file" \
    -append "console=ttyS0" -no-reboot -gdb "unix:$work/gdb"
guest_wait 'prescient# ' 240
# processes that end, one after the other
guest_type 'while /bin/busybox true; do :; done &\n'
gdb_session "$boot/gdb-linux.gdb" -ex 'set architecture i386'
grep -q '^the session is over$' "$work/session" || { tail -n 20 "$work/session"; fail "no end of the session"; }
# what gdb stopped at is what the guest's own symbol table calls do_exit
symbol=$(sed -n 's/^\([0-9a-f]*\) do_exit$/\1/p' "$work/session" | head -n 1)
[ -n "$symbol" ] && grep -q "^stopped at $symbol\$" "$work/session" ||
    { tail -n 20 "$work/session"; fail "not stopped at do_exit"; }
grep -q '^instructions: 1000$' "$work/session" || fail "a thousand steps are not a thousand instructions"
guest_type 'kill $!; echo goes-$((1))-on\n'
guest_wait 'goes-1-on' 120
