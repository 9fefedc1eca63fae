#!/bin/sh
# Source lines of the demo kernel, which is built with them: they are those of the compiler's own tools.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

grep -q '^#define HAVE_DW 1$' "$BUILD/config.h" || skip "built without libdw"
command -v addr2line >/dev/null || skip "addr2line is not installed"
cat >"$work/talk" <<'END'
> lb console_put
^breakpoint 1 at [0-9a-f]+ <console_put> console\.c:LINE$
> lb main.c:16
^breakpoint 2 at 00[0-9a-f]+ <kernel_main\+0x[0-9a-f]+> main\.c:16$
> lb paging.c:1 if eax == 0
^breakpoint 3 at 00[0-9a-f]+ <[a-z_]+(\+0x[0-9a-f]+)?> paging\.c:[0-9]+$
> info break
^2 linear 00[0-9a-f]+ <kernel_main\+0x[0-9a-f]+> main\.c:16,
^3 linear .* paging\.c:[0-9]+, if
> delete 3
> lb main.c:9999
^there is no code at line 9999 of main\.c$
> lb nowhere.c:1
^there is no code at line 1 of nowhere\.c$
> lb main.c:x
^main\.c: which line\?$
> lb main.c:0
^main\.c: which line\?$
> c
^breakpoint 2: 0008:[0-9a-f]+ <kernel_main\+0x[0-9a-f]+> main\.c:16,
> u /1 main.c:16
^[0-9a-f]+: .* call .*<interrupt_init>$
> c
^breakpoint 1: 0008:[0-9a-f]+ <console_put> console\.c:LINE,
> print-stack 1
<[a-z_]+\+0x[0-9a-f]+> [a-z]+\.c:[0-9]+$
> quit
END
place=$(nm "$BUILD/roms/demo.elf" | sed -n 's/ [Tt] console_put$//p')
line=$(addr2line -e "$BUILD/roms/demo.elf" "0x$place" | sed 's/.*:\([0-9]*\).*/\1/')
sed -i "s/LINE/$line/" "$work/talk"
demo_start
talk "$work/talk" || exit 1
demo_end
# a kernel that was built without
cat >"$work/talk" <<'END'
> lb main.c:16
^no source lines are known: no file of symbols has any \(-symbols\)$
> info break
^there are none$
> quit
END
"$PRESCIENT" -display none -serial null -monitor "unix:$work/monitor" -S \
    -kernel "$BUILD/tests/monitor/strict.elf" >/dev/null 2>&1 </dev/null &
pid=$!
talk "$work/talk"
