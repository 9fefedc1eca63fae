#!/bin/sh
# Debian's kernel with its e1000 driver on the user network: DHCP, a file by TFTP, and 3 MB through a
# forwarded port.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

[ "${HAVE_SLIRP:-1}" = 1 ] || skip "this build has no user network"
command -v bash >/dev/null || skip "bash is not installed"
kernel_file 686
kernel=$file
initrd_with_modules 686 e1000
initrd=$file

mkdir "$work/tftp"
head -c 200000 /dev/urandom >"$work/tftp/file"
sum=$(md5sum <"$work/tftp/file" | cut -d' ' -f1)
free_port
guest_start -nographic -no-reboot -m 128 -kernel "$kernel" -initrd "$initrd" \
    -append 'console=ttyS0 panic=-1' \
    -nic "user,model=e1000,tftp=$work/tftp,hostfwd=tcp:127.0.0.1:$port-:80"
guest_wait 'prescient# ' 400
guest_type 'insmod /modules/e1000.ko && /lease eth0\n'
guest_wait 'dhcp: 10.0.2.15 router 10.0.2.2' 120
guest_type 'tftp -g -r file 10.0.2.2 && md5sum file\n'
guest_wait "$sum" 200
guest_type 'i=0; while [ $i -lt 15 ]; do cat file; i=$((i+1)); done >big; md5sum big; nc -l -p 80 <big\n'
guest_wait '^[0-9a-f]\{32\}  big' 120
fetched()
{
    bash -c "exec 3<>/dev/tcp/127.0.0.1/$port && cat <&3" >"$work/big" 2>/dev/null
    [ -s "$work/big" ]
}
await 120 fetched || fail "nothing came through the forwarded port"
for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do cat "$work/tftp/file"; done | cmp - "$work/big" ||
    fail "what came through the forwarded port differs"
guest_type 'poweroff -f\n'
guest_end 60
