# A session with a Linux kernel: tests/boot/gdb-linux.sh reads what it prints.
set confirm off
monitor linux-symbols
monitor symbol do_exit
monitor lb do_exit once
continue
printf "stopped at %08x\n", $pc
monitor info status
set $before=$icount
stepi 1000
printf "instructions: %d\n", $icount-$before
watch *(int*)($esp-4)
continue
delete
monitor page $esp
monitor bt 4
printf "the session is over\n"
detach
