/* Guards of blocks: what exits of other pages go through that lead to a block which holds only as
 * long as the jump id does. They lie in the code cache between the blocks, and serve others when
 * they are not needed any more. */
/* SPDX-License-Identifier: MIT */
#include <assert.h>

#include "translate/block.h"
#include "translate/generate.h"
#include "translate/link.h"

/* Its parts that change: the negated jump id's high half, the target's linear address, the jump to
 * its code; and behind the code what guard_rest has, or where the next free one is. */
enum { GUARD_ID = 6, GUARD_LIN = 14, GUARD_JUMP = 24, GUARD_REST = 28, GUARD_SIZE = 32 };
enum { GUARDS_TOGETHER = 16 /* so many get their memory at once */ };

u32 *guard_rest(const struct translator *t, u32 guard)
{
    return (u32 *)(void *)(t->rw + guard + GUARD_REST);
}

/* mov ecx, jump id; lea ecx, [rcx - the id it was linked under]; jrcxz over what looks it up if
 * that is another one; jmp to the block. */
static void emit_guard(struct translator *t, u32 guard)
{
    enum { MISS_BYTES = 6 + 5 };
    struct emit e = {.at = t->rw + guard, .delta = t->emit.delta};
    struct host_mem id = CPU_MEM(jump_id), unknown = {SCRATCH_TEST, HOST_NONE, 0, INT32_MAX};
    id.disp += 4;
    emit_load32(&e, SCRATCH_TEST, id);
    emit_lea32(&e, SCRATCH_TEST, unknown);
    emit_bytes(&e, (const u8[]){0xe3, MISS_BYTES}, 2);
    emit_mov32_imm(&e, SCRATCH_ADDR, 0);
    emit_jmp(&e, t->lookup);
    emit_jmp_patchable(&e);
    assert(e.at == t->rw + guard + GUARD_REST);
}

static void put_free(struct translator *t, u32 guard)
{
    *guard_rest(t, guard) = t->guard_free;
    t->guard_free = guard;
}

/* False: the cache is full. */
static bool make_some(struct translator *t)
{
    const u32 used = (u32)(t->emit.at - t->rw);
    const u32 start = (used + GUARD_SIZE - 1) / GUARD_SIZE * GUARD_SIZE;
    const u32 end = start + GUARDS_TOGETHER * GUARD_SIZE;
    if (t->rw + end > t->emit.end)
        return false;
    for (u32 guard = start; guard < end; guard += GUARD_SIZE) {
        emit_guard(t, guard);
        put_free(t, guard);
    }
    t->guard_bytes += end - used;
    t->emit.at = t->rw + end;
    return true;
}

u32 guard_new(struct translator *t, const struct tblock *to)
{
    if (!t->guard_free && !make_some(t))
        return 0;
    const u32 guard = t->guard_free;
    t->guard_free = *guard_rest(t, guard);
    store_le32(t->rw + guard + GUARD_LIN, tblock_lin(t, to));
    emit_patch(t->rw + guard + GUARD_JUMP, t->emit.delta, tblock_code(t, to));
    return guard;
}

void guard_end(struct translator *t, u32 guard)
{
    put_free(t, guard);
}

void guard_set_id(struct translator *t, u32 guard, u32 id)
{
    store_le32(t->rw + guard + GUARD_ID, -id);
}

u32 guard_id(const struct translator *t, u32 guard)
{
    return -load_le32(t->rw + guard + GUARD_ID);
}

u32 guard_leads(const struct translator *t, u32 guard)
{
    return texit_leads(t, guard + GUARD_JUMP);
}

u32 guard_at_pc(const struct translator *t, u64 pc)
{
    const u64 at = pc - (u64)(uintptr_t)t->rx;
    if (at < t->stubs_end || at >= t->size || tblock_at_pc(t, pc))
        return 0;
    return (u32)(at / GUARD_SIZE * GUARD_SIZE);
}
