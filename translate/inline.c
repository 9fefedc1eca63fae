/* Inline forms of what is run often: CLI, STI, PUSHF, POPF, RDTSC, CPUID, loads of segment
 * registers (SDM vol. 2, by name). What they do not cover goes to the callout before anything is
 * committed. */
/* SPDX-License-Identifier: MIT */
#include "translate/inline.h"

#include <assert.h>

#include "cpu/exec.h"
#include "translate/block.h"
#include "translate/stub.h"

/* Bits of EFLAGS that POPF may change, but inline only to what they are. */
#define POPF_SAME                                                                                  \
    (FLAG_TF | FLAG_DF | FLAG_IOPL | FLAG_NT | FLAG_AC | FLAG_VIF | FLAG_VIP | FLAG_ID)

/* MOV and POP to ES, DS, FS and GS. */
static bool loads_segment(const struct insn *i)
{
    unsigned reg = i->op[0].reg;
    return (i->exec == exec_mov_sreg_load || i->exec == exec_pop_sreg) && reg != SEG_CS &&
           reg != SEG_SS && reg <= SEG_GS;
}

bool inline_wanted(const struct insn *i, u32 mode)
{
    if (i->exec == exec_cli || i->exec == exec_sti)
        return !(mode & MODE_USER);
    if (i->exec == exec_rdtsc || i->exec == exec_cpuid)
        return true;
    if (mode_code(mode) != MODE_32 || (mode & MODE_STACK16) || i->opsize != 4)
        return false;
    if (i->exec == exec_pushf || i->exec == exec_popf)
        return true;
    return loads_segment(i) && !(mode & MODE_REAL);
}

/* SCRATCH_TEST is zero at CPL 0; the mode only tells CPL 3. */
static void emit_cpl(struct emit *e)
{
    static const struct host_op movzx8 = {.opcode = {0x0f, 0xb6}, .opcode_count = 2};
    emit_op_mem(e, &movzx8, SCRATCH_TEST, CPU_MEM(cpl));
}

/* Goes to the callout unless the CPL is 0. */
static void gen_need_cpl0(struct generator *g, unsigned n)
{
    emit_cpl(g->e);
    gen_unless_zero(g, n);
}

/* In a common stub, called: to the callout, with the same return address, unless SCRATCH_TEST is
 * zero. */
static void emit_unless_zero(struct translator *t)
{
    emit_jrcxz_over_jmp(&t->emit);
    emit_jmp(&t->emit, t->callout);
}

/* Clears or sets one bit of cpu->eflags; keeps the host's flags. */
static void emit_put_flag(struct emit *e, u32 flag, bool on)
{
    emit_load32(e, SCRATCH_TEST, CPU_MEM(eflags));
    emit_mov32_imm(e, SCRATCH_INDEX, ~flag);
    emit_pext(e, false, SCRATCH_TEST, SCRATCH_TEST, SCRATCH_INDEX);
    emit_pdep(e, false, SCRATCH_TEST, SCRATCH_TEST, SCRATCH_INDEX);
    if (on)
        emit_lea32(e, SCRATCH_TEST, (struct host_mem){SCRATCH_TEST, HOST_NONE, 0, (s32)flag});
    emit_store32(e, CPU_MEM(eflags), SCRATCH_TEST);
}

/* What PUSHF pushes, into SCRATCH_TEST. VM and RF are clear where translated code of 32 bits runs.
 */
static void emit_image(struct emit *e)
{
    static const u8 arithmetic[] = {0x9f,             /* lahf */
                                    0x0f, 0x90, 0xc0, /* seto al */
                                    0x0f, 0xb6, 0xcc, /* movzx ecx, ah */
                                    0x0f, 0xb6, 0xc0, /* movzx eax, al */
                                    /* rorx eax, eax, 21 */
                                    0xc4, 0xe3, 0x7b, 0xf0, 0xc0, 0x15,
                                    /* lea ecx, [rcx + rax - 2]: bit 1 is in cpu->eflags, too */
                                    0x8d, 0x4c, 0x01, 0xfe};
    emit_mov32(e, SCRATCH_INDEX, HOST_RAX);
    emit_bytes(e, arithmetic, sizeof arithmetic);
    emit_load32(e, HOST_RAX, CPU_MEM(eflags));
    emit_lea32(e, SCRATCH_TEST, (struct host_mem){SCRATCH_TEST, HOST_RAX, 0, 0});
    emit_mov32(e, HOST_RAX, SCRATCH_INDEX);
}

