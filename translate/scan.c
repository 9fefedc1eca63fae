/* The prescan: decodes a guest basic block before it runs and decides how each instruction is
 * translated. */
/* SPDX-License-Identifier: MIT */
#include "translate/scan.h"

#include "cpu/decode.h"
#include "cpu/exec.h"
#include "cpu/interp.h"

static bool seg_open(const struct segment *s)
{
    return s->lo == 0 && s->read_span >= UINT32_MAX && s->write_span >= UINT32_MAX;
}

static bool seg_flat(const struct segment *s)
{
    return s->base == 0 && seg_open(s);
}

unsigned translate_mode(const struct cpu *cpu)
{
    const struct segment *cs = &cpu->seg[SEG_CS];
    if (!cpu_protected(cpu) || cpu->code_mode != MODE_32 || cpu->stack_mask != UINT32_MAX ||
        cs->base || cs->limit != UINT32_MAX)
        return 0;
    unsigned mode = MODE_VALID;
    bool fpu = !(cpu->cr0 & (CR0_EM | CR0_TS));
    mode |= seg_flat(&cpu->seg[SEG_DS]) ? MODE_FLAT_DS : 0;
    mode |= seg_flat(&cpu->seg[SEG_ES]) ? MODE_FLAT_ES : 0;
    mode |= seg_flat(&cpu->seg[SEG_SS]) ? MODE_FLAT_SS : 0;
    mode |= seg_open(&cpu->seg[SEG_FS]) ? MODE_OPEN_FS : 0;
    mode |= seg_open(&cpu->seg[SEG_GS]) ? MODE_OPEN_GS : 0;
    mode |= fpu && cpu->fpu.x87_quick ? MODE_X87 : 0;
    mode |= fpu && cpu->fpu.sse_quick && (cpu->cr4 & CR4_OSFXSR) ? MODE_SSE : 0;
    mode |= cpu->window && cpu->cpl == 3 && cpu->tlb != cpu->strict ? MODE_WINDOW : 0;
    return mode;
}

/* Integer instructions that are copied, and what they do to a memory operand. */
static const struct {
    insn_exec *exec;
    u8 access;
} copied[] = {
    {exec_add, 3},   {exec_or, 3},     {exec_adc, 3},   {exec_sbb, 3},  {exec_and, 3},
    {exec_sub, 3},   {exec_xor, 3},    {exec_cmp, 1},   {exec_test, 1}, {exec_inc, 3},
    {exec_dec, 3},   {exec_neg, 3},    {exec_not, 3},   {exec_mul, 1},  {exec_imul1, 1},
    {exec_imul, 1},  {exec_rol, 3},    {exec_ror, 3},   {exec_rcl, 3},  {exec_rcr, 3},
    {exec_shl, 3},   {exec_shr, 3},    {exec_sar, 3},   {exec_shld, 3}, {exec_shrd, 3},
    {exec_bt, 1},    {exec_bts, 3},    {exec_btr, 3},   {exec_btc, 3},  {exec_bsf, 1},
    {exec_bsr, 1},   {exec_movzx, 1},  {exec_movsx, 1}, {exec_xchg, 3}, {exec_lea, 0},
    {exec_setcc, 2}, {exec_cmovcc, 1}, {exec_cbw, 0},   {exec_cwd, 0},  {exec_clc, 0},
    {exec_stc, 0},   {exec_cmc, 0},    {exec_nop, 0},   {exec_xadd, 3}, {exec_cmpxchg, 3},
    {exec_bswap, 0}, {exec_mov, 0},
};

/* Opcodes that 64-bit code reads otherwise, forms that need more than renaming. */
static bool copy_refused(const struct insn *i, insn_exec *exec)
{
    bool mem = i->op[0].kind == OPND_MEM || i->op[1].kind == OPND_MEM;
    if (exec == exec_bt || exec == exec_bts || exec == exec_btr || exec == exec_btc)
        return mem && i->op[1].kind == OPND_REG; /* the bit may lie outside the operand */
    if (exec == exec_bswap)
        return i->opsize != 4;
    if (exec == exec_nop)
        return i->opcode !=
               0x90; /* hints read no memory and mean something else where they are newer */
    return false;
}

static bool seg_usable(const struct insn *i, unsigned mode)
{
    switch (i->seg) {
    case SEG_DS: return mode & MODE_FLAT_DS;
    case SEG_ES: return mode & MODE_FLAT_ES;
    case SEG_SS: return mode & MODE_FLAT_SS;
    case SEG_FS: return mode & MODE_OPEN_FS;
    case SEG_GS: return mode & MODE_OPEN_GS;
    default: return false; /* CS may be readable or not, and is never writable */
    }
}

const struct operand *scan_mem_operand(const struct insn *i)
{
    for (unsigned n = 0; n < INSN_OPERANDS; n++) {
        if (i->op[n].kind == OPND_MEM)
            return &i->op[n];
    }
    return NULL;
}

/* Integer: may it be copied? Sets the access. */
static bool judge_integer(struct scanned *s, insn_exec *exec)
{
    for (unsigned n = 0; n < ARRAY_LEN(copied); n++) {
        if (copied[n].exec != exec)
            continue;
        s->access = copied[n].access;
        if (exec == exec_mov)
            s->access = s->insn.op[0].kind == OPND_MEM ? SCAN_WRITE : SCAN_READ;
        return !copy_refused(&s->insn, exec);
    }
    return false;
}

/* x87 instructions that only the interpreter may run: they change what MODE_X87 stands for, or
 * write images. */
