#!/bin/sh
# Files stay below 800 lines and functions below 100 (tables in .def files aside; a flat switch may
# be longer if tests/house/long-functions.txt names it), and nine functions in ten below 40.
# SPDX-License-Identifier: MIT
set -u
cd "$SRCDIR" || exit 1

files=$("$SRCDIR"/tests/house/sources | grep -E '\.(c|h|S|sh)$|^(configure|quickstart|Makefile.in)$')
code=$(printf '%s\n' "$files" | grep -E '\.[ch]$')
bad=0
for f in $files; do
    n=$(wc -l <"$f")
    [ "$n" -le 800 ] || { echo "$f: $n lines"; bad=1; }
done
# The opening brace of a function stands alone in column one, and so does the closing one.
[ -z "$code" ] || awk -v allowed="$(grep -v '^#' tests/house/long-functions.txt | tr '\n' ' ')" '
    FNR == 1 { start = 0 }
    /^[a-zA-Z_].*\(/ && !/;$/ { name = $0; sub(/\(.*/, "", name); sub(/.*[ *]/, "", name) }
    /^\{$/ { start = FNR }
    /^\}$/ && start {
        n = FNR - start - 1
        total++
        if (n >= 40) over++
        if (n > 100 && index(" " allowed " ", " " FILENAME ":" name " ") == 0) {
            print FILENAME ": " name " has " n " lines"
            bad = 1
        }
        start = 0
    }
    END {
        printf "%d functions, %d of 40 lines or more\n", total, over
        if (over * 10 > total) { print "more than one in ten is long"; bad = 1 }
        exit bad
    }' $code || bad=1
exit $bad
