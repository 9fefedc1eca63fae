/* Causes of exceptions: fetches, arithmetic, paging, control registers and MSRs, port I/O and
 * flags, x87, MMX and SSE (SDM vol. 3, 6.15; vol. 2 for each instruction). */
/* SPDX-License-Identifier: MIT */
#include "cpu/control.h"
#include "cpu/debug.h"
#include "tests/unit/causes.h"

/* The operand [H_DATA + n] after an opcode, with this in ModRM's reg field. */
#define DATA(reg, n) 0x05 | (reg) << 3, (n), 0, 5, 0
#define MOV_CR(n)                                                                                  \
    {                                                                                              \
        0x0f, 0x22, 0xc0 | (n) << 3                                                                \
    } /* mov crn, eax */

enum { LARGE = 0x200000, PDPT = 0x110000, PAGE_DIRECTORY = 0x111000, BAD_PDPT = 0x112000 };

static const struct cause fetches[] = {
    {.text = "the instruction is longer than 15 bytes",
     NULL,
     VEC_GP,
     0,
     {0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
      0x90}},
    {.text = "the instruction is longer than 15 bytes",
     "mov",
     VEC_GP,
     0,
     {0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0xb8}},
    {.text = "the instruction is beyond CS's limit",
     "mov",
     VEC_GP,
     0,
     {0xb8, 0, 0, 0, 0},
     .cs_limit = H_CODE + 3},
    {.text = "the instruction pointer is beyond CS's limit",
     NULL,
     VEC_GP,
     0,
     {0x90},
     .cs_limit = H_CODE},
    {.text = "not an instruction", NULL, VEC_UD, NO_ERROR, {0x0f, 0x04}},
    {.text = "LOCK before an instruction or an operand that it does not go with",
     "add",
     VEC_UD,
     NO_ERROR,
     {0xf0, 0x01, 0xc0}},
    {.text = "LOCK before an instruction or an operand that it does not go with",
     "mov",
     VEC_UD,
     NO_ERROR,
     {0xf0, 0x89, DATA(0, 0)}},
    {.text = "this instruction does not exist on this CPU", "ud2", VEC_UD, NO_ERROR, {0x0f, 0x0b}},
    {.text = "RSM outside system management mode", "rsm", VEC_UD, NO_ERROR, {0x0f, 0xaa}},
};

static const struct cause integers[] = {
    {.text = "DIV by zero", "div", VEC_DE, NO_ERROR, {0xf7, 0xf1}},
    {.text = "DIV: the quotient does not fit",
     "div",
     VEC_DE,
     NO_ERROR,
     {0xf6, 0xf1},
     .eax = 0x500,
     .ecx = 5},
    {.text = "IDIV by zero", "idiv", VEC_DE, NO_ERROR, {0xf7, 0xf9}},
    {.text = "IDIV: the quotient does not fit",
     "idiv",
     VEC_DE,
     NO_ERROR,
     {0xf6, 0xf9},
     .eax = 0x80,
     .ecx = 1},
    {.text = "AAM with a base of zero", "aam", VEC_DE, NO_ERROR, {0xd4, 0}},
    {.text = "BOUND: the index is below the lower bound",
     "bound",
     VEC_BR,
     NO_ERROR,
     {0x62, DATA(0, 0)},
     .eax = 4,
     .poke = {{H_DATA, 5}, {H_DATA + 4, 9}}},
    {.text = "BOUND: the index is above the upper bound",
     "bound",
     VEC_BR,
     NO_ERROR,
     {0x62, DATA(0, 0)},
     .eax = 10,
     .poke = {{H_DATA, 5}, {H_DATA + 4, 9}}},
    {.text = "PUSHA: SP is odd and below 16", "pusha", VEC_GP, 0, {0x60}, harness_real, .esp = 13},
    {.text = "PUSHF or POPF in virtual-8086 mode with IOPL below 3",
     "pushf",
     VEC_GP,
     0,
     {0x9c},
     mode_v86},
    {.text = "PUSHF or POPF in virtual-8086 mode with IOPL below 3",
     "popfd",
     VEC_GP,
     0,
     {0x66, 0x9d},
     mode_v86,
     .cr4 = CR4_VME},
    {.text = "POPF in virtual-8086 mode: TF, or IF with VIP pending",
     "popf",
     VEC_GP,
     0,
     {0x9d},
     mode_v86,
     .cr4 = CR4_VME,
     .stack = {FLAG_TF | 2}},
    {.text = "POPF in virtual-8086 mode: TF, or IF with VIP pending",
     "popf",
     VEC_GP,
     0,
     {0x9d},
     mode_v86,
     .cr4 = CR4_VME,
     .flags = FLAG_VIP,
     .stack = {FLAG_IF | 2}},
    {.text = "an unaligned access with EFLAGS.AC set",
     "mov",
     VEC_AC,
     0,
     {0xa1, 2, 0, 5, 0},
     harness_ring3,
     .flags = FLAG_AC,
     .cr0 = CR0_AM},
};

