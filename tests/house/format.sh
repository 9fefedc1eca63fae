#!/bin/sh
# The source is laid out as .clang-format says ('make format' does it) and fits in 100 columns.
# SPDX-License-Identifier: MIT
set -u
cd "$SRCDIR" || exit 1

bad=0
for f in $("$SRCDIR"/tests/house/sources | grep -E '\.[ch]$'); do
    awk -v f="$f" 'length > 100 { print f ":" FNR ": " length " columns"; bad = 1 }
        END { exit bad }' "$f" || bad=1
done
[ $bad = 0 ] || exit 1
# Other versions lay out a few things in another way.
clang-format --version 2>/dev/null | grep -q ' version 14\.' || {
    echo "clang-format 14 is not installed"
    exit 77
}
make -s -C "$BUILD" format-check
