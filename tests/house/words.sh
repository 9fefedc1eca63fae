#!/bin/sh
# No notes to self and no paths of one person's machine in the tree.
# SPDX-License-Identifier: MIT
set -u
cd "$SRCDIR" || exit 1

files=$("$SRCDIR"/tests/house/sources | grep -v '^tests/house/')
bad=0
grep -nE '\b(TODO|FIXME|XXX|HACK)\b' $files && { echo "finish it or say why it is so"; bad=1; }
grep -nE '(^|[^[:alnum:]])/(work|home|Users)/|/tmp/(wt|tools|guests)\b' $files &&
    { echo "a path of one machine"; bad=1; }
exit $bad