static bool x87_refused(insn_exec *exec)
{
    static insn_exec *const refused[] = {exec_fldcw,    exec_fnstenv,    exec_fldenv,  exec_fnsave,
                                         exec_frstor,   exec_fnclex,     exec_fninit,  exec_fxsave,
                                         exec_fxrstor,  exec_wait,       exec_ldmxcsr, exec_stmxcsr,
                                         exec_maskmovq, exec_maskmovdqu, exec_ud};
    for (unsigned n = 0; n < ARRAY_LEN(refused); n++) {
        if (refused[n] == exec)
            return true;
    }
    return false;
}

static bool has_xmm(const struct insn *i)
{
    for (unsigned n = 0; n < INSN_OPERANDS; n++) {
        if (i->op[n].kind == OPND_XMM)
            return true;
    }
    return false;
}

/* SSE conversions from memory to a general or MMX register, which name no XMM register. */
static bool converts_out(insn_exec *exec)
{
    return exec == exec_cvtss2si || exec == exec_cvttss2si || exec == exec_cvtsd2si ||
           exec == exec_cvttsd2si || exec == exec_cvtps2pi || exec == exec_cvttps2pi ||
           exec == exec_cvtpd2pi || exec == exec_cvttpd2pi;
}

static bool x87_stores(insn_exec *exec)
{
    return exec == exec_fst || exec == exec_fstp || exec == exec_fist || exec == exec_fistp ||
           exec == exec_fbstp || exec == exec_fnstcw || exec == exec_fnstsw;
}

/* FPU class: may it be copied? */
static bool judge_fpu(struct scanned *s, insn_exec *exec, unsigned mode)
{
    bool xmm = has_xmm(&s->insn) || converts_out(exec);
    if (x87_refused(exec) || !(mode & (xmm ? MODE_SSE : MODE_X87)))
        return false;
    if (xmm && !(mode & MODE_X87))
        return false; /* forms that mix MMX and XMM registers need both; they are too rare to tell
                         apart */
    s->sse = xmm;
    s->may_trap = true;
    const struct operand *m = scan_mem_operand(&s->insn);
    bool store = m == &s->insn.op[0] && (xmm || s->insn.op[1].kind == OPND_MM || x87_stores(exec));
    s->access = store ? SCAN_WRITE : SCAN_READ;
    return true;
}

static u8 judge_stack(struct scanned *s, insn_exec *exec, unsigned mode)
{
    const struct insn *i = &s->insn;
    if (i->opsize != 4 || !(mode & MODE_FLAT_SS))
        return VERDICT_CALLOUT;
    if (exec == exec_push && i->op[0].kind != OPND_MEM)
        return VERDICT_PUSH;
    if (exec == exec_pop && i->op[0].kind == OPND_REG)
        return VERDICT_POP;
    return exec == exec_leave ? VERDICT_LEAVE : VERDICT_CALLOUT;
}

static u8 judge_branch(struct scanned *s, insn_exec *exec, unsigned mode)
{
    const struct insn *i = &s->insn;
    bool pushes = exec == exec_call || exec == exec_call_ind || exec == exec_ret;
    const struct operand *m = scan_mem_operand(i);
    if (i->opsize != 4 || (pushes && !(mode & MODE_FLAT_SS)) || (m && !seg_usable(i, mode)))
        return VERDICT_CALLOUT_END;
    s->access = SCAN_READ;
    if (exec == exec_jmp)
        return VERDICT_JMP;
    if (exec == exec_jcc)
        return VERDICT_JCC;
    if (exec == exec_jcxz && i->addrsize == 4)
        return VERDICT_JCXZ;
    if (exec == exec_loop && i->addrsize == 4)
        return VERDICT_LOOP;
    if (exec == exec_call)
        return VERDICT_CALL;
    if (exec == exec_call_ind)
        return VERDICT_CALL_IND;
    if (exec == exec_jmp_ind)
        return VERDICT_JMP_IND;
    return exec == exec_ret ? VERDICT_RET : VERDICT_CALLOUT_END;
}

static u8 judge(struct scanned *s, unsigned mode)
{
    insn_exec *exec = insn_exec_of(s->insn.row);
    u8 class = insn_info(s->insn.row)->class;
    const struct operand *m = scan_mem_operand(&s->insn);
    bool copy = false;
    if (class == CLASS_BRANCH)
        return judge_branch(s, exec, mode);
    if (class == CLASS_STACK && !insn_ends_block(&s->insn))
        return judge_stack(s, exec, mode);
    if (class == CLASS_COPY || class == CLASS_MEM)
        copy = judge_integer(s, exec);
    else if (class == CLASS_FPU)
        copy = judge_fpu(s, exec, mode);
    if (m && s->access &&
        (!seg_usable(&s->insn, mode) || ((s->access & SCAN_WRITE) && s->insn.seg == SEG_CS)))
        copy = false;
    if (copy && !insn_ends_block(&s->insn))
        return VERDICT_COPY;
    s->sse = false;
    return insn_ends_block(&s->insn) ? VERDICT_CALLOUT_END : VERDICT_CALLOUT;
}

bool scan_block(struct scan *s, const u8 *code, size_t avail, unsigned mode)
{
    s->mode = mode;
    s->count = s->bytes = 0;
    s->sse = false;
    while (s->count < SCAN_MAX_INSNS && s->bytes < avail) {
        struct scanned *i = &s->insn[s->count];
        *i = (struct scanned){.offset = (u16)s->bytes};
        if (decode(code + s->bytes, avail - s->bytes, MODE_32, &i->insn) != DECODE_OK)
            break;
        i->insn.exec = insn_exec_of(i->insn.row);
        i->verdict = judge(i, mode);
        s->sse |= i->sse;
        s->bytes += i->insn.len;
        s->count++;
        if (insn_ends_block(&i->insn))
            break;
    }
    return s->count > 0;
}
