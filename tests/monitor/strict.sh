#!/bin/sh
# The strict mode on both engines: tests/monitor/strict.S does what it is to tell of, at labels that say
# so, and what it must not tell of at others.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

bad=0
say() { echo "$*"; bad=1; }
told() # LABEL TEXT
{
    grep -qE "^strict: <$1(\+0x[0-9a-f]+)?>: .*$2" "$work/err" || say "not told of $1: $2"
}
for engine in interp checked direct auto; do
    "$PRESCIENT" -display none -m 64 -serial null -engine $engine -strict \
        -device isa-debug-exit,iobase=0x501 -kernel "$BUILD/tests/monitor/strict.elf" \
        >/dev/null 2>"$work/err"
    [ $? = 1 ] || say "the kernel did not end"
    told sin_port 'nobody is at port 0x1234'
    told sin_hole 'nobody is at physical address 0xe0000000'
    told sin_rom 'a write to ROM at physical address 0xfffffff0'
    told sin_vector 'master 8259: ICW2 0x08 puts interrupts onto .*exceptions'
    told sin_cascade 'master 8259: ICW3 0x02, but'
    told sin_mcs80 'master 8259: ICW4 0x00 selects the MCS-80 mode'
    told sin_order 'master 8259: 0x20 is written while ICW2 is awaited'
    told sin_eoi 'slave 8259: end of interrupt, but none is in service'
    told sin_half '8254: a control word for counter 0 after half of a count'
    told sin_one '8254: counter 0: a count of 1 is illegal in mode 2'
    told sin_flag 'je uses a flag that mul leaves undefined'
    told sin_overflow 'seto uses a flag that shl leaves undefined'
    told sin_beyond 'sets (may use|uses) a flag that mul .*leaves undefined'
    told sin_fork 'cmovs (may use|uses) a flag that mul .*leaves undefined'
    told sin_callee 'jp uses a flag that mul at sin_fork\+0x3 leaves undefined'
    told sin_returned 'js may use a flag that mul at multiply\+0x5 leaves undefined'
    told sin_pointer 'jp may use a flag that mul at multiply\+0x5 leaves undefined'
    told sin_twice 'sets may use a flag that mul at multiply\+0x5 leaves undefined'
    told sin_through 'jns uses a flag that mul at sin_twice\+0x3 leaves undefined'
    told sin_indirect 'setp may use a flag that mul at good_through\+0x7 leaves undefined'
    told sin_cr3 'CR3 0x00110020 has bits set that are reserved'
    told sin_moved 'page 00300000 is used after its entry was changed without INVLPG, from physical 000300000 to 000201000'
    told sin_cleared 'page 00300000 is used after its entry was cleared without INVLPG'
    told sin_read_only 'page 00300000 is used after rights were taken away without INVLPG'
    told sin_ahead 'page 00306000 is used after its entry was changed without INVLPG, from physical 000306000 to 000207000'
    told sin_kept 'page 00308000 is used after its entry was changed without INVLPG'
    grep -q '^strict: .*page 0030a000 is used after its entry was changed' "$work/err" || say "not told of code"
    grep '^strict: <good_' "$work/err" && say "told of what is good"
    # the instruction is under each line
    grep -A 1 '^strict: <sin_port' "$work/err" | grep -qE '^ +0010[0-9a-f]+:  ec +in al, dx$' ||
        say "which instruction?"
    # stopping there: first the firmware's, then this kernel's
    cat >"$work/talk" <<'END'
> on strict=maybe
^strict=maybe: stop or tell$
> c
^strict mode: .*, at [0-9a-f]{4}:[0-9a-f]{8}$
> lb start
> on strict=tell
> c
<start>
> on strict=stop
> c
^strict mode: nobody is at port 0x1234, at 0008:0010[0-9a-f]+ <sin_port\+0x5>$
^0008:0010[0-9a-f]+ <sin_hole>, protected mode, 32 bit$
> c
^strict mode: nobody is at physical address 0xe0000000, at 0008:0010[0-9a-f]+ <sin_hole>$
> c
^strict mode: a write to ROM at physical address 0xfffffff0, at 0008:0010[0-9a-f]+ <sin_rom>$
> c
^strict mode: master 8259: ICW2 0x08 puts interrupts onto .*, at 0008:0010[0-9a-f]+ <sin_vector\+0x2>$
^0008:0010[0-9a-f]+ <sin_cascade>,
> on strict=tell
> on triple-fault=reset
> cont
END
    "$PRESCIENT" -display none -m 64 -serial null -engine $engine -on strict=stop -S \
        -monitor "unix:$work/monitor" -device isa-debug-exit,iobase=0x501 \
        -kernel "$BUILD/tests/monitor/strict.elf" >"$work/out" 2>&1 </dev/null &
    pid=$!
    talk "$work/talk" || bad=1
    [ $bad = 0 ] && wait "$pid" # its socket is the next one's
    demo_end
    [ $bad = 0 ] || { echo "with -engine $engine"; cat "$work/err"; break; }
done
exit $bad