static const struct cause ports[] = {
    {.text = "port I/O above IOPL, and the TSS has no I/O bitmap",
     "out",
     VEC_GP,
     0,
     {0xe6, 0x80},
     harness_ring3,
     .tr_limit = 102},
    {.text = "port I/O above IOPL, and the port is beyond the I/O bitmap",
     "in",
     VEC_GP,
     0,
     {0xe4, 0x80},
     harness_ring3,
     .tr_limit = 104 + 0x10},
    {.text = "port I/O above IOPL, and the I/O bitmap forbids the port",
     "out",
     VEC_GP,
     0,
     {0xe7, 0x80},
     mode_v86_iopl3,
     .poke = {{H_TSS + 104 + 0x10, 2}}},
    {.text = "CLI or STI above IOPL", "cli", VEC_GP, 0, {0xfa}, harness_ring3},
    {.text = "STI while a virtual interrupt is pending",
     "sti",
     VEC_GP,
     0,
     {0xfb},
     harness_ring3,
     .cr4 = CR4_PVI,
     .flags = FLAG_VIP},
    {.text = "a virtual interrupt is pending, and VIF is set",
     NULL,
     VEC_GP,
     0,
     {0x90},
     harness_ring3,
     .cr4 = CR4_PVI,
     .flags = FLAG_VIF | FLAG_VIP},
};

/* PAE paging: what is below 2 MiB is there, the next 2 MiB are these again with more bits. */
static void large_page(struct cpu *cpu, u32 low, u32 high)
{
    mem32_set(PDPT, PAGE_DIRECTORY | 1);
    mem32_set(PAGE_DIRECTORY, 0x83);
    mem32_set(PAGE_DIRECTORY + 8, low);
    mem32_set(PAGE_DIRECTORY + 12, high);
    cpu->efer = cpu->walk.efer = EFER_NXE;
    ck_assert_ptr_null(control_write_cr4(cpu, CR4_PAE));
    ck_assert_ptr_null(control_write_cr3(cpu, PDPT));
    ck_assert_ptr_null(control_write_cr0(cpu, cpu->cr0 | CR0_PG | CR0_WP));
}

static void page_reserved(struct cpu *cpu)
{
    large_page(cpu, 0x83 | BIT(13), 0);
}

static void page_absent(struct cpu *cpu)
{
    large_page(cpu, 0, 0);
}

static void page_no_execute(struct cpu *cpu)
{
    large_page(cpu, 0x83, BIT(31));
}

static void page_read_only(struct cpu *cpu)
{
    large_page(cpu, 0x81, 0);
}

/* Only the code is the user's, in the upper 2 MiB. */
static void page_supervisor(struct cpu *cpu)
{
    large_page(cpu, 0x87, 0);
    cpu->rip += LARGE;
}

static const struct cause pages[] = {
    {.text = "a page-table entry with reserved bits set",
     "mov",
     VEC_PF,
     PF_P | PF_RSVD,
     {0xa1, 0, 0, 0x20, 0},
     .prepare = page_reserved},
    {.text = "a page that is not present",
     "mov",
     VEC_PF,
     PF_W,
     {0xa3, 0, 0, 0x20, 0},
     .prepare = page_absent},
    {.text = "fetch from a page that may not be executed",
     NULL,
     VEC_PF,
     PF_P | PF_ID,
     {0xe9, 0xfb, 0xff, 0x1f, 0},
     .prepare = page_no_execute},
    {.text = "write to a page that may not be written",
     "mov",
     VEC_PF,
     PF_P | PF_W,
     {0xa3, 0, 0, 0x20, 0},
     .prepare = page_read_only},
    {.text = "user access to a supervisor page",
     "mov",
     VEC_PF,
     PF_P | PF_U,
     {0xa1, 0, 0, 5, 0},
     harness_ring3,
     .prepare = page_supervisor},
};

/* As if the CPU were in IA-32e mode. */
static void pretend_long_mode(struct cpu *cpu)
{
    cpu->efer |= EFER_LMA;
}

static void pdpt_use(struct cpu *cpu)
{
    ck_assert_ptr_null(control_write_cr3(cpu, PDPT));
}

/* PAE paging is on, and BAD_PDPT is for the row to load. */
static void pdpt_load(struct cpu *cpu)
{
    large_page(cpu, 0, 0);
    mem32_set(BAD_PDPT, PAGE_DIRECTORY | 3);
}