/* SCRATCH_TEST is zero if RDTSC is for everybody. */
static void emit_tsd(struct emit *e)
{
    emit_load32(e, SCRATCH_TEST, CPU_MEM(cr4));
    emit_mov32_imm(e, SCRATCH_INDEX, CR4_TSD);
    emit_pext(e, false, SCRATCH_TEST, SCRATCH_TEST, SCRATCH_INDEX);
}

/* RDTSC as clock_now and control_tsc do it while the clock follows a line, whose ns are the TSC's
 * ticks; what these do else is left to `slow`. */
static void emit_rdtsc(struct emit *e, u64 slow)
{
    static const u8 whole[] = {0x0f, 0x31,                    /* rdtsc */
                               0xc4, 0xe2, 0xb1, 0xf7, 0xd2,  /* shlx rdx, rdx, r9 */
                               0x48, 0x8d, 0x04, 0x10};       /* lea rax, [rax + rdx] */
    static const u8 scale[] = {0xc4, 0xc2, 0xf3, 0xf6, 0xc2}; /* mulx rax, rcx, r10 */
    const struct host_mem line = {SCRATCH_ADDR, HOST_NONE, 0, (s32)offsetof(struct clock, line)};
    struct host_mem from = line, shift = line, rate = line, ns = line;
    from.disp += (s32)offsetof(struct clock_line, from);
    shift.disp += (s32)offsetof(struct clock_line, shift);
    rate.disp += (s32)offsetof(struct clock_line, rate);
    ns.disp += (s32)offsetof(struct clock_line, ns);
    emit_tsd(e);
    emit_jrcxz_over_jmp(e);
    emit_jmp(e, slow);
    emit_load64(e, SCRATCH_ADDR, CPU_MEM(clock));
    emit_mov32_imm(e, SCRATCH_INDEX, 32);
    emit_bytes(e, whole, sizeof whole);
    emit_load64(e, HOST_RDX, from); /* the ticks since then, to rdx */
    emit_not64(e, HOST_RDX);
    emit_lea64(e, HOST_RDX, (struct host_mem){HOST_RDX, HOST_RAX, 0, 1});
    emit_load32(e, SCRATCH_HOST, shift);
    emit_shrx(e, true, SCRATCH_TEST, HOST_RDX, SCRATCH_HOST);
    emit_jrcxz_over_jmp(e);
    emit_jmp(e, slow);
    emit_load64(e, SCRATCH_HOST, rate);
    emit_bytes(e, scale, sizeof scale);
    emit_load64(e, SCRATCH_HOST, ns);
    emit_lea64(e, HOST_RAX, (struct host_mem){HOST_RAX, SCRATCH_HOST, 0, 0});
    emit_load64(e, SCRATCH_HOST, CPU_MEM(tsc_offset));
    emit_lea64(e, HOST_RAX, (struct host_mem){HOST_RAX, SCRATCH_HOST, 0, 0});
    emit_shrx(e, true, HOST_RDX, HOST_RAX, SCRATCH_INDEX);
    emit_mov32(e, HOST_RAX, HOST_RAX);
    emit_u8(e, 0xc3); /* ret */
}

/* STI leaves the rest to the callout when something waits, which an open IF may let in. While
 * nothing waits, no interrupt can come between STI and the next instruction: it would be taken at
 * the end of the block at the earliest. */
