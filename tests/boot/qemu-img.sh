#!/bin/sh
# Disk images go both ways between the image tool and qemu-img: each checks and reads what the other
# has written.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/../common"
locker=
trap 'end $locker; rm -rf "$work"' EXIT
cd "$work" || exit 1
for tool in qemu-img qemu-io; do
    command -v $tool >/dev/null || skip "$tool is not installed (Debian: qemu-utils)"
done
fail()
{
    echo "$*"
    exit 1
}
run() # COMMAND...: must succeed
{
    "$@" >log 2>&1 || { cat log; fail "failed: $*"; }
}
img()
{
    run "$PRESCIENT" img "$@"
}

gone() # qemu-io
{
    ! kill -0 $locker 2>/dev/null
}

# Contents of all kinds: noise, text, holes.
{
    head -c 3000000 /dev/urandom
    seq 1 400000
} >raw
truncate -s 20M raw

for options in "" "-c" "-o cluster_size=512" "-c -o cluster_size=4K" "-c -o cluster_size=2M"; do
    img convert -y -O qcow2 $options raw ours
    run qemu-img check ours
    run qemu-img compare raw ours
    img convert -y ours back
    run cmp raw back
done
for options in "-c" "-o compat=0.10" "-o refcount_bits=1" "-o refcount_bits=64,cluster_size=1k" \
    "-o lazy_refcounts=on"; do
    run qemu-img convert -O qcow2 ${options} raw theirs
    img check theirs
    img convert -y theirs back
    run cmp raw back
done

# Each writes into the other's image, with an internal snapshot in it.
run qemu-img convert -c -O qcow2 raw theirs
run qemu-img snapshot -c first theirs
img create -y -b theirs top
run qemu-io -c 'write -P 1 1M 3M' -c 'discard 5M 1M' top
img convert -y top want
img commit top
run qemu-img check theirs
run qemu-img check top
run qemu-img compare want theirs
run qemu-img compare want top
run qemu-img snapshot -a first theirs
run qemu-img compare raw theirs
img check theirs

# What the tool says of an image, beside what qemu-img does.
run "$PRESCIENT" img info top
grep -qx 'format: qcow2' log && grep -qx 'size: 20 MiB (20971520 bytes)' log &&
    grep -qx 'cluster size: 65536 bytes' log && grep -qx 'backing file: theirs (qcow2)' log || fail "img info: $(cat log)"
run qemu-img info top
grep -q '20 MiB (20971520 bytes)' log && grep -q '^backing file: theirs' log || fail "qemu-img info: $(cat log)"
run "$PRESCIENT" img info raw
grep -qx 'format: raw' log || fail "img info of a raw image: $(cat log)"

# Sizes.
img create -y -f qcow2 ours 10M
img resize ours +6G
run qemu-img check ours
run qemu-io -c 'write -P 9 6G 1M' ours
img check ours
img resize --shrink ours 1G
run qemu-img check ours

# What qemu-img finds wrong is found, and mended.
img convert -y -O qcow2 raw ours
printf '\0\0\0\1\0\2' | dd of=ours bs=1 seek=$((131072 + 40)) conv=notrunc 2>/dev/null
"$PRESCIENT" img check ours >log
[ $? = 2 ] || fail "wrong reference counts were not found"
img check -r all ours
run qemu-img check ours
run qemu-img compare raw ours

# QEMU's lock keeps the tool out, as long as it has the image open.
mkfifo commands
qemu-io ours <commands >log 2>&1 &
locker=$!
exec 3>commands
echo 'read 0 512' >&3
await 60 grep -q 'read 512/512' log || fail "qemu-io has not opened the image: $(cat log)"
"$PRESCIENT" img resize ours +0 >said 2>&1 && fail "an image that QEMU writes to was taken"
grep -q 'in use' said || fail "said of a second use: $(cat said)"
echo quit >&3
await 60 gone || fail "qemu-io does not end"
img resize ours +0