static const struct cause controls[] = {
    {.text = "a control register that does not exist", "mov", VEC_UD, NO_ERROR, MOV_CR(1)},
    {.text = "a control register that does not exist", "mov", VEC_UD, NO_ERROR, {0x0f, 0x20, 0xe8}},
    {.text = "MOV to a control register outside ring 0",
     "mov",
     VEC_GP,
     0,
     MOV_CR(0),
     harness_ring3},
    {.text = "MOV from a control register outside ring 0",
     "mov",
     VEC_GP,
     0,
     {0x0f, 0x20, 0xc0},
     harness_ring3},
    {.text = "CR0.PG without CR0.PE", "mov", VEC_GP, 0, MOV_CR(0), .eax = CR0_PG},
    {.text = "CR0.NW without CR0.CD", "mov", VEC_GP, 0, MOV_CR(0), .eax = CR0_PE | CR0_NW},
    {.text = "a reserved bit of CR4", "mov", VEC_GP, 0, MOV_CR(4), .eax = BIT(31)},
    {.text = "CR4.PAE cleared in IA-32e mode",
     "mov",
     VEC_GP,
     0,
     MOV_CR(4),
     .prepare = pretend_long_mode},
    {.text = "a page-directory-pointer entry with reserved bits set",
     "mov",
     VEC_GP,
     0,
     MOV_CR(0),
     .eax = CR0_PE | CR0_PG,
     .cr4 = CR4_PAE,
     .poke = {{PDPT, PAGE_DIRECTORY | 3}},
     .prepare = pdpt_use},
    {.text = "a page-directory-pointer entry with reserved bits set",
     "mov",
     VEC_GP,
     0,
     MOV_CR(3),
     .eax = BAD_PDPT,
     .prepare = pdpt_load},
    /* of the new task, in which no instruction has run */
    {.text = "a page-directory-pointer entry with reserved bits set",
     NULL,
     VEC_GP,
     0,
     {0xea, 0, 0, 0, 0, SEL_A, 0},
     .a = {.type = TYPE_TSS32, .base = NEW_TSS},
     .poke = {{NEW_TSS + 28, BAD_PDPT}},
     .prepare = pdpt_load},
    {.text = "CLTS outside ring 0", "clts", VEC_GP, 0, {0x0f, 0x06}, harness_ring3},
    {.text = "LMSW outside ring 0", "lmsw", VEC_GP, 0, {0x0f, 0x01, 0xf0}, harness_ring3},
    {.text = "a debug register that does not exist",
     "mov",
     VEC_UD,
     NO_ERROR,
     {0x0f, 0x23, 0xe0},
     .cr4 = CR4_DE},
    {.text = "MOV of a debug register outside ring 0",
     "mov",
     VEC_GP,
     0,
     {0x0f, 0x21, 0xc0},
     harness_ring3},
    {.text = "LGDT or LIDT outside ring 0",
     "lgdt",
     VEC_GP,
     0,
     {0x0f, 0x01, DATA(2, 0)},
     harness_ring3},
    {.text = "LGDT or LIDT outside ring 0", "lidt", VEC_GP, 0, {0x0f, 0x01, DATA(3, 0)}, mode_v86},
    {.text = "INVLPG outside ring 0", "invlpg", VEC_GP, 0, {0x0f, 0x01, DATA(7, 0)}, harness_ring3},
    {.text = "INVD outside ring 0", "invd", VEC_GP, 0, {0x0f, 0x08}, harness_ring3},
    {.text = "WBINVD outside ring 0", "wbinvd", VEC_GP, 0, {0x0f, 0x09}, harness_ring3},
    {.text = "HLT outside ring 0", "hlt", VEC_GP, 0, {HLT}, harness_ring3},
    {.text = "RDTSC outside ring 0 with CR4.TSD set",
     "rdtsc",
     VEC_GP,
     0,
     {0x0f, 0x31},
     harness_ring3,
     .cr4 = CR4_TSD},
    {.text = "RDPMC of a counter that does not exist", "rdpmc", VEC_GP, 0, {0x0f, 0x33}},
    {.text = "RDMSR outside ring 0", "rdmsr", VEC_GP, 0, {0x0f, 0x32}, harness_ring3},
    {.text = "WRMSR outside ring 0", "wrmsr", VEC_GP, 0, {0x0f, 0x30}, harness_ring3},
    {.text = "a model-specific register that does not exist",
     "rdmsr",
     VEC_GP,
     0,
     {0x0f, 0x32},
     .ecx = 0x12345678},
    {.text = "a value that a model-specific register does not take",
     "wrmsr",
     VEC_GP,
     0,
     {0x0f, 0x30},
     .ecx = 0xc0000080,
     .eax = EFER_LME},
};

