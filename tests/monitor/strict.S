/* A kernel that does what the strict mode is to tell of: each label sin_... once, each good_... never. */
/* SPDX-License-Identifier: MIT */

MAGIC = 0x1badb002
DIRECTORY = 0x110000
TABLE = 0x111000
WINDOW = 0x300000
WINDOW_ENTRY = TABLE + (WINDOW >> 12) * 4

        .text
        .code32
        .long MAGIC, 0, -MAGIC

        .globl start
start:  cli
        mov $0x120000, %esp
        lgdt gdt_pointer
        ljmp $8, $flat
flat:   mov $16, %eax
        mov %eax, %ds
        mov %eax, %es
        mov %eax, %ss
        mov $on_fault, %eax
        mov %ax, idt + 14 * 8
        shr $16, %eax
        mov %ax, idt + 14 * 8 + 6
        lidt idt_pointer

/* ports and memory */
sin_port:
        mov $0x1234, %edx
        in %dx, %al
sin_hole:
        mov 0xe0000000, %eax
sin_rom:
        movb $0, 0xfffffff0
good_ram:
        movb $0, 0x200000

/* the interrupt controllers */
good_icw1:
        mov $0x11, %al
        out %al, $0x20
sin_vector:
        mov $0x08, %al
        out %al, $0x21
sin_cascade:
        mov $0x02, %al
        out %al, $0x21
sin_mcs80:
        mov $0x00, %al
        out %al, $0x21
        mov $0x11, %al
        out %al, $0x20
sin_order:
        mov $0x20, %al
        out %al, $0x20
good_icw:
        mov $0x11, %al
        out %al, $0xa0
        mov $0x70, %al
        out %al, $0xa1
        mov $0x02, %al
        out %al, $0xa1
        mov $0x01, %al
        out %al, $0xa1
good_mask:
        mov $0xff, %al
        out %al, $0xa1
sin_eoi:
        mov $0x20, %al
        out %al, $0xa0

/* the timer */
good_count:
        mov $0x34, %al
        out %al, $0x43
        mov $0x00, %al
        out %al, $0x40
        mov $0x10, %al
        out %al, $0x40
        mov $0x34, %al
        out %al, $0x43
        mov $0x01, %al
        out %al, $0x40
sin_half:
        mov $0x34, %al
        out %al, $0x43
        mov $0x01, %al
        out %al, $0x40
        mov $0x00, %al
sin_one:
        out %al, $0x40

/* flags */
sin_flag:
        mov $7, %eax
        mul %eax
        jz 1f
1:
sin_overflow:
        shl $2, %eax
        seto %bl
good_flag:
        shl $1, %eax
        seto %bl
        and $1, %eax
        jz 2f
2:      mul %eax
        jc 3f
3:      mul %eax
        jmp 6f
good_passed:
        je 7f
6:      jmp sin_beyond
7:      nop
sin_beyond:
        sets %bl
        mul %eax
        jc 8f                   /* CF is defined, and so decides nothing of SF */
8:      cli
sin_fork:
        cmovs %eax, %ebx
        mul %eax
        call procedure
        jmp 9f
procedure:
        mov %eax, %ebx
sin_callee:
        jp good_callee
good_callee:
        ret
9:      mul %eax
        jc good_defined
        test %eax, %eax
good_defined:
        cmp $0, %eax
        je good_after
good_after:
/* flags that come back by returns, or go by indirect branches, from code that is hot already */
        mov $100000, %ecx
1:      mov $3, %eax
        test %eax, %eax
        call nothing
        call multiply
        call multiply_and_test
        call *multiply_pointer
        dec %ecx
        jnz 1b
        call multiply_and_test
good_returned:
        js 2f
2:      call multiply
sin_returned:
        js 2f
2:      call *multiply_pointer
sin_pointer:
        jp 2f
2:      call multiply_below
sin_twice:
        sets %bl
        mul %eax
        call nothing
sin_through:
        jns 2f
2:      test %eax, %eax
        call nothing
