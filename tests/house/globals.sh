#!/bin/sh
# No writable data at file scope: whatever changes lives in a struct that is passed around.
# tests/house/globals.txt names the exceptions as object:symbol, with the reason in a comment.
# SPDX-License-Identifier: MIT
set -u
cd "$BUILD" || exit 1

grep -q '^SANITIZE := .*-fsanitize' Makefile && {
    echo "a sanitized build adds data of its own"
    exit 77
}
find cpu mmu translate hw frontend -name '*.o' 2>/dev/null |
    {
        bad=0
        while read -r o; do
            [ -f "$SRCDIR/${o%.o}.c" ] || continue
            for s in $(objdump -t "$o" | awk '
                $(NF-2) ~ /^(\.t?data|\.t?bss|\*COM\*)/ && $(NF-2) !~ /^\.data\.rel\.ro/ &&
                $NF !~ /^\./ { print $NF }'); do
                grep -qx "${o%.o}:${s%%.*}" "$SRCDIR/tests/house/globals.txt" && continue
                echo "${o%.o}.c: writable data '${s%%.*}'"
                bad=1
            done
        done
        exit $bad
    }
