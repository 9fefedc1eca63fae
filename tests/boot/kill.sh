#!/bin/sh
# The emulator is killed (SIGKILL) again and again while a guest writes to a qcow2 disk: the image checks clean, for
# qemu-img too, and holds what the guest (tests/boot/kill.S) had flushed. KILLS: how often.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

sectors=4104
number() # N: as printf's escapes for its four bytes
{
    printf '\\%03o\\%03o\\%03o\\%03o' $(($1 & 255)) $(($1 >> 8 & 255)) $(($1 >> 16 & 255)) $(($1 >> 24 & 255))
}
# The first number of each sector of the image.
stamps()
{
    "$PRESCIENT" img convert -y -O raw "$work/disk.qcow2" "$work/raw" || fail "img convert"
    od -An -v -tu4 -w512 "$work/raw" | awk '{ for (n = 2; n <= NF; n++) if ($n != $1) $1 = "torn"; print $1 }'
}
# What must be there: each sector as before, or as the last flushed stamp left it, or as a later one did.
judge() # FIRST FLUSHED
{
    paste "$work/before" "$work/now" | awk -v first="$1" -v flushed="$2" '
        function place(stamp) { return int(stamp * 40503 % 4294967296 / 256) % 4096 }
        { before[NR - 1] = $1; now[NR - 1] = $2; if ($2 > most) most = $2 }
        END {
            for (s = first + 1; s <= most || s <= flushed; s++)
                for (n = place(s); n <= place(s) + s % 8; n++) {
                    if (s <= flushed) before[n] = s
                    else may[n, s] = 1
                }
            for (n = 0; n < NR; n++)
                if (now[n] != before[n] && !((n, now[n]) in may)) {
                    print "sector " n " holds " now[n] " instead of " before[n] "; flushed: " flushed
                    exit 1
                }
            print most - first, "written," flushed - first, "flushed"
        }'
}

stamp=0 lost=0 all=0 round=0
while [ $round -lt "${KILLS:-16}" ]; do
    if [ $((round % 8)) = 0 ]; then # a new image: cluster sizes, and every other one on another image
        rm -f "$work/disk.qcow2" "$work/base.qcow2"
        set -- $((512 << round / 8 % 8))
        if [ $((round / 8 % 2)) = 0 ]; then
            "$PRESCIENT" img create -f qcow2 -o cluster_size=$1 "$work/disk.qcow2" $((sectors * 512)) || fail create
        else
            cp "$work/last.qcow2" "$work/base.qcow2"
            "$PRESCIENT" img create -o cluster_size=$1 -b base.qcow2 "$work/disk.qcow2" || fail create
        fi
        stamps >"$work/before"
    fi
    cp "$BUILD/tests/boot/kill.img" "$work/floppy"
    chmod 600 "$work/floppy"
    truncate -s 1440K "$work/floppy"
    printf "$(number $stamp)" | dd of="$work/floppy" bs=1 seek=4 conv=notrunc 2>/dev/null
    : >"$work/flushed"
    "$PRESCIENT" -display none -nic none -m 16 -boot a -fda "$work/floppy" -hda "$work/disk.qcow2" \
        -debugcon "file:$work/flushed" >"$out" 2>&1 &
    guest_pid=$!
    await 120 grep -q '^[0-9][0-9]*$' "$work/flushed" || fail "the guest does not write"
    sleep "0.0$((round * 37 % 100))"
    kill -9 $guest_pid
    wait $guest_pid 2>/dev/null
    guest_pid=
    flushed=$(grep '^[0-9][0-9]*$' "$work/flushed" | tail -n 2 | head -n 1) # the last line may be cut short
    grep -q '~' "$work/flushed" && fail "the guest's disk failed"
    "$PRESCIENT" img check "$work/disk.qcow2" >"$work/said" 2>&1
    case $? in
    0) ;;
    3) lost=$((lost + 1)) ;; # clusters only, until the next writer opens the image
    *) fail "kill $round: the image is damaged: $(cat "$work/said")" ;;
    esac
    if command -v qemu-img >/dev/null; then
        qemu-img check "$work/disk.qcow2" >"$work/said" 2>&1
        case $? in
        0 | 3) ;;
        *) fail "kill $round: qemu-img: $(cat "$work/said")" ;;
        esac
    fi
    stamps >"$work/now"
    judge $stamp "$flushed" >"$work/said" || fail "kill $round: $(cat "$work/said")"
    all=$((all + flushed - stamp))
    stamp=$(sort -n "$work/now" | tail -n 1)
    [ "$stamp" -ge "$flushed" ] || stamp=$flushed
    stamp=$((stamp + 1000)) # beyond whatever was under way
    mv "$work/now" "$work/before"
    cp "$work/disk.qcow2" "$work/last.qcow2"
    round=$((round + 1))
done
echo "$round killed, $lost of them with clusters lost; $all writes had been flushed"
"$PRESCIENT" -display none -nic none -limit 1 -hda "$work/disk.qcow2" >"$work/said" 2>&1 || fail "a writer: $(cat "$work/said")"
image_agrees "$work/disk.qcow2"
