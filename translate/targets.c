/* The table of branch targets: by the low 16 bits of the linear address, shifted for each mode and
 * address space, so that programs at the same addresses do not push out each other's. */
/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "translate/translate.h"

/* Which part of the table a space uses at this privilege: supervisor code by its group, user code
 * by the space itself. */
static unsigned class_of(const struct cpu *cpu)
{
    return cpu->cpl == 3 ? cpu->space->number : SPACE_MAX + cpu->space->group;
}

/* The class of bit 0 of tblock.classes: code is either the supervisor's or the user's. */
static unsigned first_class(const struct tblock *b)
{
    return b->user ? 0 : SPACE_MAX;
}

static struct tjump *first_of(const struct translator *t, unsigned class, unsigned mode)
{
    return t->jump + ((class * 0x9e3779b1u ^ mode * 0x85ebca6bu) >> 16);
}

void targets_new(struct translator *t)
{
    t->jump = xmalloc(2 * JUMP_ENTRIES * sizeof *t->jump);
    memset(t->jump, 0xff, 2 * JUMP_ENTRIES * sizeof *t->jump);
    t->cpu->jump_table = t->jump;
}

void translate_forget_targets(struct translator *t)
{
    memset(t->jump, 0xff, 2 * JUMP_ENTRIES * sizeof *t->jump);
    links_forget_ids(t);
    returns_forget(t);
}

void targets_select(struct translator *t, unsigned mode)
{
    struct cpu *cpu = t->cpu;
    u32 space = cpu->space->code_id[cpu->cpl == 3];
    links_select(t, space);
    cpu->jump_id = (u64)(space * TMODES | mode) << 32;
    cpu->jump_table = first_of(t, class_of(cpu), mode);
}

u64 target_find(const struct translator *t, u32 lin)
{
    const struct tjump *j = &t->cpu->jump_table[lin % JUMP_ENTRIES];
    return j->tag + t->cpu->jump_id + lin == 0 ? j->code : 0;
}

void target_add(struct translator *t, u32 lin, struct tblock *b)
{
    t->cpu->jump_table[lin % JUMP_ENTRIES] =
        (struct tjump){-(t->cpu->jump_id + lin), tblock_code(t, b)};
    b->classes |= (u16)BIT(class_of(t->cpu) - first_class(b));
}

void targets_drop(struct translator *t, struct tblock *b)
{
    for (u32 left = b->classes; left; left &= left - 1) {
        unsigned class = first_class(b) + (unsigned)__builtin_ctz(left);
        struct tjump *j = &first_of(t, class, b->mode)[b->lin % JUMP_ENTRIES];
        if (j->code == tblock_code(t, b))
            j->tag = 1;
    }
    b->classes = 0;
}
