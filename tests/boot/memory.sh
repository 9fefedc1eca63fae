#!/bin/sh
# What a booted Debian kernel costs the host beside the guest's RAM: under 64 MiB at default options
# (the parts of shared pages that are the program's, from smaps). And what the translator's code and
# all that goes with it take beside the guest's code, of which few pages have a map; where every
# access is checked it takes more, and where all is interpreted there is none.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

nm "$PRESCIENT" | grep -q __asan_init && skip "sanitizers keep memory of their own"
initrd_file
initrd=$file
kernel_file 686
figures="-d translate -D $work/figures"
[ "${ENGINE:-auto}" = interp ] && figures=
guest_start -nographic -no-reboot -m 512 -kernel "$file" -initrd "$initrd" \
    -append "console=ttyS0 panic=-1" $figures
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
[ "$figures" ] || exit 0
bytes() { awk -v what="$1" 'index($0, what) { print $1 }' "$work/figures"; }
code=$(bytes "bytes of guest code in these blocks")
all=$(bytes "bytes of all that")
maps=$(bytes "for maps of pages with code")
echo "for $code bytes of code: $all bytes, $maps of them for maps of pages with code"
tenths=32
[ "${ENGINE:-auto}" = checked ] && tenths=120
[ "$code" -gt 100000 ] && [ "$all" -lt $((code * tenths / 10)) ] || fail "$all bytes for $code"
[ "$maps" -lt 150000 ] || fail "$maps bytes of maps of pages with code"
