#!/bin/sh
# Large pages and PAE as `page` and `info mem` show them, breakpoints for one address space and privilege
# level, the magic break, whether branches are taken, what a triple fault does, and where symbols come from:
# tests/monitor/pages.S on both engines.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

kernel=$BUILD/tests/monitor/pages.elf
bad=0
start() # OPTION...
{
    "$PRESCIENT" -display none -m 16 -serial null -monitor "unix:$work/monitor" -S "$@" >"$work/out" 2>&1 \
        </dev/null &
    pid=$!
}
cat >"$work/talk" <<'END'
> symbol magic
^001000[0-9a-f]+ magic$
> c
^xchg bx,bx: 0008:[0-9a-f]+ <magic>
# in this address space only, at this privilege level only, and if and when
> lb stop cr3 0x110000
> lb stop cr3 0x999000
> lb stop cpl 3
> lb stop cr3 0x112000 cpl 0 if eax == 7
> c
^breakpoint 1: 0008:[0-9a-f]+ <stop>
> page 0x200000
^00200000: CR3 00110000, 32-bit tables$
^  PDE   at 000110000: 0000000000000083 supervisor, writable|00000000000000e3 supervisor, writable, accessed, dirty
^  physical 000200000, page of 4096 KiB; kernel: read write execute; user: - - -$
> info mem
^00000000-003fffff 00400000 -rwx$
> c
^breakpoint 4: 0008:[0-9a-f]+ <stop>
> info break
^1 linear .*CR3 00110000, 1 hits$
^2 linear .*CR3 00999000, 0 hits$
^3 linear .*CPL 3, 0 hits$
^4 linear .*CPL 0, CR3 00112000, if eax == 7, 1 hits$
> page 0x100000
^00100000: CR3 00112000, PAE tables$
^  PDPTE at 000112000: 
^  PDE   at 000113000: 
page of 2048 KiB; kernel: read write execute; user: read write execute$
> page 0x200000
page of 2048 KiB; kernel: read - execute; user: - - -$
> info mem
^00000000-001fffff 00200000 urwx$
^00200000-003fffff 00200000 -r-x$
> lb taken
> c
^breakpoint 5: 0008:[0-9a-f]+ <taken>
je 0x[0-9a-f]+ .*; branch <missed> taken$
> step
jne 0x[0-9a-f]+ .*; branch <fatal> not taken$
> on triple-fault=stop
> c
^triple fault; the last exception: #GP
> info status
^paused
> quit
END
for engine in interp auto; do
    start -engine $engine -magic-break -kernel "$kernel"
    talk "$work/talk" || { echo "with -engine $engine"; bad=1; }
    demo_end
done

# a table of symbols, moved, and those of a multiboot module that is an ELF file
nm "$kernel" >"$work/System.map"
place=$(sed -n 's/ [tT] magic$//p' "$work/System.map")
strip -o "$work/stripped" "$kernel"
cat >"$work/talk" <<END
> symbol magic
^$(printf %08x $((0x$place + 0x1000))) magic\$
> symbol kernel_main
^00[0-9a-f]+ kernel_main
> quit
END
start -kernel "$work/stripped" -symbols "$work/System.map@0x1000" -initrd "$BUILD/roms/demo.elf"
talk "$work/talk" || bad=1
demo_end

# -on from the start
cat >"$work/talk" <<'END'
> c
^exception #PF\(0x0002\) at 0008:[0-9a-f]+ <fault_page\+0x
> quit
END
demo_start -on exception=14,stop
talk "$work/talk" || bad=1
demo_end
timeout $((60 * patience)) "$PRESCIENT" -display none -m 16 -serial null -kernel "$kernel" -on triple-fault=exit >"$work/out" 2>&1
[ $? = 1 ] || { echo "-on triple-fault=exit does not end with status 1"; bad=1; }
grep -q 'triple fault: the guest' "$work/out" || { echo "nothing is said of the triple fault"; bad=1; }
exit $bad
