#!/bin/sh
# Source lines of the demo kernel, which is built with them: they are those of the compiler's own tools.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

grep -q '^#define HAVE_DW 1$' "$BUILD/config.h" || { echo "built without libdw"; exit 77; }
command -v addr2line >/dev/null || { echo "addr2line is not installed"; exit 77; }
cat >"$work/talk" <<'END'
> lb console_put
breakpoint 1
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
talk "$work/talk" && exit 0
exit 1
