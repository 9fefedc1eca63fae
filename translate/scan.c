/* The prescan: decodes a guest basic block before it runs and decides how each instruction is
 * translated. */
/* SPDX-License-Identifier: MIT */
#include "translate/scan.h"

#include "cpu/decode.h"
#include "cpu/exec.h"
#include "cpu/interp.h"
#include "translate/block.h"
#include "translate/inline.h"

const struct operand *scan_mem_operand(const struct insn *i)
{
    for (unsigned n = 0; n < INSN_OPERANDS; n++) {
        if (i->op[n].kind == OPND_MEM)
            return &i->op[n];
    }
    return NULL;
}

/* Integer: may it be copied? Sets the access. A BSWAP of 16 bits is another instruction in 64-bit
 * code. */
static bool judge_integer(struct scanned *s, insn_exec *exec)
{
    const u16 flags = s->row->flags;
    const unsigned by = s->insn.op[0].kind == OPND_MEM ? TROW_ACCESS_MEM : TROW_ACCESS_OTHER;
    s->access = flags / by & (SCAN_READ | SCAN_WRITE);
    return (flags & TROW_COPIED) && !(exec == exec_bswap && s->insn.opsize != 4);
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
           exec == exec_fbstp || exec == exec_fnstcw || exec == exec_fnstsw || exec == exec_stmxcsr;
}

/* FPU class: may it be copied? */
static bool judge_fpu(struct scanned *s, insn_exec *exec, unsigned mode)
{
    bool xmm = has_xmm(&s->insn) || converts_out(exec);
    if (!(s->row->flags & TROW_COPIED) ||
        !(mode & (xmm || exec == exec_stmxcsr ? MODE_SSE : MODE_X87)))
        return false;
    if (xmm && !(mode & MODE_X87))
        return false; /* forms that mix MMX and XMM registers need both; they are too rare to tell
                         apart */
    s->sse = xmm;
    const struct operand *m = scan_mem_operand(&s->insn);
    bool store = m == &s->insn.op[0] && (xmm || s->insn.op[1].kind == OPND_MM || x87_stores(exec));
    s->access = store ? SCAN_WRITE : SCAN_READ;
    return true;
}

/* PUSHA and POPA are one access: it must not wrap at the end of a 16-bit stack. */
static bool stack_is_whole(unsigned mode)
{
    return !(mode & MODE_STACK16) || mode_reach(mode, SEG_SS) == REACH_64K;
}

static u8 judge_stack(const struct insn *i, insn_exec *exec, unsigned mode)
{
    if (exec == exec_push)
        return i->op[0].kind == OPND_MEM ? VERDICT_PUSH_MEM : VERDICT_PUSH;
    if (exec == exec_push_sreg)
        return VERDICT_PUSH_SREG;
    if (exec == exec_pop && i->op[0].kind == OPND_REG)
        return VERDICT_POP;
    if (exec == exec_pop && (i->base != RSP || !(mode & MODE_STACK16)))
        return VERDICT_POP_MEM;
    if ((exec == exec_pusha || exec == exec_popa) && stack_is_whole(mode))
        return exec == exec_pusha ? VERDICT_PUSHA : VERDICT_POPA;
    if (exec == exec_enter && !(i->imm2 & 31))
        return VERDICT_ENTER;
    return exec == exec_leave ? VERDICT_LEAVE : VERDICT_CALLOUT;
}

u32 scan_target_ip(const struct scan *s, unsigned n)
{
    u32 to = scan_next_ip(s, n) + (u32)s->insn[n].insn.imm;
    return s->insn[n].insn.opsize == 2 ? (u16)to : to;
}

static u8 judge_direct(const struct scan *s, insn_exec *exec)
{
    if (scan_target_ip(s, s->count) > s->cs_limit)
        return VERDICT_CALLOUT_END;
    if (exec == exec_jmp)
        return VERDICT_JMP;
    if (exec == exec_jcc)
        return VERDICT_JCC;
    return exec == exec_call ? VERDICT_CALL : VERDICT_COUNT;
}

