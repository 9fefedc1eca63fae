#!/bin/sh
# Every source file passes the compilers that are installed, not only the one that builds. Files that
# have passed are not looked at again until they or a header change.
# SPDX-License-Identifier: MIT
set -u
cd "$BUILD" || exit 1

passed=$BUILD/compilers.passed
folders='cpu mmu translate hw frontend tests/unit tests/fuzz tests/bench'
new=
if [ -e "$passed" ] && [ ! build.flags -nt "$passed" ] && [ -z "$(cd "$SRCDIR" &&
    find $folders \( -name '*.[hS]' -o -name '*.def' \) -newer "$passed")" ]; then
    new="-newer $passed"
fi
files=$(cd "$SRCDIR" && find $folders -name '*.c' $new)
touch "$passed.now"
for cc in gcc clang; do
    case $CC in
    *$cc*) continue ;;
    esac
    [ -n "$files" ] && command -v $cc >/dev/null 2>&1 || continue
    printf "$SRCDIR/%s\n" $files | xargs -n 8 -P 2 $cc $TEST_CFLAGS -fsyntax-only ||
        { echo "$cc does not take it"; exit 1; }
done
mv "$passed.now" "$passed"
