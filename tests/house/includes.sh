#!/bin/sh
# Who may include whom: each folder's right, one line each, as docs/architecture.md draws it.
# SPDX-License-Identifier: MIT
set -u
cd "$SRCDIR" || exit 1

leaf='cpu/(base|clock|state)\.h'
bad=0
allow() # FILES... -- REGEX: the quoted includes of these files must match
{
    regex=$1
    shift
    for f in "$@"; do
        [ -f "$f" ] || continue
        wrong=$(sed -nE 's/^[ \t]*#[ \t]*include[ \t]+"([^"]+)".*/\1/p' "$f" |
            grep -vE "^($regex)\$") || continue
        for w in $wrong; do
            echo "$f may not include $w"
        done
        bad=1
    done
}
others() # FOLDER EXCLUDED: its sources, without those named
{
    find "$1" -name '*.[chS]' 2>/dev/null | grep -vE "^($2)\$"
}

allow "$leaf" $(ls cpu/base.[ch] cpu/clock.[ch] cpu/state.[ch] 2>/dev/null)
allow "$leaf|mmu/.*" $(others mmu -)
allow "$leaf|mmu/.*|cpu/.*" $(others cpu "$leaf")
allow "$leaf|mmu/.*|cpu/.*|translate/.*" $(others translate -)
allow "$leaf|mmu/physmem\.h|hw/.*" $(others hw 'hw/pc\.c')
allow "$leaf|mmu/.*|cpu/.*|hw/.*" hw/pc.c
allow "config\.h|mmu/.*|cpu/.*|translate/.*|hw/.*|frontend/.*" $(others frontend -)

# An outside library stays behind one file.
for lib in capstone 'libelf|gelf' 'SDL|SDL2/' zlib slirp elfutils histedit; do
    users=$(grep -lE "#[ \t]*include[ \t]*<($lib)" -r cpu mmu translate hw frontend 2>/dev/null)
    if [ "$(printf '%s' "$users" | grep -c .)" -gt 1 ]; then
        echo "more than one file includes <$lib>:" $users
        bad=1
    fi
done
exit $bad
