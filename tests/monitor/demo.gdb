# A session with the demo kernel: tests/monitor/gdb.sh looks for lines that begin with "wrong: ".
set confirm off
set pagination off
set width 0

define is
    if !($arg0)
        printf "wrong: %s\n", $arg1
    end
end

# the reset vector: linear addresses in real mode
is $pc==0xfffffff0 "pc at reset"
is $cs==0xf000 "cs at reset"
is $cr0==0x60000010 "cr0 at reset"
is $fctrl==0x40 "fctrl at reset"
is $mxcsr==0x1f80 "mxcsr at reset"
stepi
is $pc==0xfe05b "pc after the first jump"
stepi 5
is $cs==0xf000 "cs after five steps"

# into protected mode, without losing gdb
break kernel_main
continue
is $pc==(unsigned)&kernel_main "break kernel_main"
is $cs==8 "cs in the kernel"
is ($cr0&1)==1 "cr0.PE in the kernel"
tbreak console_init
continue
is $pc==(unsigned)&console_init "tbreak console_init"
hbreak interrupt_init
continue
is $pc==(unsigned)&interrupt_init "hbreak interrupt_init"
delete

# registers and memory
set $saved=$eax
set $eax=0x12345678
is $ax==0x5678 "ax"
is $al==0x78 "al"
set $eax=$saved
set {int}0x200000=0x11223344
is {short}0x200002==0x1122 "memory"
set $xmm1.v4_int32[2]=7
is $xmm1.v4_int32[2]==7 "xmm1"
is $st0==0 "st0"
x/4i $pc
info registers

# steps
set $before=$pc
stepi
is $pc!=$before "stepi"
set $n=0
while $n<20
    stepi
    set $n=$n+1
end
next

# watchpoints on an entry of the IDT, which is about to be filled
watch *(int*)((char*)&idt+40)
continue
is *(int*)((char*)&idt+40)!=0 "watch: value"
is $esi!=0||$eax!=0 "watch: registers"
delete
awatch *(int*)((char*)&idt+48)
continue
delete
tbreak menu_run
finish
continue
is $pc==(unsigned)&menu_run "tbreak menu_run"

rwatch *(int*)&idt
awatch *(int*)0x200000
delete
break paging_fault
continue
is $pc==(unsigned)&paging_fault "break paging_fault"
is $cr2==0x10000000 "cr2"
delete
finish

# commands of the monitor
monitor info status
monitor r
monitor help
monitor cont
monitor p 1+

# it goes on and switches itself off: keys=mcpdtq
printf "the session is over\n"
kill
