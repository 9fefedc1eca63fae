#!/bin/sh
# What a booted Debian kernel costs the host beside the guest's RAM: under 64 MiB at default options
# (the parts of shared pages that are the program's, from smaps).
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

nm "$PRESCIENT" | grep -q __asan_init && skip "sanitizers keep memory of their own"
initrd_file
initrd=$file
kernel_file 686
guest_start -nographic -no-reboot -m 512 -kernel "$file" -initrd "$initrd" \
    -append "console=ttyS0 panic=-1"
guest_wait 'prescient# ' 300
awk '/^[0-9a-f]+-[0-9a-f]+ / { ram = /guest-ram/ }
     /^Pss:/ { if (ram) guest += $2; else rest += $2 }
     END { print int(guest / 1024), int(rest / 1024) }' "/proc/$guest_pid/smaps" >"$work/mib" ||
    fail "no smaps"
read -r guest rest <"$work/mib"
echo "resident: $guest MiB of guest RAM, $rest MiB beside it"
[ "$guest" -gt 20 ] || fail "the guest's RAM was not found in smaps"
[ "$rest" -lt 64 ] || fail "$rest MiB beside the guest's RAM"
guest_type 'poweroff -f\n'
guest_end 60
