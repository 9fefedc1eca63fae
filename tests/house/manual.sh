#!/bin/sh
# The manual page has an entry for each option that -help shows, and for no other.
# SPDX-License-Identifier: MIT
set -u
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

"$PRESCIENT" -help | sed -n 's/^  -\([A-Za-z-]*\).*/\1/p' | sort -u >"$work/shown"
# The line behind .TP names what the entry is about.
sed -n '/^\.SH OPTIONS/,/^\.SH IMAGE/{/^\.TP/{n;s/\\-/-/g;p}}' "$SRCDIR/docs/prescient.1" |
    grep -o '[ ,"]-[A-Za-z-]*' | sed 's/.-//' | sort -u >"$work/explained"
[ -s "$work/shown" ] || { echo "-help shows no option"; exit 1; }
diff "$work/shown" "$work/explained"
