#!/bin/sh
# Every header compiles alone, with each compiler that is installed.
# SPDX-License-Identifier: MIT
set -u
cd "$BUILD" || exit 1

bad=0
# Without SDL its headers may be missing too.
[ "${HAVE_SDL:-1}" = 1 ] && left_out='^$' || left_out='^frontend/sdl_'
for cc in gcc clang; do
    command -v $cc >/dev/null 2>&1 || continue
    for f in $("$SRCDIR"/tests/house/sources | grep -E '^(cpu|mmu|translate|hw|frontend)/.*\.h$' |
        grep -v "$left_out"); do
        # An empty file that includes it, so that no 'main file' warnings come up.
        printf '#include "%s"\n' "$f" |
            $cc $TEST_CFLAGS -fsyntax-only -x c - || { echo "$f does not compile alone ($cc)"; bad=1; }
    done
done
exit $bad