void inline_emit(struct translator *t)
{
    struct emit *e = &t->emit;
    t->fill.inlined[INLINED_RDTSC] = emit_pc(e);
    emit_rdtsc(e, t->fill.quick[QUICK_RDTSC]);
    for (enum inlined n = 0; n < INLINED_RDTSC; n++) {
        t->fill.inlined[n] = emit_pc(e);
        if (n != INLINED_PUSHF_USER) {
            emit_cpl(e);
            emit_unless_zero(t);
        }
        if (n == INLINED_STI) {
            emit_load32(e, SCRATCH_TEST, CPU_MEM(attention));
            emit_unless_zero(t);
        }
        if (n == INLINED_PUSHF || n == INLINED_PUSHF_USER)
            emit_image(e);
        else
            emit_put_flag(e, FLAG_IF, n == INLINED_STI);
        emit_u8(e, 0xc3); /* ret */
    }
}

static void gen_inlined(struct generator *g, unsigned n, enum inlined what)
{
    assert(n == g->now);
    emit_call(g->e, g->t->fill.inlined[what]);
}

static void gen_pushf(struct generator *g, unsigned n)
{
    struct host_mem m = lower_stack(g, n, HOST_OF_ESP, -4, 4, true);
    gen_inlined(g, n, g->s->mode & MODE_USER ? INLINED_PUSHF_USER : INLINED_PUSHF);
    emit_store32(g->e, m, SCRATCH_TEST);
    gen_move_stack(g, -4);
}

/* Goes to the callout unless ZF is set. */
static void gen_unless_z(struct generator *g, unsigned n)
{
    emit_bytes(g->e, (const u8[]){0x74, 0x05}, 2); /* jz over the call */
    gen_callout(g, n);
}

/* A test of ecx with a mask, and a jump to the callout when one of its bits is set. */
static void gen_unless_clear(struct generator *g, unsigned n, u32 mask)
{
    emit_bytes(g->e, (const u8[]){0xf7, 0xc1}, 2); /* test ecx, mask */
    emit_u32(g->e, mask);
    gen_unless_z(g, n);
}

/* IF as it is popped, if it changes; ecx has the bits that differ. */
static void gen_popped_if(struct generator *g, unsigned n)
{
    static const struct host_op xor_store = {.opcode = {0x31}, .opcode_count = 1};
    static const struct host_op group1 = {.opcode = {0x83}, .opcode_count = 1};
    struct emit *e = g->e;
    emit_bytes(e, (const u8[]){0x81, 0xe1}, 2); /* and ecx, IF */
    emit_u32(e, FLAG_IF);
    u8 *same = emit_jcc(e, 4 /* z */, emit_pc(e));
    emit_op_mem(e, &group1, 7 /* cmp */, CPU_MEM(attention));
    emit_u8(e, 0);
    gen_unless_z(g, n);
    emit_op_mem(e, &xor_store, SCRATCH_TEST, CPU_MEM(eflags));
    emit_patch(same, e->delta, emit_pc(e));
}

/* Flags are dead here: all of the arithmetic ones are popped. The popped value is kept in r9. */
static void gen_popf(struct generator *g, unsigned n)
{
    static const u8 set_flags[] = {0x44, 0x89, 0xc9,  /* mov ecx, r9d */
                                   0x41, 0x89, 0xc1,  /* mov r9d, eax */
                                   0x89, 0xc8,        /* mov eax, ecx */
                                   0xc1, 0xe8, 0x0b,  /* shr eax, 11 */
                                   0x83, 0xe0, 0x01,  /* and eax, 1 */
                                   0x88, 0xcc,        /* mov ah, cl */
                                   0x04, 0x7f,        /* add al, 7f */
                                   0x9e,              /* sahf */
                                   0x44, 0x89, 0xc8}; /* mov eax, r9d */
    static const struct host_op xor_load = {.opcode = {0x33}, .opcode_count = 1};
    struct emit *e = g->e;
    const bool user = g->s->mode & MODE_USER; /* it may not change IF, or seldom does */
    if (!user)
        gen_need_cpl0(g, n);
    struct host_mem m = lower_stack(g, n, HOST_OF_ESP, 0, 4, false);
    emit_load32(e, SCRATCH_INDEX, m);
    emit_mov32(e, SCRATCH_TEST, SCRATCH_INDEX);
    emit_op_mem(e, &xor_load, SCRATCH_TEST, CPU_MEM(eflags));
    gen_unless_clear(g, n, user ? POPF_SAME | FLAG_IF : POPF_SAME);
    if (!user)
        gen_popped_if(g, n);
    emit_bytes(e, set_flags, sizeof set_flags);
    gen_move_stack(g, 4);
}

