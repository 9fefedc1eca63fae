#!/bin/sh
# Every cause of an exception that cpu/ gives is one that a test provokes: a row of the tables in
# tests/unit/test_causes_*.c. Causes are the texts that raising functions and 'why' take or return.
# SPDX-License-Identifier: MIT
set -u
cd "$SRCDIR" || exit 1

# Statements on one line each, and adjacent literals joined.
statements()
{
    cat "$@" | tr '\n' ' ' | sed 's/" *"//g' | tr ';{}' '\n\n\n'
}
# cpu/explain.c tells them and cpu/gen_decode.c is no part of the CPU.
causes=$(statements $(ls cpu/*.[ch] | grep -vE '^cpu/(explain|gen_decode)\.c$') |
    grep -E 'raise|require_|msr_find|why|pdpte|\breturn\b' | grep -oE '"[^"]+"' | grep ' ' | sort -u)
told=$(statements tests/unit/test_causes_*.c | grep -oE '\.text = "[^"]+"' | cut -c9- | sort -u)
# More than a hundred, or this does not find them any more.
[ "$(printf '%s\n' "$causes" | wc -l)" -gt 100 ] || { echo "few causes are found in cpu/"; exit 1; }
bad=0
IFS='
'
for text in $causes; do
    printf '%s\n' "$told" | grep -qxF -e "$text" && continue
    echo "no test provokes $text"
    bad=1
done
exit $bad
