/* The translator's table of instructions, by their rows in insn.def. */
/* SPDX-License-Identifier: MIT */
#include "translate/row.h"

#include "cpu/decode.h"
#include "cpu/exec.h"
#include "cpu/interp.h"
#include "translate/scan.h"

enum { R = SCAN_READ, W = SCAN_WRITE, RW = R | W, SIMPLE = TROW_SIMPLE, PLAIN = TROW_PLAIN };

/* Integer instructions that are copied, and what they do to a memory operand that comes first; of
 * another one, they read what they access. */
static const struct {
    insn_exec *exec; /* which */
    u8 access;       /* SCAN_* */
    u8 flags;        /* TROW_* */
} copied[] = {
    {exec_add, RW, SIMPLE | PLAIN},
    {exec_or, RW, SIMPLE | PLAIN},
    {exec_adc, RW, SIMPLE | PLAIN},
    {exec_sbb, RW, SIMPLE | PLAIN},
    {exec_and, RW, SIMPLE | PLAIN},
    {exec_sub, RW, SIMPLE | PLAIN},
    {exec_xor, RW, SIMPLE | PLAIN},
    {exec_cmp, R, SIMPLE | PLAIN},
    {exec_test, R, SIMPLE | PLAIN},
    {exec_inc, RW, SIMPLE | PLAIN},
    {exec_dec, RW, SIMPLE | PLAIN},
    {exec_neg, RW, SIMPLE | PLAIN},
    {exec_not, RW, SIMPLE | PLAIN},
    {exec_mul, R, SIMPLE},
    {exec_imul1, R, SIMPLE},
    {exec_imul, R, SIMPLE | PLAIN},
    {exec_div, R, SIMPLE},
    {exec_idiv, R, SIMPLE},
    {exec_rol, RW, SIMPLE | PLAIN},
    {exec_ror, RW, SIMPLE | PLAIN},
    {exec_rcl, RW, SIMPLE | PLAIN},
    {exec_rcr, RW, SIMPLE | PLAIN},
    {exec_shl, RW, SIMPLE | PLAIN},
    {exec_shr, RW, SIMPLE | PLAIN},
    {exec_sar, RW, SIMPLE | PLAIN},
    {exec_shld, RW, SIMPLE | PLAIN},
    {exec_shrd, RW, SIMPLE | PLAIN},
    {exec_bt, R, PLAIN},
    {exec_bts, RW, PLAIN},
    {exec_btr, RW, PLAIN},
    {exec_btc, RW, PLAIN},
    {exec_bsf, R, SIMPLE | PLAIN},
    {exec_bsr, R, SIMPLE | PLAIN},
    {exec_movzx, R, SIMPLE | PLAIN},
    {exec_movsx, R, SIMPLE | PLAIN},
    {exec_xchg, RW, 0},
    {exec_lea, 0, PLAIN},
    {exec_setcc, W, SIMPLE | PLAIN},
    {exec_cmovcc, R, SIMPLE | PLAIN},
    {exec_cbw, 0, SIMPLE},
    {exec_cwd, 0, SIMPLE},
    {exec_clc, 0, SIMPLE | PLAIN},
    {exec_stc, 0, SIMPLE | PLAIN},
    {exec_cmc, 0, SIMPLE | PLAIN},
    {exec_nop, 0, PLAIN},
    {exec_xadd, RW, SIMPLE},
    {exec_cmpxchg, RW, SIMPLE},
    {exec_bswap, 0, PLAIN},
    {exec_mov, W, SIMPLE | PLAIN},
    {exec_lahf, 0, SIMPLE},
    {exec_sahf, 0, SIMPLE},
};

/* x87 and SSE instructions that only the interpreter may run: they change what MODE_X87 stands for,
 * or write images. */
static insn_exec *const refused[] = {exec_fnstenv,  exec_fldenv,     exec_fnsave, exec_frstor,
                                     exec_fxsave,   exec_fxrstor,    exec_wait,   exec_ldmxcsr,
                                     exec_maskmovq, exec_maskmovdqu, exec_fldcw,  exec_ud};

/* What inline_wanted may want. */
static insn_exec *const sensitive[] = {exec_cli,  exec_sti,           exec_rdtsc,    exec_pushf,
                                       exec_popf, exec_mov_sreg_load, exec_pop_sreg, exec_cpuid};

static bool is_among(insn_exec *const *list, unsigned count, insn_exec *exec)
{
    unsigned n = 0;
    while (n < count && list[n] != exec)
        n++;
    return n < count;
}

static u16 integer_flags(insn_exec *exec)
{
    for (unsigned n = 0; n < ARRAY_LEN(copied); n++) {
        if (copied[n].exec != exec)
            continue;
        unsigned other = exec == exec_xchg ? RW : exec == exec_mov ? R : copied[n].access & R;
        return (u16)(TROW_COPIED | copied[n].flags | copied[n].access * TROW_ACCESS_MEM |
                     other * TROW_ACCESS_OTHER);
    }
    return 0;
}

static u16 flags_of(const struct trow *row)
{
    if (row->class == CLASS_COPY || row->class == CLASS_MEM)
        return integer_flags(row->exec);
    bool fpu = row->class == CLASS_FPU && !is_among(refused, ARRAY_LEN(refused), row->exec);
    return fpu ? TROW_COPIED : 0;
}

struct trow *trows_new(void)
{
    struct trow *rows = xcalloc(TROWS, sizeof *rows);
    for (u16 n = 0; n < TROWS; n++) {
        struct trow *row = &rows[n];
        *row = (struct trow){.exec = insn_exec_of(n),
                             .class = insn_info(n)->class,
                             .gpr = (u8)insn_gpr_fields(n),
                             .modrm = insn_has_modrm(n)};
        row->flags = flags_of(row);
        if (insn_ends_block(&(struct insn){.row = n}))
            row->flags &= (u16)~TROW_SIMPLE;
        if (is_among(sensitive, ARRAY_LEN(sensitive), row->exec))
            row->flags |= TROW_SENSITIVE;
    }
    return rows;
}