static u8 judge_branch(const struct scan *s, insn_exec *exec)
{
    const struct insn *i = &s->insn[s->count].insn;
    if (i->op[0].kind == OPND_REL)
        return judge_direct(s, exec);
    if (exec == exec_call_ind)
        return VERDICT_CALL_IND;
    if (exec == exec_jmp_ind)
        return VERDICT_JMP_IND;
    return exec == exec_ret ? VERDICT_RET : VERDICT_CALLOUT_END;
}

static bool is_string(insn_exec *exec)
{
    return exec == exec_movs || exec == exec_stos || exec == exec_lods || exec == exec_cmps ||
           exec == exec_scas;
}

/* Loads of data segment registers in real mode; they do not change the mode while the segment's
 * reach does not hang on its base. */
static u8 judge_real(const struct insn *i, insn_exec *exec, unsigned mode)
{
    unsigned to = i->op[0].reg;
    bool far = exec == exec_les || exec == exec_lds || exec == exec_lfs || exec == exec_lgs;
    if (far)
        to = exec == exec_les ? SEG_ES : exec == exec_lds ? SEG_DS : SEG_FS;
    else if (exec != exec_mov_sreg_load && exec != exec_pop_sreg)
        return VERDICT_COPY;
    if (to > SEG_GS || to == SEG_CS || to == SEG_SS || mode_reach(mode, to) != REACH_64K ||
        mode_reach(mode, SEG_GS) != REACH_64K)
        return VERDICT_COPY;
    if (!far)
        return exec == exec_pop_sreg ? VERDICT_POP_SREG : VERDICT_SREG_LOAD;
    bool whole = i->addrsize != 2 || mode_reach(mode, i->seg) == REACH_64K;
    return whole ? VERDICT_FAR_LOAD : VERDICT_COPY;
}

/* Instructions that have their own generator; VERDICT_COPY if it is none. */
static u8 judge_other(const struct insn *i, insn_exec *exec, unsigned mode)
{
    bool mem = i->op[0].kind == OPND_MEM;
    bool fence = exec == exec_lfence || exec == exec_mfence || exec == exec_sfence;
    if (mode & MODE_REAL && judge_real(i, exec, mode) != VERDICT_COPY)
        return judge_real(i, exec, mode);
    if (exec == exec_nop || fence || (exec == exec_wait && mode & MODE_X87))
        return VERDICT_NOTHING;
    if (exec == exec_lea && i->addrsize < i->opsize)
        return VERDICT_LEA;
    if (exec == exec_mov_sreg_store && i->op[1].reg <= SEG_GS)
        return VERDICT_SREG_STORE;
    if (exec == exec_xchg && mem && !(i->op[1].off & 1))
        return VERDICT_XCHG;
    if ((exec == exec_bt || exec == exec_bts || exec == exec_btr || exec == exec_btc) && mem &&
        i->op[1].kind == OPND_REG)
        return VERDICT_BIT_STRING;
    if (exec == exec_cmpxchg8b)
        return VERDICT_CMPXCHG8B;
    if (is_string(exec) && (i->rep == REP_NONE || i->addrsize == 4))
        return VERDICT_STRING;
    if (exec == (mode & MODE_DF ? exec_std : exec_cld))
        return VERDICT_NOTHING;
    if (exec == exec_fldcw && mode & MODE_X87)
        return VERDICT_FLDCW;
    if (exec == exec_ldmxcsr && mode & MODE_SSE)
        return VERDICT_LDMXCSR;
    return exec == exec_xlat ? VERDICT_XLAT : exec == exec_salc ? VERDICT_SALC : VERDICT_COPY;
}