static const struct cause floats[] = {
    {.text = "x87 instruction with CR0.EM or CR0.TS set",
     "fld1",
     VEC_NM,
     NO_ERROR,
     {0xd9, 0xe8},
     .cr0 = CR0_TS},
    {.text = "WAIT with CR0.MP and CR0.TS set",
     "wait",
     VEC_NM,
     NO_ERROR,
     {0x9b},
     .cr0 = CR0_TS | CR0_MP},
    /* fninit; fldcw with ZM clear; fld1; fldz; fdivp; fld1 */
    {.text = "an unmasked x87 exception is pending",
     "fld1",
     VEC_MF,
     NO_ERROR,
     {0xdb, 0xe3, 0xd9, DATA(5, 0), 0xd9, 0xe8, 0xd9, 0xee, 0xde, 0xf9, 0xd9, 0xe8},
     .cr0 = CR0_NE,
     .poke = {{H_DATA, 0x37b}}},
    {.text = "MMX instruction with CR0.EM set",
     "emms",
     VEC_UD,
     NO_ERROR,
     {0x0f, 0x77},
     .cr0 = CR0_EM},
    {.text = "SSE instruction with CR0.EM set or CR4.OSFXSR clear",
     "addps",
     VEC_UD,
     NO_ERROR,
     {0x0f, 0x58, 0xc1}},
    {.text = "SSE instruction with CR0.EM set or CR4.OSFXSR clear",
     "addps",
     VEC_UD,
     NO_ERROR,
     {0x0f, 0x58, 0xc1},
     .cr0 = CR0_EM,
     .cr4 = CR4_OSFXSR},
    {.text = "SSE instruction with CR0.TS set",
     "addps",
     VEC_NM,
     NO_ERROR,
     {0x0f, 0x58, 0xc1},
     .cr0 = CR0_TS,
     .cr4 = CR4_OSFXSR},
    {.text = "SSE operand not on a 16-byte boundary",
     "addps",
     VEC_GP,
     0,
     {0x0f, 0x58, DATA(0, 8)},
     .cr4 = CR4_OSFXSR},
    /* ldmxcsr with IM clear; divps of zeros */
    {.text = "unmasked SIMD floating-point exception",
     "divps",
     VEC_XM,
     NO_ERROR,
     {0x0f, 0xae, DATA(2, 0), 0x0f, 0x5e, 0xc1},
     .cr4 = CR4_OSFXSR | CR4_OSXMMEXCPT,
     .poke = {{H_DATA, 0x1f00}}},
    {.text = "unmasked SIMD floating-point exception",
     "divps",
     VEC_UD,
     NO_ERROR,
     {0x0f, 0xae, DATA(2, 0), 0x0f, 0x5e, 0xc1},
     .cr4 = CR4_OSFXSR,
     .poke = {{H_DATA, 0x1f00}}},
    {.text = "LDMXCSR with reserved bits set",
     "ldmxcsr",
     VEC_GP,
     0,
     {0x0f, 0xae, DATA(2, 0)},
     .cr4 = CR4_OSFXSR,
     .poke = {{H_DATA, 0x10000}}},
    {.text = "FXRSTOR with reserved bits of MXCSR set",
     "fxrstor",
     VEC_GP,
     0,
     {0x0f, 0xae, DATA(1, 0)},
     .cr4 = CR4_OSFXSR,
     .poke = {{H_DATA + 24, 0x10000}}},
    {.text = "FXSAVE or FXRSTOR operand not on a 16-byte boundary",
     "fxsave",
     VEC_GP,
     0,
     {0x0f, 0xae, DATA(0, 8)}},
    {.text = "FXSAVE or FXRSTOR operand not on a 4-byte boundary",
     "fxsave",
     VEC_AC,
     0,
     {0x0f, 0xae, DATA(0, 1)},
     harness_ring3,
     .flags = FLAG_AC,
     .cr0 = CR0_AM},
};

START_TEST(fetch_causes)
{
    cause_check(&fetches[_i]);
}
END_TEST

START_TEST(integer_causes)
{
    cause_check(&integers[_i]);
}
END_TEST

START_TEST(port_causes)
{
    cause_check(&ports[_i]);
}
END_TEST

START_TEST(page_causes)
{
    cause_check(&pages[_i]);
}
END_TEST

START_TEST(control_causes)
{
    cause_check(&controls[_i]);
}
END_TEST

START_TEST(float_causes)
{
    cause_check(&floats[_i]);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {fetch_causes, integer_causes, port_causes,
                                  page_causes,  control_causes, float_causes};
    const unsigned lengths[] = {ARRAY_LEN(fetches), ARRAY_LEN(integers), ARRAY_LEN(ports),
                                ARRAY_LEN(pages),   ARRAY_LEN(controls), ARRAY_LEN(floats)};
    return causes_main("causes: misc", tests, lengths, ARRAY_LEN(tests));
}