good_through:
        js 2f
2:      mov $sin_indirect, %ebx
        mul %eax
        jmp *%ebx
good_skipped:
        js sin_indirect
sin_indirect:
        setp %bl
        jmp 3f
multiply:
        mov $3, %eax
        mul %eax
        ret
multiply_and_test:
        mul %eax
        test %eax, %eax
        ret
multiply_below:
        call multiply
nothing:
        ret
multiply_pointer:
        .long multiply
3:
/* paging: 4 MiB as they are, a window that moves */
        mov $DIRECTORY, %edi
        mov $2048, %ecx
        xor %eax, %eax
        rep stosl
        movl $TABLE + 3, DIRECTORY
        mov $TABLE, %edi
        mov $3, %eax
4:      stosl
        add $0x1000, %eax
        cmp $TABLE + 4096, %edi
        jne 4b
sin_cr3:
        mov $DIRECTORY + 0x20, %eax
        mov %eax, %cr3
        mov %cr0, %eax
        or $0x80010000, %eax
        mov %eax, %cr0
        jmp 5f
5:      mov $DIRECTORY, %eax
        mov %eax, %cr3
        mov WINDOW, %eax
        movl $0x201003, WINDOW_ENTRY
sin_moved:
        mov WINDOW, %eax
        movl $0x202003, WINDOW_ENTRY
        invlpg WINDOW
good_moved:
        mov WINDOW, %eax
        movl $0x203003, WINDOW_ENTRY
        mov %cr3, %eax
        mov %eax, %cr3
good_reloaded:
        mov WINDOW, %eax
        movl $0, WINDOW_ENTRY
sin_cleared:
        mov WINDOW, %eax
        movl $0x204003, WINDOW_ENTRY
        invlpg WINDOW
        mov WINDOW, %eax
        movl $0x204001, WINDOW_ENTRY
good_read:
        mov WINDOW, %eax
sin_read_only:
        mov %eax, WINDOW
        /* a page that hot code has used beside another one, which engines may map with it */
        movl $0x305063, WINDOW_ENTRY + 5 * 4
        movl $0x306063, WINDOW_ENTRY + 6 * 4
        invlpg WINDOW + 0x5000
        invlpg WINDOW + 0x6000
        mov $100000, %ecx
1:      mov WINDOW + 0x5000, %eax
        dec %ecx
        jnz 1b
        mov $100000, %ecx
2:      mov WINDOW + 0x6000, %eax
        dec %ecx
        jnz 2b
        movl $0x207063, WINDOW_ENTRY + 6 * 4
sin_ahead:
        mov WINDOW + 0x6000, %eax
        /* one that is used again after everything was flushed, with nothing changed */
        mov WINDOW + 0x8000, %eax
        mov %cr3, %eax
        mov %eax, %cr3
        mov WINDOW + 0x8000, %eax
        movl $0x209003, WINDOW_ENTRY + 8 * 4
sin_kept:
        mov WINDOW + 0x8000, %eax
        /* code is used as well: another page that has the same */
        movb $0xc3, WINDOW + 0xa000
        movb $0xc3, WINDOW + 0xb000
        call WINDOW + 0xa000
        mov %cr3, %eax
        mov %eax, %cr3
        call WINDOW + 0xa000
        movl $0x30b003, WINDOW_ENTRY + 10 * 4
sin_fetched:
        call WINDOW + 0xa000
good_end:
        mov $0x501, %edx
        mov $0, %al
        out %al, %dx
        hlt

/* #PF: the window's page is there again */
on_fault:
        movl $0x204003, WINDOW_ENTRY
        invlpg WINDOW
        add $4, %esp
        iret

        .balign 8
gdt:    .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
gdt_pointer:
        .word . - gdt - 1
        .long gdt
        .balign 8
idt:    .fill 14, 8, 0
        .word 0, 8, 0x8e00, 0 /* filled at the start */
idt_pointer:
        .word . - idt - 1
        .long idt
