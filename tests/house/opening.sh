#!/bin/sh
# Every source file says in its first lines what it is, and carries the SPDX tag; scripts can be run.
# SPDX-License-Identifier: MIT
set -u
cd "$SRCDIR" || exit 1

"$SRCDIR"/tests/house/sources |
    grep -E '\.(c|h|S|def|ld|sh|mk)$|^(configure|quickstart|Makefile.in|\.ci/run)$' |
    {
        bad=0
        while read -r f; do
            head -n 12 "$f" | grep -q 'SPDX-License-Identifier: MIT' ||
                { echo "$f: no SPDX tag"; bad=1; }
            head -n 2 "$f" | grep -qE '/\*|//|^# ' || { echo "$f: no opening comment"; bad=1; }
            case $f in
            *.sh) [ -x "$f" ] || { echo "$f: not executable"; bad=1; } ;;
            esac
        done
        exit $bad
    }
