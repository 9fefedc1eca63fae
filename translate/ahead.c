/* Pushes and pops in a row move ESP in its host register once, behind the last of them: which
 * instructions may be in between, and how far ESP is ahead of its host register then. What leaves
 * translated code in between corrects it. */
/* SPDX-License-Identifier: MIT */
#include "translate/ahead.h"

#include "cpu/exec.h"
#include "translate/block.h"
#include "translate/crossing.h"

static bool names_esp(const struct insn *i)
{
    for (unsigned n = 0; n < INSN_OPERANDS; n++) {
        if (i->op[n].kind == OPND_REG && i->op[n].reg == RSP)
            return true;
    }
    return false;
}

bool stack_copies_esp(const struct insn *i)
{
    return i->exec == exec_mov && i->op[0].kind == OPND_REG && i->op[0].reg != RSP &&
           i->op[1].kind == OPND_REG && i->op[1].reg == RSP && i->opsize == 4 && i->op[1].size == 4;
}

bool stack_moves(const struct scanned *s, u32 mode, s32 *by)
{
    const struct insn *i = &s->insn;
    const struct operand *o = i->op;
    if (s->verdict != VERDICT_COPY || !(mode & MODE_WINDOW) || mode & MODE_STACK16 ||
        o->kind != OPND_REG || o->reg != RSP || o->size != 4)
        return false;
    if (i->exec == exec_lea) {
        *by = (s32)i->disp;
        return i->base == RSP && i->index == REG_ZERO && i->addrsize == 4 && i->modrm >> 6 == 1;
    }
    *by = i->exec == exec_sub ? -(s32)i->imm : (s32)i->imm;
    return i->opcode == 0x83 && (i->exec == exec_add || i->exec == exec_sub);
}

bool stack_flags_die(const struct scan *s, unsigned n)
{
    static insn_exec *const all[] = {exec_add, exec_sub, exec_cmp, exec_and,
                                     exec_or,  exec_xor, exec_test};
    const struct insn *i = &s->insn[n].insn;
    bool writes = false;
    if (n >= s->count || s->insn[n].verdict != VERDICT_COPY || scan_mem_operand(i) ||
        (i->op[0].off | i->op[1].off) & 1)
        return false;
    for (unsigned k = 0; k < ARRAY_LEN(all); k++)
        writes |= i->exec == all[k];
    return writes;
}

enum stack_use stack_use(const struct scanned *s, u32 mode, s32 *by)
{
    const struct insn *i = &s->insn;
    if (stack_moves(s, mode, by))
        return STACK_AHEAD;
    *by = 0;
    if (mode & MODE_STACK16 || (names_esp(i) && !stack_copies_esp(i)))
        return STACK_WANTED;
    switch (s->verdict) {
    case VERDICT_COPY:
    case VERDICT_NOTHING: return STACK_AHEAD;
    case VERDICT_PUSH:
    case VERDICT_PUSH_MEM: *by = -(s32)i->opsize; return STACK_AHEAD;
    case VERDICT_POP: *by = i->opsize; return STACK_AHEAD;
    case VERDICT_CALL:
    case VERDICT_CALL_IND:
    case VERDICT_RET: return STACK_TAKEN;
    default: return STACK_WANTED;
    }
}

/* That of instruction n of block b. */
static enum stack_use use_at(const struct translator *t, const struct tblock *b, unsigned n,
                             s32 *by)
{
    const struct tmode *mode = &t->mode[tblock_mode(t, b)];
    const s32 offset = tblock_point(t, b, n).guest;
    u8 buf[INSN_MAX_LEN];
    struct scan s;
    scan_block(&s, t->rows, tblock_bytes(t, b, buf) + offset, tblock_insn(t, b, n).guest, mode,
               tblock_ip(t, b) + (u32)offset, NULL, NULL);
    return stack_use(&s.insn[0], mode->bits, by);
}

s32 stack_ahead(const struct translator *t, const struct tblock *b, unsigned n)
{
    s32 ahead = 0, by;
    unsigned first = n;
    if (n >= b->count || use_at(t, b, n, &by) == STACK_WANTED)
        return 0;
    while (first && use_at(t, b, first - 1, &by) == STACK_AHEAD)
        first--;
    for (; first < n; first++) {
        use_at(t, b, first, &by);
        ahead = stack_far(ahead + by) ? 0 : ahead + by;
    }
    return ahead;
}
