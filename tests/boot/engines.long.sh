#!/bin/sh
# The boot tests again on every engine but the default one.
# SPDX-License-Identifier: MIT
set -u
here=$(dirname "$0")
failed=0
for ENGINE in interp checked direct; do
    export ENGINE
    for test in bios floppy linux-686 linux-686-pae linux-disk linux-cd linux-floppy grub ipxe; do
        sh "$here/$test.sh" >"$BUILD/engines.log" 2>&1
        status=$?
        case $status in
        0) echo "pass $ENGINE $test" ;;
        77) echo "skipped $ENGINE $test: $(tail -n 1 "$BUILD/engines.log")" ;;
        *)
            failed=1
            tail -n 5 "$BUILD/engines.log"
            echo "FAIL $ENGINE $test"
            ;;
        esac
    done
done
exit $failed
