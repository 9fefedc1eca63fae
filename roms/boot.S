/* Option ROM that starts a kernel given with -kernel: asks the BIOS for the memory map, has the emulator place the
 * kernel (doorbell port 0x5b0), and enters it: Linux's setup code in real mode, a multiboot kernel in 32-bit protected
 * mode. BIOS Boot Specification 1.01, PnP header; Linux Documentation/x86/boot.rst. */
/* SPDX-License-Identifier: MIT */

        .set    DOORBELL, 0x5b0     /* hw/bootport.h: BOOT_PORT */
        .set    BLOCK, 0x2000       /* struct launch_block in frontend/loader.h */
        .set    B_EIP, BLOCK + 0
        .set    B_EAX, BLOCK + 4
        .set    B_EBX, BLOCK + 8
        .set    B_ESI, BLOCK + 12
        .set    B_COUNT, BLOCK + 16
        .set    B_REAL_SEGMENT, BLOCK + 20
        .set    B_REAL_SP, BLOCK + 24
        .set    B_MAP, BLOCK + 32
        .set    MAP_ENTRY, 20
        .set    MAP_MAX, 128

        .code16
        .text
        .globl  _start
_start:
        .byte   0x55, 0xaa
        .byte   2                   /* ROM size in 512-byte units */
        jmp     init
        .org    0x18
        .word   0                   /* no PCI data structure */
        .word   pnp
pnp:
        .ascii  "$PnP"
        .byte   1                   /* revision */
        .byte   2                   /* length in 16-byte units */
        .word   0                   /* no further header */
        .byte   0
        .byte   0                   /* checksum of the header: not looked at by SeaBIOS */
        .long   0                   /* device identifier */
        .word   maker
        .word   product
        .byte   0, 0, 0             /* device type */
        .byte   0x02                /* indicators: may be a boot device */
        .word   0                   /* boot connection vector */
        .word   0                   /* disconnect vector */
        .word   bev                 /* bootstrap entry vector */
        .word   0
        .word   0

init:
        mov     $0x20, %ax          /* an IPL device is attached */
        lret

bev:
        cli
        cld
        xor     %ax, %ax
        mov     %ax, %ds
        mov     %ax, %es
        mov     %ax, %ss
        mov     $0x7c00, %esp
        sti

        /* INT 15h, AX=E820h: the memory map, entry by entry. */
        movl    $0, B_COUNT
        mov     $B_MAP, %di
        xor     %ebx, %ebx
1:      mov     $0xe820, %eax
        mov     $0x534d4150, %edx
        mov     $MAP_ENTRY, %ecx
        int     $0x15
        jc      2f
        cmp     $0x534d4150, %eax
        jne     2f
        incl    B_COUNT
        add     $MAP_ENTRY, %di
        cmpl    $MAP_MAX, B_COUNT
        jae     2f
        test    %ebx, %ebx
        jnz     1b
2:
        mov     $DOORBELL, %dx
        mov     $BLOCK, %eax
        outl    %eax, %dx

        cli
        in      $0x92, %al          /* A20 on */
        or      $2, %al
        and     $0xfe, %al
        out     %al, $0x92

        mov     B_REAL_SEGMENT, %bx
        test    %bx, %bx
        jz      3f
        mov     B_REAL_SP, %esp
        mov     %bx, %ss
        add     $0x20, %bx
        push    %bx
        pushw   $0
        mov     %ss, %bx
        mov     %bx, %ds
        mov     %bx, %es
        mov     %bx, %fs
        mov     %bx, %gs
        lretw
3:

        /* GDT and 32-bit entry by their linear addresses: the ROM is wherever the BIOS put it. */
        xor     %eax, %eax
        mov     %cs, %ax
        shl     $4, %eax
        lea     gdt(%eax), %ecx
        add     $enter, %eax
        push    %ecx                /* GDTR image on the stack: limit, base */
        pushw   $gdt_end - gdt - 1
        mov     %sp, %bp
        lgdtl   (%bp)
        mov     %cr0, %ecx
        or      $1, %ecx
        mov     %ecx, %cr0
        pushl   $0x10
        push    %eax
        lretl

        .code32
enter:
        mov     $0x18, %eax
        mov     %eax, %ds
        mov     %eax, %es
        mov     %eax, %fs
        mov     %eax, %gs
        mov     %eax, %ss
        mov     B_EIP, %ecx
        mov     B_EAX, %eax
        mov     B_EBX, %ebx
        mov     B_ESI, %esi
        xor     %ebp, %ebp
        xor     %edi, %edi
        jmp     *%ecx

        .balign 8
gdt:    .quad   0, 0
        .quad   0x00cf9b000000ffff  /* 0x10: flat code */
        .quad   0x00cf93000000ffff  /* 0x18: flat data */
gdt_end:

maker:  .asciz  "Prescient"
product: .asciz "Prescient kernel loader"
        .org    1024
