#!/bin/sh
# What the user gets wrong: files that are missing, empty, cut off or of another kind, impossible
# values, ports that are taken, no display. Each time one line on standard error that names it,
# status 1, and no file made, changed or lost.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

mkdir "$work/d" && cd "$work/d" || exit 1
mkdir folder
: >empty
mkfifo fifo
printf 'not an image' >short
head -c 70000 "$PRESCIENT" >odd
# A Linux header whose setup code the file does not hold, one that is too old, and too large a zImage.
header() # FILE SETUP-SECTORS VERSION LOADFLAGS SIZE
{
    truncate -s "$5" "$1"
    printf "$2" | dd of="$1" bs=1 seek=497 conv=notrunc 2>/dev/null
    printf "\\125\\252\\353\\146HdrS$3" | dd of="$1" bs=1 seek=510 conv=notrunc 2>/dev/null
    printf "$4" | dd of="$1" bs=1 seek=529 conv=notrunc 2>/dev/null
}
header cut '\037' '\014\002' '\001' 2048
header old '\001' '\377\001' '\001' 4096
header zimage '\001' '\014\002' '\000' 600000
# A multiboot header that asks for what nobody knows.
printf '\002\260\255\033\140\000\000\000\236\117\122\344' >wants
listing()
{
    find . -mindepth 1 -printf '%p %y %s %T@\n' | sort
    cksum short odd cut old zimage wants
}
truncate -s 2949120 full # the largest floppy
truncate -s 4M large
before=$(listing)
failed=0
tried=0

# The command fails as it has to: NAMED is part of its only line.
bad() # NAMED OPTION...
{
    named=$1
    shift
    tried=$((tried + 1))
    timeout -k 1 $((60 * patience)) "$PRESCIENT" "$@" >../stdout 2>../stderr </dev/null
    status=$?
    problem=
    [ $status = 1 ] || problem="status $status"
    [ "$(grep -c '' ../stderr)" = 1 ] || problem="$problem, not one line"
    grep -q -e '^prescient: ' ../stderr || problem="$problem, no name of ours"
    grep -qF -e "$named" ../stderr || problem="$problem, '$named' is not named"
    [ -s ../stdout ] && problem="$problem, text on standard output"
    [ -z "$problem" ] && return
    echo "prescient $*: ${problem#, }"
    head -n 4 ../stderr
    failed=1
}

for file in missing folder empty fifo short odd cut old zimage wants /dev/null; do
    bad "$file" -display none -kernel $file
done
for option in -hda -hdb -hdc -hdd -cdrom; do
    for file in missing folder empty fifo /dev/zero; do
        bad "$file" -display none $option $file
    done
done
for file in missing folder empty fifo short odd; do
    bad "$file" -display none -bios $file
done
kernel=$BUILD/roms/demo.elf
for file in missing folder empty fifo; do
    bad "$file" -display none -kernel "$kernel" -initrd $file
    bad "$file" -display none -kernel "$kernel" -initrd short,$file
done
for option in -fda -fdb; do
    for file in missing folder empty fifo /dev/zero short large; do
        bad "$file" -display none $option $file
    done
done
bad large -display none -drive file=large,if=floppy,snapshot=on
bad 2 -drive file=full,if=floppy,index=2
bad CD -drive file=full,if=floppy,media=cdrom
bad full -display none -fda full -fdb full
bad full -fda full -fda full
# Ports of chips that come before and after the drives: the images are closed once.
for port in 0x3f5 0x510; do
    bad "$port" -display none -hda short -fda full -device isa-debug-exit,iobase=$port
done
bad missing missing
bad short short short
bad missing -drive file=missing
bad qcow2 -drive file=short,format=qcow2
bad nonsense -drive nonsense
bad nonsense -drive nonsense=1
bad file -drive format=raw
bad tape -drive file=short,media=tape
bad scsi -drive file=short,if=scsi
for index in 4 -1 '' x 1x 4294967295 99999999999999999999; do
    bad "index" -drive file=short,index=$index
done
bad maybe -drive file=short,snapshot=maybe
bad short -display none -hda short -hdb short

for size in 0 -1 '' x 512X 4k 1T 65G 1.5G 0x200 +512 ' 512' 99999999999999999999; do
    bad "-m $size" -m "$size"