/* Instruction s->count, which has been decoded. */
static u8 judge(struct scan *s)
{
    struct scanned *i = &s->insn[s->count];
    insn_exec *exec = i->insn.exec;
    u8 class = i->row->class;
    if (likely(i->row->flags & TROW_SIMPLE) && judge_integer(i, exec))
        return VERDICT_COPY;
    if (i->row->flags & TROW_SENSITIVE && inline_wanted(&i->insn, s->mode))
        return VERDICT_INLINE;
    if (class == CLASS_BRANCH)
        return judge_branch(s, exec);
    bool copy = false, ends = insn_ends_block(&i->insn);
    if (class == CLASS_STACK && !ends)
        return judge_stack(&i->insn, exec, s->mode);
    u8 other = judge_other(&i->insn, exec, s->mode);
    if (other != VERDICT_COPY)
        return other;
    if (class == CLASS_COPY || class == CLASS_MEM)
        copy = judge_integer(i, exec);
    else if (class == CLASS_FPU)
        copy = judge_fpu(i, exec, s->mode);
    if (copy && !ends)
        return VERDICT_COPY;
    i->sse = false;
    return ends ? VERDICT_CALLOUT_END : VERDICT_CALLOUT;
}

/* Behind the last instruction, does the block go on, and where? */
static bool goes_on(const struct scan *s, scan_follow *follow, void *opaque, struct scan_point *at)
{
    u8 verdict = s->insn[s->count - 1].verdict;
    if (!verdict_ends(verdict))
        return true;
    if (verdict == VERDICT_JMP)
        return follow && follow(opaque, s, at);
    return (verdict == VERDICT_JCC || verdict == VERDICT_CALL || verdict == VERDICT_CALL_IND) &&
           (!follow || follow(opaque, s, at));
}

bool scan_has(const struct scan *s, s32 offset)
{
    for (unsigned n = 0; n < s->count; n++) {
        s32 first = s->insn[n].offset;
        if (offset >= first && offset < first + s->insn[n].insn.len)
            return true;
    }
    return false;
}

static bool looks_up(u8 verdict)
{
    return verdict == VERDICT_JMP_IND || verdict == VERDICT_CALL_IND;
}

void scan_block(struct scan *s, const struct trow *rows, const u8 *code, size_t avail,
                const struct tmode *mode, u32 ip, scan_follow *follow, void *opaque)
{
    const u64 room = (u64)mode->cs_limit - ip + 1;
    s->mode = mode->bits;
    s->ip = ip;
    s->code = code;
    s->cs_limit = mode->cs_limit;
    s->count = s->bytes = 0;
    s->sse = s->looks_up = false;
    s->jumps = 0;
    struct scan_point at = {0, (u32)(avail < room ? avail : room), false};
    while (s->count < SCAN_MAX_INSNS && at.room && !(s->jumps && scan_has(s, at.offset))) {
        struct scanned *i = &s->insn[s->count];
        i->offset = (s16)at.offset;
        i->access = 0;
        i->sse = false;
        if (decode(code + at.offset, at.room, mode_code(s->mode), &i->insn) != DECODE_OK) {
            if (s->count)
                break;
            i->row = &rows[i->insn.row];
            i->verdict = VERDICT_INTERPRET;
            s->bytes = at.room < INSN_MAX_LEN ? at.room : INSN_MAX_LEN;
            s->count = 1;
            return;
        }
        i->row = &rows[i->insn.row];
        i->insn.exec = i->row->exec;
        i->verdict = judge(s);
        if (s->looks_up && looks_up(i->verdict))
            break;
        s->looks_up |= looks_up(i->verdict);
        s->sse |= i->sse;
        s->bytes += i->insn.len;
        s->count++;
        at = (struct scan_point){at.offset + i->insn.len, at.room - i->insn.len, false};
        const s32 next = at.offset;
        const bool goes = goes_on(s, follow, opaque, &at);
        i->stays = at.stays;
        if (!goes)
            break;
        s->jumps += at.offset != next;
    }
}

void scan_cut(struct scan *s, unsigned count)
{
    while (s->count > count)
        s->bytes -= s->insn[--s->count].insn.len;
}
