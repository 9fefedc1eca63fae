#!/bin/sh
# Two machines' clocks beside the host's, for DRIFT_SECONDS (an hour): one guest counts by the time-stamp counter, one
# by the timer interrupts of the 8254, none of which may be lost. DRIFT_LOAD programs keep the host busy.
# Limit: 4500 s
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

seconds=${DRIFT_SECONDS:-3600}
load=${DRIFT_LOAD:-$(nproc)}
kernel_file 686
kernel=$file
initrd_file
initrd=$file

while [ "$load" -gt 0 ]; do
    nice sh -c 'while :; do :; done' &
    others="$others $!"
    load=$((load - 1))
done

# Each line of the guest behind the host's time in seconds, which no step of its calendar moves.
stamp()
{
    while IFS= read -r line; do
        read -r now rest </proc/uptime
        printf '%s %s\n' "$now" "$line"
    done
}

machine() # NAME, WORDS FOR THE KERNEL
{
    mkfifo "$work/$1.in" "$work/$1.out"
    stamp <"$work/$1.out" >"$work/$1" &
    others="$others $!"
    "$PRESCIENT" ${ENGINE:+-engine "$ENGINE"} -nographic -no-reboot -m 128 -nic none -kernel "$kernel" \
        -initrd "$initrd" -append "console=ttyS0 panic=-1 $2" <"$work/$1.in" >"$work/$1.out" 2>&1 &
    guest_pid=$!
    others="$others $guest_pid"
    exec 3>"$work/$1.in"
    out=$work/$1
    waited=0
    guest_wait Welcome 400
    guest_type '\nwhile :; do echo "ti""me $(cat /proc/uptime) $(cat /sys/class/rtc/rtc0/since_epoch)"; sleep 10; done\n'
    guest_wait ' time [0-9]' 60
    grep -a "$3" "$out" | tail -n 1
}
machine tsc '' 'clocksource: Switched to clocksource'
machine pit 'notsc nolapic hpet=disable acpi=off clocksource=refined-jiffies nohz=off highres=off' \
    'clocksource: Switched to clocksource'

left=$seconds
while [ "$left" -gt 0 ]; do
    sleep 10
    left=$((left - 10))
    for name in tsc pit; do
        tail -n 1 "$work/$name" >>"${DRIFT_LOG:-/dev/null}"
    done
done

# A line comes late by what the guest and this script had to wait, never early: of each minute the least
# difference counts.
for name in tsc pit; do
    tr -d '\r' <"$work/$name" | awk -v name=$name -v least="$((seconds / 20))" '
    $2 == "time" && NF == 5 {
        late = $1 - $3
        real = $1 - $5
        if (n % 6 == 0) { minute++; lates[minute] = late; reals[minute] = real }
        if (late < lates[minute]) lates[minute] = late
        if (real < reals[minute]) reals[minute] = real
        n++
    }
    END {
        for (i = 1; i < minute; i++) { # the last may be a short one
            drift = lates[i] - lates[1]; if (drift < 0) drift = -drift
            if (drift > worst) worst = drift
            drift = reals[i] - reals[1]; if (drift < 0) drift = -drift
            if (drift > worst_rtc) worst_rtc = drift
        }
        printf "%s: %d lines, %d minutes; the clock drifted by %.2f s at most, the RTC by %.2f s\n", \
            name, n, minute, worst, worst_rtc
        exit !(n >= least && minute > 1 && worst < 0.25 && worst_rtc < 1.1)
    }' || failed="${failed:-} $name"
done
[ -z "${failed:-}" ] || fail "the clock drifts:$failed"