done
for option in -m -cpu -hda -kernel -serial -boot -drive -rtc -limit -screenshot -name; do
    bad "$option" $option
done
bad -nonsense -nonsense
bad --nonsense --nonsense
bad 'did you mean -hda?' -hdaa short
bad '-netdev: write -nic' -netdev user,id=n
bad 'neither here nor in' -bios missing
bad -dfilter -dfilter 1..2
bad -kernel -initrd short
bad -kernel -append quiet
bad i960 -cpu i960
bad z -boot z
bad -boot -boot order=
bad maybe -boot menu=maybe
bad gtk -display gtk
bad tcp -monitor tcp:1.2.3.4:5
bad monitor -monitor monitor
bad warp -engine warp
for date in x base= base=2020-13-01 base=2021-02-29 base=2020-01-01T base=1969-01-01 clock=x; do
    bad "$date" -rtc $date
done
for clock in x icount,shift= icount,shift=x icount,shift=-1 icount,shift=11; do
    bad "$clock" -clock $clock
done
for device in x isa-debug-exit,iobase=x isa-debug-exit,iobase=65536 isa-debug-exit,iobase=-1; do
    bad "$device" -device $device
done
bad 0x60 -display none -device isa-debug-exit,iobase=0x60
bad q35 -machine q35
# Output files are neither made nor cut when the start fails later on.
for file in new short; do
    bad 0x60 -display none -serial file:$file -debugcon file:$file -device isa-debug-exit,iobase=0x60
done
for limit in 0 -5 x '' 99999999999999999999; do
    bad "-limit $limit" -limit "$limit"
done
for snapshot in missing ./folder ./short ./fifo ./empty; do
    bad "${snapshot#./}" -display none -loadvm $snapshot
done
for how in sdl,x sdl,grab= sdl,grab=g sdl,grab=ctrl sdl,scale=3 sdl,full-screen=maybe none,status=off; do
    bad "${how#sdl,}" -display $how
done
for command in 'list x' 'img x' 'img info missing' 'img create new 12x' 'img convert short short' \
    'img check short' 'img commit short' 'img resize short 4x' 'img create new -b missing' 'trace short'; do
    bad "${command##* }" $command
done
for path in folder missing/a.png; do
    bad "$path" -display none -limit 1 -screenshot $path
done

for spec in x file: unix: nullx unix:fifo,x; do
    bad "$spec" -display none -serial $spec
done
bad missing/x -display none -serial file:missing/x
bad folder -display none -serial file:folder
bad missing/x -display none -debugcon file:missing/x
bad 'unix:missing: cannot connect to it' -display none -serial unix:missing
# Other people's files are not taken for left-over sockets.
bad short -display none -serial unix:short,server,nowait
bad fifo -display none -serial unix:fifo,server,nowait
bad folder -display none -serial unix:folder,server,nowait
bad stdio -display none -serial stdio -serial stdio
bad -serial -serial null -serial null -serial null
# A socket and a port on which another machine listens.
free_port
port=127.0.0.1:$port
"$PRESCIENT" -display none -S -serial "tcp:$port,server,nowait" -monitor "unix:$work/socket" \
    >/dev/null 2>&1 </dev/null &
guest_pid=$!
await 60 listens "$work/socket" || fail "the other machine does not start"
bad "$work/socket" -display none -serial "unix:$work/socket,server,nowait"
[ -S "$work/socket" ] || { echo "the other machine's socket is gone"; failed=1; }
bad "tcp:$port: cannot listen there" -display none -monitor "tcp:$port"
bad "tcp:$port: cannot listen there" -display none -gdb "tcp:$port"
[ "$HAVE_SLIRP" != 1 ] || bad "$port" -display none -nic "user,hostfwd=tcp:$port-:22"
guest_stop

if [ "$HAVE_SDL" = 1 ]; then
    export LSAN_OPTIONS=detect_leaks=0 # SDL's libdbus keeps something for good
    unset DISPLAY WAYLAND_DISPLAY SDL_VIDEODRIVER XDG_RUNTIME_DIR
    bad display -nographic -display sdl
    bad display -display sdl -serial file:new -debugcon file:short
    export DISPLAY=:7654
    bad window -display sdl
else
    bad sdl -display sdl
fi
[ "$(listing)" = "$before" ] || { echo "files were made or changed:"; listing; failed=1; }
echo "$tried commands"
exit $failed
