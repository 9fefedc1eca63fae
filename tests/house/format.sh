#!/bin/sh
# The source is laid out as .clang-format says ('make format' does it) and fits in 100 columns.
# Strict where CI=true; elsewhere work in progress is told of and skipped.
# SPDX-License-Identifier: MIT
set -u
cd "$SRCDIR" || exit 1

code=$("$SRCDIR"/tests/house/sources | grep -E '\.[ch]$')
# Tables between 'clang-format off' and 'on' may be as wide as they need.
wide=$(awk '
    FNR == 1 || /clang-format on/ { table = 0 }
    /clang-format off/ { table = 1 }
    length > 100 && !table { print FILENAME ":" FNR ": " length " columns" }' $code)
crooked=
# Other versions lay out a few things in another way.
if clang-format --version 2>/dev/null | grep -q ' version 14\.'; then
    crooked=$(clang-format --dry-run $code 2>&1 | grep -o '^[^ ]*: warning: code should be' | cut -d: -f1 |
        sort | uniq -c)
fi
[ -z "$wide$crooked" ] && exit 0
[ -z "$wide" ] || printf '%s\n' "$wide"
[ -z "$crooked" ] || printf 'places to lay out anew:\n%s\n' "$crooked"
[ "${CI:-}" = true ] && exit 1
echo "to be laid out with 'make format': $(printf '%s\n' "$wide$crooked" | grep -c .) places"
exit 77
