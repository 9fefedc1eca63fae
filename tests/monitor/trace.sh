#!/bin/sh
# Trace files of the demo kernel: the same run on both engines leaves the same file; what the reader
# makes of it; filters; files that are damaged.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

bad=0
say() { echo "$*"; bad=1; }
demo() # ENGINE FILE WHAT
{
    "$PRESCIENT" -display none -m 64 -serial null -engine "$1" -clock icount \
        -rtc base=2026-01-01T00:00:00 -kernel "$BUILD/roms/demo.elf" -append "keys=mcpdtq" \
        -trace "$work/$2,$3" >/dev/null 2>"$work/err" || { cat "$work/err"; say "no trace of $3"; }
}
read_trace() # FILE OPTION...
{
    file=$1
    shift
    "$PRESCIENT" trace "$@" "$work/$file" >"$work/text" || say "$file cannot be read"
}
has() { grep -qE "$1" "$work/text" || say "not in the text: $1"; }

kernel=range=0x100000..0x1fffff
for what in "int,io" "insn,mem,int,io,mmio,call,$kernel"; do
    demo interp a.tr "$what"
    for engine in checked auto; do
        demo $engine b.tr "$what"
        cmp -s "$work/a.tr" "$work/b.tr" || say "interpreter and $engine differ in $what"
    done
    read_trace a.tr
    case $what in
    int*)
        has '^ +k   write to port 70: 8f$'
        has '^ +[0-9]+ k software interrupt 0x15$'
        ;;
    esac
done
has '^ +[0-9]+ k #PF\(0x0002\), address 10000000: a page that is not present$'

has '^ +[0-9]+ k 00100010 <start> +cli'
has '^ +k   write 4 at [0-9a-f]+ <.*>: [0-9a-f]{8}$'
has '^ +k   write to device memory b8'
grep -qE '^ +[0-9]+ k 000' "$work/text" && say "instructions beyond the range"
# the count of each line is that of the line before and one, while nothing comes between
awk '/^ +[0-9]+ k [0-9a-f]+ </ { if (seen && $1 < last) wrong++; last = $1; seen = 1; n++ }
     END { exit !(n > 100000 && !wrong) }' "$work/text" || say "counts are out of order"
read_trace a.tr -tree
has '^ +[0-9]+ k kernel_main \{$'
has '^ +[0-9]+ k   console_init  [0-9]+ instructions, [0-9]+ ns$'
has '^ +[0-9]+ k +#DE: '

demo checked d.tr "int,io,cpl=3"
read_trace d.tr
[ -s "$work/text" ] && say "the demo kernel has no user code"

# from a snapshot on; one that was saved while something was listening
cat >"$work/talk" <<END
> lb kernel_main
> c
<kernel_main>
> savevm $work/main.snap
> trace on
> savevm $work/traced.snap
> quit
END
demo_start -engine checked
talk "$work/talk" || bad=1
demo_end
"$PRESCIENT" -display none -m 64 -serial null -engine checked -kernel "$BUILD/roms/demo.elf" -append keys=mcpdtq \
    -loadvm "$work/main.snap" -trace "$work/e.tr,call" >/dev/null 2>"$work/err" || say "no trace from a snapshot on"
read_trace e.tr -tree
has '^ +[0-9]+ k +console_init  [0-9]+ instructions'
"$PRESCIENT" -display none -m 64 -serial null -engine checked -kernel "$BUILD/roms/demo.elf" -append keys=mcpdtq \
    -loadvm "$work/traced.snap" >/dev/null 2>"$work/err" || say "the snapshot does not go on without a trace"

head -c 5000 "$work/a.tr" >"$work/short.tr"
"$PRESCIENT" trace "$work/short.tr" >/dev/null 2>"$work/err" && say "a file cut short passes"
grep -q 'cut short' "$work/err" || say "what is wrong with a short file?"
# damaged records are text, or an error, but no crash
for set in '\000-\017 \370-\377\200-\207' '\020-\177 \200-\357' '\200-\377 \000-\177' '\000-\376 \001-\377'; do
    gzip -dc "$work/a.tr" | head -c 18 >"$work/odd.tr"
    gzip -dc "$work/a.tr" | tail -c +19 | head -c 100000 | tr "${set% *}" "${set#* }" >>"$work/odd.tr"
    for how in "" -tree; do
        timeout $((60 * patience)) "$PRESCIENT" trace $how "$work/odd.tr" >/dev/null 2>&1
        [ $? -le 1 ] || say "damaged by $set: a crash"
    done
done
echo nonsense >"$work/nonsense.tr"
"$PRESCIENT" trace "$work/nonsense.tr" 2>"$work/err" >/dev/null && say "nonsense passes"
grep -q 'not a trace file' "$work/err" || say "what is wrong with nonsense?"
"$PRESCIENT" -trace "$work/x.tr,bogus" -display none 2>"$work/err" && say "bogus is an item"
grep -q '"bogus" is none of' "$work/err" || say "what is wrong with bogus?"
exit $bad