/* Goes to the callout unless a load of the selector in SCRATCH_TEST would change nothing:
 * segment_load. */
static void gen_unless_unchanged(struct generator *g, unsigned n, unsigned seg)
{
    struct emit *e = g->e;
    emit_load32(e, SCRATCH_INDEX, ORIGIN_MEM(seg, selector));
    emit_not64(e, SCRATCH_INDEX);
    emit_lea32(e, SCRATCH_TEST, (struct host_mem){SCRATCH_TEST, SCRATCH_INDEX, 0, 1});
    gen_unless_zero_often(g, n);
    gen_need_cpl0(g, n);
    emit_load32(e, SCRATCH_ADDR, ORIGIN_MEM(seg, lin));
    emit_load64(e, SCRATCH_TEST, lower_linear(g, n, 8, false));
    emit_load64(e, SCRATCH_INDEX, ORIGIN_MEM(seg, descriptor));
    emit_not64(e, SCRATCH_INDEX);
    emit_lea64(e, SCRATCH_TEST, (struct host_mem){SCRATCH_TEST, SCRATCH_INDEX, 0, 1});
    gen_unless_zero_often(g, n);
}

/* Goes on behind the quick form of the instruction, or else to its callout. */
static void gen_quick(struct generator *g, unsigned n, unsigned what)
{
    assert(n == g->now);
    emit_call(g->e, g->t->fill.quick[what]);
}

/* Kernels load again what is there already, at each entry and exit; but FS, for data of the CPU.
 * Programs mostly load something else. */
static void gen_load_segment(struct generator *g, unsigned n)
{
    const struct insn *i = &g->s->insn[n].insn;
    unsigned seg = i->op[0].reg;
    if (i->exec == exec_pop_sreg)
        emit_load16(g->e, SCRATCH_TEST, lower_stack(g, n, HOST_OF_ESP, 0, 4, false));
    else if (i->op[1].kind == OPND_MEM)
        emit_load16(g->e, SCRATCH_TEST, lower_operand(g, n, 2, false));
    else
        emit_movzx16(g->e, SCRATCH_TEST, host_of_gpr(i->op[1].reg));
    if (seg == SEG_FS || g->s->mode & MODE_USER) {
        emit_mov32(g->e, SCRATCH_ADDR, SCRATCH_TEST);
        gen_quick(g, n, seg);
    } else {
        gen_unless_unchanged(g, n, seg);
    }
    if (i->exec == exec_pop_sreg)
        gen_move_stack(g, 4);
}

void gen_inline(struct generator *g, unsigned n)
{
    insn_exec *exec = g->s->insn[n].insn.exec;
    /* The instruction behind STI is to run before anything else: it has to be in the block. RDTSC
     * is to tell the time that counting makes. */
    if ((exec == exec_sti && n + 1 == g->s->count) || (exec == exec_rdtsc && g->t->counting)) {
        gen_callout(g, n);
        return;
    }
    if (exec == exec_cli)
        gen_inlined(g, n, INLINED_CLI);
    else if (exec == exec_sti)
        gen_inlined(g, n, INLINED_STI);
    else if (exec == exec_rdtsc && g->t->cpu->tsc_hz == NS_PER_SEC)
        gen_inlined(g, n, INLINED_RDTSC);
    else if (exec == exec_rdtsc)
        gen_quick(g, n, QUICK_RDTSC);
    else if (exec == exec_cpuid)
        gen_quick(g, n, QUICK_CPUID);
    else if (loads_segment(&g->s->insn[n].insn))
        gen_load_segment(g, n);
    else if (exec == exec_pushf)
        gen_pushf(g, n);
    else
        gen_popf(g, n);
}
