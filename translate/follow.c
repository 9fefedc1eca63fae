/* Which way a block goes on behind its branches: the one that is taken more often. */
/* SPDX-License-Identifier: MIT */
#include "translate/follow.h"

#include "cpu/breakpoint.h"
#include "cpu/interp.h"
#include "translate/block.h"

enum { FOLLOW_PART = 4 /* what ran this part as often as the block becomes part of it */ };

unsigned follow_room(const struct translator *t, u32 lin, u64 place)
{
    const u8 *code = physmem_ram(t->cpu->mem, place);
    const unsigned left = PAGE_SIZE - (unsigned)(place & ~PAGE_MASK);
    if (breakpoint_planted(t->cpu, lin, place) || breakpoint_magic(t->cpu, code, left))
        return 0;
    return breakpoint_room(t->cpu, lin, place, code, left);
}

/* The interpreter has counted how often blocks ran. */
static bool ran_often(const struct start *s, s32 offset)
{
    const struct translator *t = s->t;
    const u64 behind = (u64)(s64)offset;
    return interp_ran_at(t->cpu, s->pa + behind) >= t->threshold / FOLLOW_PART ||
           tblock_any(t, s->lin + (u32)offset, s->place + behind);
}

/* Code that several ways lead to is copied into several blocks where these go on at the targets of
 * JMPs, or where another block begins. That pays in programs that keep running, which are those
 * with a window; elsewhere it costs more time and memory than it brings. */
static bool copies_pay(const struct translator *t, u32 mode)
{
    const u32 program = MODE_WINDOW | MODE_USER;
    return !t->threshold || (mode & program) == program;
}

/* Is there one for the same mode? */
static bool is_block(const struct start *s, s32 offset)
{
    return tblock_find(s->t, s->lin + (u32)offset, s->mode, s->place + (u64)(s64)offset) != NULL;
}

/* Moves *at to where the last instruction jumps, if that is in the page and not in the block yet.
 */
static bool jump_follows(const struct start *s, const struct scan *scan, struct scan_point *at)
{
    const struct scanned *jump = &scan->insn[scan->count - 1];
    const u32 ip = scan_target_ip(scan, scan->count - 1), lin = s->lin + (ip - scan->ip);
    const s32 offset = (s32)(lin - s->lin);
    if (scan->jumps + 1 == TPARTS_MAX || (!copies_pay(s->t, scan->mode) && is_block(s, offset)) ||
        (lin ^ s->lin) & PAGE_MASK || scan_has(scan, offset) ||
        (jump->verdict == VERDICT_JCC && !ran_often(s, offset)))
        return false;
    const unsigned room = follow_room(s->t, lin, s->place + (u64)(s64)offset);
    const u64 limit = (u64)scan->cs_limit - ip + 1;
    *at = (struct scan_point){offset, room < limit ? room : (u32)limit, true};
    return true;
}

/* Did what follows a branch run often enough to become part of the block? If not, what a
 * conditional one jumps to may; without counts, jumps back are taken for frequent. What follows a
 * call that ran that often does, though it may not have returned yet, as in a recursion. Calls do
 * not go on where instructions are counted: what is called would see those behind the call as done.
 */
bool follow_branch(void *opaque, const struct scan *scan, struct scan_point *at)
{
    const struct start *s = opaque;
    const struct translator *t = s->t;
    const struct scanned *branch = &scan->insn[scan->count - 1];
    if (t->unchained && !t->verify)
        return false; /* somebody counts starts of blocks */
    const bool copies = copies_pay(t, scan->mode);
    if (branch->verdict == VERDICT_JMP)
        return copies && jump_follows(s, scan, at);
    const bool jcc = branch->verdict == VERDICT_JCC, forth = (s32)branch->insn.imm >= 0;
    if (jcc)
        at->stays = t->threshold ? !ran_often(s, at->offset + (s32)branch->insn.imm) : forth;
    if (!copies && is_block(s, at->offset))
        return false;
    if (!jcc)
        return !t->counting;
    const bool stays = t->threshold ? ran_often(s, at->offset) : forth;
    return stays || jump_follows(s, scan, at) || !t->threshold;
}
